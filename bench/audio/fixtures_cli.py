"""The commands `bench fixtures list|check|add|show`: list a catalogue, verify it, add a recording, draw one.

In: a catalogue path, a recording. Out: rows, check results, the new fixture; nothing is printed here.
Trap: `add` edits a file that a person wrote. It only appends, so that comments and layout are kept, and reads the
result back before it replaces the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile
import yaml

from bench.audio.annotate import SpeechSpan
from bench.audio.catalogue import (
    BY_HAND,
    BY_LEVEL,
    CALLERS,
    KEYS,
    MEASURED_MS,
    ROUNDING_MS,
    UNKNOWN,
    Catalogue,
    Fixture,
    load_catalogue,
    parse_catalogue,
    shipped_catalogue,
)
from bench.audio.channels import channel_number
from bench.audio.evidence import Judgement, judge
from bench.audio.few_bits import few_bits
from bench.audio.formats import AudioFormat, resample_float, to_pcm16
from bench.audio.languages import NAMES_ALLOWED, language_of
from bench.audio.wav import decode_audio, read_bytes, wav_bytes
from bench.config.problems import read_text
from bench.errors import BenchError

FIXTURE_RATE_HZ = AudioFormat.PCM16.rate_hz
HOUSE_MS = (
    15.0  # the shipped annotations were made before rumble was taken out of the levels, which moves some a little
)
HAND_MS = 50.0  # a person marks the end of speech to within some tens of milliseconds

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found wrong with one fixture, and what each detector heard."""

    fixture_id: str
    problems: tuple[str, ...]
    energy: SpeechSpan | None
    vad: SpeechSpan | None
    end: str  # where speech ends and how sharp that is, in words
    agreement_ms: float | None  # |end by energy - end by model|; None when either heard nothing

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Added:
    """The new fixture, what was heard in it, and why its end of speech may be wrong."""

    fixture: Fixture
    judgement: Judgement
    warnings: tuple[str, ...]


def list_fixtures(catalogue: Catalogue) -> list[dict[str, str]]:
    """One row of texts per fixture, in the catalogue's order."""
    return [
        {
            "id": fixture.id,
            "accent": fixture.accent,
            "voice": fixture.voice,
            "caller": fixture.caller,
            "speech_s": f"{(fixture.speech_end_ms - fixture.speech_start_ms) / 1000:.2f}",
            "text": fixture.text,
        }
        for fixture in catalogue.fixtures.values()
    ]


def check_catalogue(path: Path, *, house_format: bool | None = None) -> list[CheckResult]:
    """Verify every fixture: hash, format, duration, and the annotation against two independent detectors.

    `house_format` demands 24 kHz mono PCM16 WAV and an annotation that is the energy detector's to the millisecond;
    by default only of the catalogue that ships with the project: a user's own may be any recording. Of a fixture that
    is annotated by hand, the end is the person's to know. A catalogue that cannot be read at all raises BenchError.
    """
    catalogue = load_catalogue(path)
    if not catalogue.fixtures:
        raise BenchError(
            f"{catalogue.path}: fixtures: holds no fixture, so there is nothing to check",
            hint=f"add one: bench fixtures add FILE --text WORDS --catalogue {path}",
        )
    demand = catalogue.path == shipped_catalogue() if house_format is None else house_format
    return [_check(fixture, demand) for fixture in catalogue.fixtures.values()]


