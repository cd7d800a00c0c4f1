"""The fixture catalogue: which recordings exist, what is said in them, and where speech begins and ends.

In: a `catalogue.yaml` (ours or a user's). Out: a `Catalogue` of frozen `Fixture`s; values missing from an entry are
measured from its audio or are "unknown". A fully annotated file is not opened, and no audio library is imported, before
`load_pcm`.
Trap: scalars are read as text, so `text: true` is the word "true" and not a truth value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from bench.audio.languages import NAMES_ALLOWED, language_of
from bench.config.block import Block, Complaint, nearest, refusal
from bench.config.problems import ConfigError, read_text, validated
from bench.config.yaml_reader import Problem, read_yaml
from bench.errors import BenchError
from bench.shipped import shipped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNKNOWN = "unknown"
BY_HAND, BY_LEVEL = "by hand", "by level"
CALLERS = ("human", "synthetic", UNKNOWN)
"""Who speaks a recording: a person, or a machine that was given the text."""
MEASURED_MS = ("duration_ms", "speech_start_ms", "speech_end_ms")
ROUNDING_MS = 1.0  # an annotation may be rounded to a whole millisecond

_HINT = "leave a time or hash out to have it measured; docs/scenarios.md, A catalogue of your own"


def shipped_catalogue() -> Path:
    """The project's own fixtures, which come with the package."""
    return shipped("fixtures/audio/catalogue.yaml").resolve()


def shipped_sounds() -> Path:
    """Sounds that a caller makes while it listens, such as a cough: every scenario knows them beside its catalogue."""
    return shipped("fixtures/audio/sounds/catalogue.yaml").resolve()


