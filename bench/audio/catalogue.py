"""The fixture catalogue: which recordings exist, what is said in them, and where speech begins and ends.

In: a `catalogue.yaml` (ours or a user's own). Out: a `Catalogue` of frozen `Fixture`s; what an entry leaves out is
measured from its audio or is "unknown". Fully annotated entries are not opened until their audio is asked for.
Trap: scalars are read as the words they are written in, so `text: yes` is the word "yes" and not a truth value.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from bench.audio.annotate import SpeechSpan, speech_span
from bench.audio.formats import resample_float, to_pcm16
from bench.audio.wav import decode_audio, read_bytes
from bench.errors import BenchError

UNKNOWN = "unknown"
REQUIRED = ("id", "file", "text")
DESCRIBED = ("language", "accent", "voice", "source", "licence")
MEASURED_MS = ("duration_ms", "speech_start_ms", "speech_end_ms")
KEYS = (*REQUIRED, "language", "accent", "voice", *MEASURED_MS, "sha256", "source", "licence")
ROUNDING_MS = 1.0  # an annotation may be rounded to a whole millisecond

_SHA256 = re.compile("[0-9a-fA-F]{64}")


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
    where: str = ""  # "catalogue.yaml:12", for messages

    def load_pcm(self, rate_hz: int) -> NDArray[np.int16]:
        """The recording as mono samples at `rate_hz`; BenchError when the file is not the one that was annotated."""
        data = read_bytes(self.file)
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise BenchError(
                f"{self._place}: fixture {self.id!r}: {self.file} has sha256 {found[:12]}..., "
                f"the catalogue says {self.sha256[:12]}...",
                hint="the file was changed after it was annotated: restore it, or annotate it again",
            )
        samples, file_rate_hz = decode_audio(data, self.file)
        length_ms = len(samples) * 1000 / file_rate_hz
        if self.speech_end_ms > length_ms + ROUNDING_MS:
            raise BenchError(
                f"{self._place}: fixture {self.id!r}: speech_end_ms is {self.speech_end_ms:g}, "
                f"but {self.file} is only {length_ms:.1f} ms long",
                hint="correct speech_end_ms, or leave it out to have it measured",
            )
        return to_pcm16(resample_float(samples, file_rate_hz, rate_hz))[0]

    @property
    def _place(self) -> str:
        return self.where or "catalogue"


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
                f"{self.path}: no fixture {fixture_id!r}{_nearest(fixture_id, self.fixtures)}",
                hint=f"it holds {len(self.fixtures)} fixtures; `bench fixtures list` prints them",
            ) from None


def load_catalogue(path: Path) -> Catalogue:
    """Read and check a catalogue; every fault is a BenchError with file, line and what is allowed."""
    path = Path(path).resolve()
    return parse_catalogue(read_text(path), path)


def parse_catalogue(text: str, path: Path) -> Catalogue:
    """As `load_catalogue`, for text that is not on disk yet; `path` says where its files are relative to."""
    fixtures: dict[str, Fixture] = {}
    listed = entries_node(compose(text, path), path)
    for node in [] if listed is None else listed.value:
        fixture = _fixture(node, path)
        if fixture.id in fixtures:
            raise BenchError(
                f"{fixture.where}: fixture id {fixture.id!r} is already used at {fixtures[fixture.id].where}",
                hint="ids are unique within a catalogue: rename one",
            )
        fixtures[fixture.id] = fixture
    return Catalogue(path, fixtures)


def read_text(path: Path) -> str:
    """The catalogue's text with its own line ends; BenchError when it cannot be read."""
    try:
        # utf-8-sig: files written by spreadsheet programs begin with a byte-order mark
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise BenchError(f"{path}: no such catalogue", hint="check the path and its spelling") from None
    except OSError as error:
        raise BenchError(f"{path}: cannot be read ({error.strerror})", hint="name a catalogue you may read") from error
    except UnicodeDecodeError as error:
        raise BenchError(f"{path}: not UTF-8 text (byte {error.start})", hint="save it as UTF-8") from error