def add_recording(
    wav: Path,
    text: str,
    *,
    catalogue: Path,
    id: str | None = None,
    accent: str | None = None,
    voice: str | None = None,
    language: str | None = None,
    source: str | None = None,
    licence: str | None = None,
    caller: str = UNKNOWN,
    channel: str | None = None,
    speech_start: str | None = None,
    speech_end: str | None = None,
) -> Added:
    """Copy a recording beside `catalogue` as 24 kHz mono PCM16, annotate it, and append it to the catalogue.

    `channel` is "left", "right" or a number. `speech_end` ("2521ms") says by hand where speech ends; without it, a
    recording whose end cannot be told is refused, and one whose end is doubtful is added with warnings.

    The catalogue is created if it does not exist. A recording that would clip when resampled is scaled down,
    and the fixture's `source` says by how much.
    """
    wav, catalogue = Path(wav), Path(catalogue).resolve()
    fixture_id = _checked_id(id, wav)
    if not text.strip():
        raise BenchError("the text is empty", hint="give the words that are said: --text '...'")
    try:
        language_of(language or UNKNOWN)
    except ValueError as error:
        raise BenchError(f"--language: {error}", hint=f"allowed: {NAMES_ALLOWED}") from error
    if caller not in CALLERS:
        raise BenchError(f"--caller '{caller}'", hint=f"allowed: {', '.join(CALLERS)}")
    existing = load_catalogue(catalogue) if catalogue.exists() else Catalogue(catalogue, {})
    if fixture_id in existing.fixtures:
        taken = existing.fixtures[fixture_id]
        raise BenchError(
            f"{taken.where}: fixture id {fixture_id!r} is already used (for {taken.file.name})",
            hint="choose another with --id",
        )
    number = channel_number(channel) if channel is not None else None
    samples, rate_hz = decode_audio(read_bytes(wav), wav, number)
    pcm, gain_db = to_pcm16(resample_float(samples, rate_hz, FIXTURE_RATE_HZ))
    judgement = judge(pcm, FIXTURE_RATE_HZ, text, language or UNKNOWN)
    if judgement.loudest_db is not None and not any("bits a sample" in doubt for doubt in judgement.doubts):
        own = few_bits(to_pcm16(samples)[0], judgement.loudest_db)  # resampling has hidden the steps
        judgement = replace(judgement, findings=(*judgement.findings, *own))
    span = _marked(judgement, wav, _by_hand("--speech-start", speech_start), _by_hand("--speech-end", speech_end))
    data = wav_bytes(pcm, FIXTURE_RATE_HZ)
    provenance = (source or wav.name) + (f" (scaled by {gain_db:.2f} dB to avoid clipping)" if gain_db else "")
    fixture = Fixture(
        id=fixture_id,
        file=_free_place(catalogue.parent, fixture_id, data),
        text=_one_line(text),
        language=_one_line(language),
        accent=_one_line(accent),
        voice=_one_line(voice),
        duration_ms=round(len(pcm) * 1000 / FIXTURE_RATE_HZ, 3),
        speech_start_ms=round(span.start_ms, 3),
        speech_end_ms=round(span.end_ms, 3),
        sha256=hashlib.sha256(data).hexdigest(),
        source=_one_line(provenance),
        licence=_one_line(licence),
        caller=caller,
        annotated=BY_LEVEL if speech_end is None else BY_HAND,
    )
    _write_atomically(fixture.file, data)
    updated = _appended(catalogue, fixture)
    added = parse_catalogue(updated, catalogue).fixtures.get(fixture_id)
    if added is None or replace(added, where=fixture.where) != fixture:
        raise BenchError(
            f"{catalogue}: the new entry would not read back as written; the catalogue is unchanged",
            hint=f"{fixture.file} is in place: add its entry by hand",
        )
    _write_atomically(catalogue, updated.encode("utf-8"))
    return Added(added, judgement, () if speech_end is not None else judgement.doubts)


def show_fixture(catalogue: Path, fixture_id: str, out: Path) -> list[str]:
    """Draw one recording into `out`; lines that say what was heard in it."""
    from bench.audio.picture import picture

    fixture = load_catalogue(catalogue).get(fixture_id)
    pcm, rate_hz = fixture.load_own()
    judgement = judge(pcm, rate_hz, fixture.text, fixture.language)
    _write_atomically(out, picture(pcm, rate_hz, judgement, fixture))
    said = [_span_line("catalogue", SpeechSpan(fixture.speech_start_ms, fixture.speech_end_ms))]
    said[0] += f", {fixture.annotated}" if fixture.annotated != UNKNOWN else ""
    said += [_span_line("level", judgement.level), _span_line("voice detector", judgement.vad)]
    if judgement.last_word_ms is not None:
        said.append(f"{'last word':<15} {'':>12} {judgement.last_word_ms:9,.1f} ms, by the text, good to some 50 ms")
    said.append(end_sentence(fixture, judgement))
    return [*said, *(f"! {message}" for message in (*judgement.refusals, *judgement.doubts))]