@dataclass(frozen=True, slots=True)
class Fixture:
    """One recorded utterance. Times are milliseconds from the first sample of the file."""

    id: str
    file: Path  # absolute
    text: str  # what is said, as a person would write it: the reference of the WER
    language: str  # "unknown" when the catalogue does not say; transcripts are then normalised as English
    accent: str
    voice: str
    duration_ms: float
    speech_start_ms: float
    speech_end_ms: float  # the acoustic end of speech: zero of every turn latency
    sha256: str  # of the file's bytes
    source: str
    licence: str
    caller: str = UNKNOWN  # who speaks: "human" or "synthetic"
    annotated: str = UNKNOWN  # "by hand" when a person gave the end of speech, "by level" when it was measured
    channel: int | None = None  # from 1; which channel of the file is spoken by the caller
    where: str = "catalogue"  # "catalogue.yaml:12", for messages

    def load_pcm(self, rate_hz: int) -> NDArray[np.int16]:
        """The recording as mono samples at `rate_hz`; BenchError when the file is not the one that was annotated."""
        from bench.audio.formats import resample_float, to_pcm16

        samples, file_rate_hz = self._samples()
        return to_pcm16(resample_float(samples, file_rate_hz, rate_hz))[0]

    def load_own(self) -> tuple[NDArray[np.int16], int]:
        """As `load_pcm`, at the file's own rate, with that rate."""
        from bench.audio.formats import to_pcm16

        samples, rate_hz = self._samples()
        return to_pcm16(samples)[0], rate_hz

    def _samples(self) -> tuple[NDArray[np.float64], int]:
        from bench.audio.wav import decode_audio, read_bytes

        data = read_bytes(self.file)
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise BenchError(
                f"{self.where}: fixture {self.id!r}: {self.file} has sha256 {found[:12]}..., "
                f"the catalogue says {self.sha256[:12]}...",
                hint="the file was changed after it was annotated: restore it, or annotate it again",
            )
        samples, file_rate_hz = decode_audio(data, self.file, self.channel)
        length_ms = len(samples) * 1000 / file_rate_hz
        if self.speech_end_ms > length_ms + ROUNDING_MS:
            raise BenchError(
                f"{self.where}: fixture {self.id!r}: speech_end_ms is {self.speech_end_ms:g}, "
                f"but {self.file} is only {length_ms:.1f} ms long",
                hint="correct speech_end_ms, or leave it out to have it measured",
            )
        return samples, file_rate_hz


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The fixtures of one catalogue file, in its order."""

    path: Path  # absolute
    fixtures: Mapping[str, Fixture]

    def get(self, fixture_id: str) -> Fixture:
        """The fixture called `fixture_id`; BenchError names the catalogue and the nearest id."""
        try:
            return self.fixtures[fixture_id]
        except KeyError:
            raise BenchError(
                f"{self.path}: no fixture {fixture_id!r}{nearest(fixture_id, self.fixtures)}",
                hint=f"it holds {len(self.fixtures)} fixtures; `bench fixtures list` prints them",
            ) from None


def _one_line(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


def _digest(value: str) -> str:
    if re.fullmatch("[0-9a-fA-F]{64}", value) is None:
        raise refusal(f"found '{value}'; allowed: 64 hexadecimal digits")
    return value.lower()


def _recording(value: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {})["base"]
    file = (base / value.expanduser()).resolve()
    if not file.is_file():
        beside = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        raise refusal(f"no such audio file '{value}' (looked for {file}){nearest(file.name, beside)}")
    return file


def _language(value: str) -> str:
    try:
        language_of(value)
    except ValueError as error:
        raise refusal(f"{error}; allowed: {NAMES_ALLOWED}") from error
    return value


def _speaker(value: str) -> str:
    if value not in CALLERS:
        raise refusal(f"found '{value}'; allowed: {', '.join(CALLERS)}")
    return value


def _number(value: object) -> object:
    from bench.audio.channel_names import NAMES

    word = str(value).strip().lower()
    number = NAMES.get(word) or (int(word) if word.isdecimal() else 0)
    if number < 1:
        raise refusal(f"found '{value}'; allowed: left, right, or a number from 1")
    return number


Words = Annotated[str, BeforeValidator(_one_line), Field(min_length=1)]
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CatalogueEntry(Block):
    """One fixture as it is written in a catalogue; all but the first three keys may be left out."""

    id: Words = Field(description="Names the fixture in scenarios.", examples=["balance-anna"])
    file: Annotated[Path, AfterValidator(_recording)] = Field(
        description="A recording (WAV, FLAC or any that libsndfile reads), relative to the catalogue.",
        examples=["balance-anna.wav"],
    )
    text: Words = Field(description="The words that are said.")
    language: Annotated[Words, AfterValidator(_language)] = UNKNOWN
    accent: Words = UNKNOWN
    voice: Words = UNKNOWN
    caller: Annotated[Words, AfterValidator(_speaker)] = UNKNOWN
    duration_ms: Milliseconds | None = None
    speech_start_ms: Milliseconds | None = None
    speech_end_ms: Milliseconds | None = None
    sha256: Annotated[str, AfterValidator(_digest)] | None = None
    source: Words = UNKNOWN
    licence: Words = UNKNOWN
    annotated: Words = UNKNOWN
    channel: Annotated[int, BeforeValidator(_number)] | None = None

    def complaints(self) -> Iterator[Complaint]:
        """Times that contradict each other."""
        start, end, duration = self.speech_start_ms, self.speech_end_ms, self.duration_ms
        if start is not None and end is not None and start >= end:
            yield Complaint(("speech_end_ms",), f"{end:g} is not after speech_start_ms {start:g}")
        for key, value in (("speech_start_ms", start), ("speech_end_ms", end)):
            if value is not None and duration is not None and value > duration + ROUNDING_MS:
                yield Complaint((key,), f"{value:g} is after the end of the file (duration_ms {duration:g})")


KEYS = tuple(CatalogueEntry.model_fields)


class Listing(Block):
    """A catalogue as it is written."""

    fixtures: tuple[CatalogueEntry, ...] | None = Field(description="A list of fixtures.", examples=["- id: ..."])

    def complaints(self) -> Iterator[Complaint]:
        """Ids that are used twice."""
        seen: set[str] = set()
        for index, entry in enumerate(self.fixtures or ()):
            if entry.id in seen:
                yield Complaint(("fixtures", index, "id"), f"'{entry.id}' is already used; allowed: each id once")
            seen.add(entry.id)


def load_catalogue(path: Path) -> Catalogue:
    """Read and check a catalogue; ConfigError lists every fault with file, line and what is allowed."""
    path = Path(path).resolve()
    text = read_text(path, hint="check the path and its spelling")
    known = _READ.get(path)
    if known is None or known[0] != text or not all(each.file.is_file() for each in known[1].values()):
        return parse_catalogue(text, path)
    return Catalogue(path, dict(known[1]))


_READ: dict[Path, tuple[str, Mapping[str, Fixture]]] = {}
"""Catalogues that were read in this process, with their text: a run and its report read the same one several times.
Only those that say all of every recording, so that nothing of them was measured from files that may have changed."""


def parse_catalogue(text: str, path: Path) -> Catalogue:
    """As `load_catalogue`, for text that is not on disk yet; `path` says where its files are relative to."""
    document = read_yaml(text, name=str(path), words=True)
    listing = validated(document, Listing, needs="the key fixtures, a list", base=path.parent)
    fixtures: dict[str, Fixture] = {}
    for index, entry in enumerate((listing.fixtures or ()) if listing else ()):
        mark = document.mark_at(("fixtures", index))
        try:
            fixtures[entry.id] = _fixture(entry, mark.origin)
        except BenchError as error:
            document.problems.append(Problem(mark, ("fixtures", index), f"{error.message}; {error.hint}"))
    if document.problems:
        raise ConfigError(document.problems, name=str(path), hint=_HINT)
    if listing is not None and all(_is_whole(entry) for entry in listing.fixtures or ()):
        _READ[path] = (text, dict(fixtures))
    return Catalogue(path, fixtures)


def _is_whole(entry: CatalogueEntry) -> bool:
    """Whether nothing of it is measured."""
    return entry.sha256 is not None and all(getattr(entry, key) is not None for key in MEASURED_MS)


def _fixture(entry: CatalogueEntry, where: str) -> Fixture:
    """The fixture of an entry: the hash measured from the bytes and the times from the samples, where left out."""
    known = {key: getattr(entry, key) for key in KEYS}
    if not _is_whole(entry):
        known |= _measured(entry)
    return Fixture(**known, where=where)


def _measured(entry: CatalogueEntry) -> dict[str, str | float]:
    from bench.audio.annotate import speech_span
    from bench.audio.formats import to_pcm16
    from bench.audio.wav import decode_audio, read_bytes

    data = read_bytes(entry.file)
    digest = hashlib.sha256(data).hexdigest()
    if entry.sha256 not in {None, digest}:
        raise BenchError(
            f"{entry.file} has sha256 {digest[:12]}..., the catalogue says {str(entry.sha256)[:12]}...",
            hint="the file was changed: restore it, or correct the entry",
        )
    duration, start, end = entry.duration_ms, entry.speech_start_ms, entry.speech_end_ms
    if duration is None or start is None or end is None:
        samples, rate_hz = decode_audio(data, entry.file, entry.channel)
        duration = round(len(samples) * 1000 / rate_hz, 3) if duration is None else duration
        span = speech_span(to_pcm16(samples)[0], rate_hz) if start is None or end is None else None
        if span is not None:
            start = round(span.start_ms, 3) if start is None else start
            end = round(span.end_ms, 3) if end is None else end
    if start is None or end is None:
        raise BenchError(
            f"no speech found in {entry.file}",
            hint="listen to it; if it does hold speech, give speech_start_ms and speech_end_ms",
        )
    if start >= end:
        raise BenchError(
            f"speech_start_ms and speech_end_ms contradict each other ({start:g} and {end:g}, one of them measured)",
            hint="give both, or leave both out to have them measured",
        )
    return {"sha256": digest, "duration_ms": duration, "speech_start_ms": start, "speech_end_ms": end}