def compose(text: str, path: Path) -> yaml.Node | None:
    """The YAML nodes of a catalogue's text, with their lines; None when there are none."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark, offset = getattr(error, "problem_mark", None), getattr(error, "position", None)
        # a character that YAML forbids has no mark and is reported by its byte
        line = mark.line + 1 if mark is not None else text.encode()[: offset or 0].count(b"\n") + 1
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise BenchError(
            f"{path}:{line}: not valid YAML ({problem})", hint="check indentation, colons and quotes in this line"
        ) from error
    return node


def entries_node(root: yaml.Node | None, path: Path) -> yaml.SequenceNode | None:
    """The list under `fixtures:`; None when it is written but empty (`fixtures:`)."""
    if not isinstance(root, yaml.MappingNode):
        raise BenchError(
            f"{path}:1: a catalogue is a mapping with the key 'fixtures', found {_kind(root)}",
            hint="begin the file with a line `fixtures:`",
        )
    found = _mapping(root, path, ("fixtures",), "the catalogue")
    if "fixtures" not in found:
        raise BenchError(f"{path}:1: the key 'fixtures' is missing", hint="begin the file with a line `fixtures:`")
    node = found["fixtures"]
    if isinstance(node, yaml.SequenceNode):
        return node
    if _is_null(node):
        return None
    raise BenchError(
        f"{path}:{_line(node)}: 'fixtures' must be a list of mappings, found {_kind(node)}",
        hint="each entry begins with `- id: ...`",
    )


def _fixture(node: yaml.Node, path: Path) -> Fixture:
    """One entry, checked, and measured where it leaves something out."""
    where = f"{path}:{_line(node)}"
    if not isinstance(node, yaml.MappingNode):
        raise BenchError(
            f"{where}: a fixture is a mapping with id, file and text, found {_kind(node)}",
            hint="write `- id: ...`, then `file: ...` and `text: ...` indented below it",
        )
    found = _mapping(node, path, KEYS, "a fixture")
    for key in REQUIRED:
        if key not in found:
            raise BenchError(f"{where}: this fixture has no {key!r}", hint=f"required are {', '.join(REQUIRED)}")
    words = {key: _words(found[key], key, path) for key in (*REQUIRED, *DESCRIBED, "sha256") if key in found}
    stated = {key: _milliseconds(found[key], key, path) for key in MEASURED_MS if key in found}
    if "sha256" in words and not _SHA256.fullmatch(words["sha256"]):
        raise BenchError(
            f"{path}:{_line(found['sha256'])}: sha256 must be 64 hexadecimal digits, found {words['sha256']!r}",
            hint="leave the key out to have it measured",
        )
    _check_times(stated, found, path)
    file = _file(words["file"], path, _line(found["file"]))
    digest, times = _measure(file, words.get("sha256"), stated, where)
    return Fixture(
        id=words["id"],
        file=file,
        text=words["text"],
        language=words.get("language", UNKNOWN),
        accent=words.get("accent", UNKNOWN),
        voice=words.get("voice", UNKNOWN),
        duration_ms=times["duration_ms"],
        speech_start_ms=times["speech_start_ms"],
        speech_end_ms=times["speech_end_ms"],
        sha256=digest,
        source=words.get("source", UNKNOWN),
        licence=words.get("licence", UNKNOWN),
        where=where,
    )


def _file(name: str, path: Path, line: int) -> Path:
    file = (path.parent / Path(name).expanduser()).resolve()
    if not file.is_file():
        siblings = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        raise BenchError(
            f"{path}:{line}: no such audio file {name!r} (looked for {file}){_nearest(file.name, siblings)}",
            hint="`file` is relative to the folder of the catalogue",
        )
    return file


def _check_times(times: Mapping[str, float], found: Mapping[str, yaml.Node], path: Path) -> None:
    start, end, duration = (times.get(key) for key in ("speech_start_ms", "speech_end_ms", "duration_ms"))
    if start is not None and end is not None and start >= end:
        raise BenchError(
            f"{path}:{_line(found['speech_end_ms'])}: speech_end_ms {end:g} is not after speech_start_ms {start:g}",
            hint="correct them, or leave both out to have them measured",
        )
    for key, value in (("speech_start_ms", start), ("speech_end_ms", end)):
        if value is not None and duration is not None and value > duration + ROUNDING_MS:
            raise BenchError(
                f"{path}:{_line(found[key])}: {key} {value:g} is after the end of the file (duration_ms {duration:g})",
                hint="times are milliseconds from the first sample; leave them out to have them measured",
            )


def _measure(file: Path, digest: str | None, times: Mapping[str, float], where: str) -> tuple[str, dict[str, float]]:
    """Fill in what the entry left out: the hash from the bytes, the times from the samples."""
    known = dict(times)
    if digest is not None and all(key in known for key in MEASURED_MS):
        return digest.lower(), known
    data = read_bytes(file)
    measured = hashlib.sha256(data).hexdigest()
    if digest is not None and digest.lower() != measured:
        raise BenchError(
            f"{where}: {file} has sha256 {measured[:12]}..., the catalogue says {digest[:12]}...",
            hint="the file was changed: restore it, or correct the entry",
        )
    if any(key not in known for key in MEASURED_MS):
        samples, rate_hz = decode_audio(data, file)
        known.setdefault("duration_ms", round(len(samples) * 1000 / rate_hz, 3))
        if "speech_start_ms" not in known or "speech_end_ms" not in known:
            span = _span(to_pcm16(samples)[0], rate_hz, file, where)
            known.setdefault("speech_start_ms", span.start_ms)
            known.setdefault("speech_end_ms", span.end_ms)
    if known["speech_start_ms"] >= known["speech_end_ms"]:
        raise BenchError(
            f"{where}: speech_start_ms and speech_end_ms contradict each other "
            f"({known['speech_start_ms']:g} and {known['speech_end_ms']:g}, one of them measured)",
            hint="give both, or leave both out to have them measured",
        )
    return measured, known


def _span(pcm: NDArray[np.int16], rate_hz: int, file: Path, where: str) -> SpeechSpan:
    span = speech_span(pcm, rate_hz)
    if span is None:
        raise BenchError(
            f"{where}: no speech found in {file}",
            hint="listen to it; if it does hold speech, give speech_start_ms and speech_end_ms in the catalogue",
        )
    return SpeechSpan(round(span.start_ms, 3), round(span.end_ms, 3))


def _mapping(node: yaml.MappingNode, path: Path, allowed: tuple[str, ...], what: str) -> dict[str, yaml.Node]:
    """The values by key; unknown and repeated keys are errors (YAML itself would let the last one win)."""
    found: dict[str, yaml.Node] = {}
    for key_node, value in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else _kind(key_node)
        if key not in allowed:
            raise BenchError(
                f"{path}:{_line(key_node)}: unknown key {key!r} in {what}{_nearest(key, allowed)}",
                hint=f"allowed: {', '.join(allowed)}",
            )
        if key in found:
            raise BenchError(
                f"{path}:{_line(key_node)}: the key {key!r} is given twice (first in line {_line(found[key])})",
                hint="remove one",
            )
        found[key] = value
    return found


def _words(node: yaml.Node, key: str, path: Path) -> str:
    if not isinstance(node, yaml.ScalarNode) or _is_null(node) or not node.value.strip():
        raise BenchError(f"{path}:{_line(node)}: {key!r} must be words, found {_kind(node)}", hint=f"write {key}: ...")
    return " ".join(str(node.value).split())


def _milliseconds(node: yaml.Node, key: str, path: Path) -> float:
    try:
        value = float(node.value) if isinstance(node, yaml.ScalarNode) else math.nan
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        found = repr(node.value) if isinstance(node, yaml.ScalarNode) else _kind(node)
        raise BenchError(
            f"{path}:{_line(node)}: {key!r} must be a number of milliseconds, 0 or more, found {found}",
            hint="write a bare number such as 2310.5, or leave the key out to have it measured",
        )
    return value


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _kind(node: yaml.Node | None) -> str:
    if node is None or _is_null(node) or (isinstance(node, yaml.ScalarNode) and not node.value.strip()):
        return "nothing"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else repr(node.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _nearest(word: str, allowed: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(allowed), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