def end_sentence(fixture: Fixture, judgement: Judgement) -> str:
    """Where speech ends and how sharp that is, in words; what a person gave has no range."""
    end_ms = fixture.speech_end_ms
    if fixture.annotated == BY_HAND:
        return f"speech ends at {end_ms:,.0f} ms, by hand"
    return f"speech ends at {end_ms:,.0f} ms" if judgement.ends is None else judgement.ends.sentence(end_ms)


def _span_line(name: str, span: SpeechSpan | None) -> str:
    heard = "no speech" if span is None else f"{span.start_ms:9,.1f} to {span.end_ms:9,.1f} ms"
    return f"{name:<15} {heard}"


def _by_hand(option: str, words: str | None) -> float | None:
    if words is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s)", words.strip())
    if found is None:
        raise BenchError(
            f"{option} {words!r}: allowed are milliseconds or seconds", hint=f"for example {option} 2521ms"
        )
    return float(found[1]) * (1000 if found[2] == "s" else 1)


def _marked(judgement: Judgement, wav: Path, start_ms: float | None, end_ms: float | None) -> SpeechSpan:
    """The span to write: what a person gave, else what was heard. BenchError when the end cannot be believed."""
    if end_ms is None and judgement.refusals:
        marks = "" if judgement.level is None else f"level says {judgement.level.end_ms:,.0f} ms"
        marks += "" if judgement.vad is None else f"{'; ' if marks else ''}voice says {judgement.vad.end_ms:,.0f} ms"
        raise BenchError(
            f"{wav}: where speech ends cannot be told: " + "; ".join((*judgement.refusals, *judgement.doubts)),
            hint="listen to it, cut off what is no speech, or say where speech ends: --speech-end 2521ms"
            + (f" ({marks})" if marks else ""),
        )
    heard = judgement.level
    start = start_ms if start_ms is not None else heard.start_ms if heard is not None else 0.0
    end = end_ms if end_ms is not None else heard.end_ms if heard is not None else 0.0
    if end > judgement.duration_ms + ROUNDING_MS or not 0 <= start < end:
        raise BenchError(
            f"{wav}: speech cannot last from {start:,.1f} to {end:,.1f} ms; the recording is "
            f"{judgement.duration_ms:,.1f} ms long",
            hint="give --speech-start and --speech-end within it, the end after the start",
        )
    return SpeechSpan(start, end)


def entry_text(fixture: Fixture, relative_to: Path, *, indent: int = 2) -> str:
    """The YAML of one entry, one key a line, `indent` spaces before its dash."""
    values = {key: getattr(fixture, key) for key in KEYS}
    for key in ("annotated", "caller"):
        if values[key] == UNKNOWN:
            del values[key]
    if fixture.channel is None:
        del values["channel"]
    values["file"] = Path(os.path.relpath(fixture.file, relative_to)).as_posix()
    lines = [f"{key}: {_scalar(key, value)}" for key, value in values.items()]
    pad = " " * indent
    return f"{pad}- {lines[0]}\n" + "".join(f"{pad}  {line}\n" for line in lines[1:])


def _scalar(key: str, value: object) -> str:
    if key in MEASURED_MS or key == "channel":
        return str(value).removesuffix(".0")
    word = str(value)
    # plain where YAML reads it back as the same words, quoted (JSON strings are YAML) everywhere else
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]*", word) and yaml.safe_load(word) == word
    if plain and key != "text":
        return word
    # YAML forbids control characters even within quotes, and JSON leaves DEL and its kind as they are
    quoted = json.dumps(word, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in quoted)


def _check(fixture: Fixture, house_format: bool) -> CheckResult:
    problems: list[str] = []
    try:
        data = read_bytes(fixture.file)
        samples, rate_hz = decode_audio(data, fixture.file, fixture.channel)
    except BenchError as error:
        return CheckResult(fixture.id, (error.message,), None, None, "", None)
    found = hashlib.sha256(data).hexdigest()
    if found != fixture.sha256:
        problems.append(f"sha256 is {found[:12]}..., the catalogue says {fixture.sha256[:12]}...")
    if house_format:
        problems += _format_problems(data)
    duration_ms = len(samples) * 1000 / rate_hz
    if abs(duration_ms - fixture.duration_ms) > ROUNDING_MS:
        problems.append(f"lasts {duration_ms:.1f} ms, the catalogue says {fixture.duration_ms:g}")
    pcm = to_pcm16(samples)[0]
    judgement = judge(pcm, rate_hz, fixture.text, fixture.language)
    energy, vad = judgement.level, judgement.vad
    by_hand = fixture.annotated == BY_HAND
    if energy is not None and not by_hand:
        for name, stated, heard in (
            ("speech_start_ms", fixture.speech_start_ms, energy.start_ms),
            ("speech_end_ms", fixture.speech_end_ms, energy.end_ms),
        ):
            if abs(stated - heard) > (HOUSE_MS if house_format else HAND_MS):
                problems.append(f"{name} is {heard:.1f} by energy, the catalogue says {stated:g}")
    if not by_hand:
        problems += [*judgement.refusals, *judgement.doubts]
    agreement_ms = None if energy is None or vad is None else abs(energy.end_ms - vad.end_ms)
    return CheckResult(fixture.id, tuple(problems), energy, vad, end_sentence(fixture, judgement), agreement_ms)


def _format_problems(data: bytes) -> list[str]:
    info = soundfile.info(io.BytesIO(data))
    found = f"{info.samplerate} Hz, {info.channels} channel(s), {info.subtype}, {info.format}"
    wanted = f"{FIXTURE_RATE_HZ} Hz, 1 channel(s), PCM_16, WAV"
    return [] if found == wanted else [f"is {found}; wanted {wanted}"]


def _checked_id(given: str | None, wav: Path) -> str:
    if given is not None:
        if not _ID.fullmatch(given):
            raise BenchError(
                f"fixture id {given!r}: allowed are letters, digits, '.', '_' and '-', a letter or digit first",
                hint="for example --id balance-anna",
            )
        return given
    plain = unicodedata.normalize("NFKD", wav.stem).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    if not slug:
        raise BenchError(f"no id can be made of the file name {wav.name!r}", hint="give one with --id")
    return slug


def _free_place(folder: Path, fixture_id: str, data: bytes) -> Path:
    """Where to put the copy: never over a file that holds something else."""
    for suffix in ("", "-24k", *(f"-24k-{number}" for number in range(2, 1000))):
        place = folder / f"{fixture_id}{suffix}.wav"
        if not place.exists() or (place.is_file() and place.read_bytes() == data):
            return place
    raise BenchError(f"{folder}: too many files called {fixture_id}-24k-*.wav", hint="choose another id with --id")


def _appended(catalogue: Path, fixture: Fixture) -> str:
    """The catalogue's text with one entry more."""
    folder = catalogue.parent
    if not catalogue.exists():
        return f"fixtures:\n{entry_text(fixture, folder)}"
    text = read_text(catalogue)
    root = yaml.compose(text)
    node = next(value for key, value in root.value if key.value == "fixtures") if root is not None else None
    if not isinstance(node, yaml.SequenceNode):  # `fixtures:` and nothing, or a null, after it
        head = re.sub(r"^(fixtures\s*:)[ \t]*(?:null|~)", r"\1", text, flags=re.MULTILINE)
        return _with_newline(head) + entry_text(fixture, folder)
    if not node.flow_style:
        return _with_newline(text) + entry_text(fixture, folder, indent=node.start_mark.column)
    if not node.value:  # `fixtures: []`
        before, after = text[: node.start_mark.index].rstrip(), text[node.end_mark.index :]
        return _with_newline(before + after.rstrip()) + entry_text(fixture, folder)
    raise BenchError(
        f"{catalogue}:{node.start_mark.line + 1}: entries in square brackets cannot be appended to",
        hint="write each entry on separate lines, beginning with `- id: ...`",
    )


def _one_line(words: str | None) -> str:
    return " ".join((words or "").split()) or UNKNOWN


def _with_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _write_atomically(path: Path, data: bytes) -> None:
    """Write beside, then rename: a reader sees the old file or the new one, never half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            # mkstemp makes files private; keep the mode of what is replaced
            os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise BenchError(f"{path}: cannot be written ({error.strerror})", hint="choose a writable folder") from error
