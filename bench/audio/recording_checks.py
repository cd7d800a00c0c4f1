"""The doubts about the recordings of a run and how sharp their ends are, each file judged once.

In: fixtures. Out: for each, sentences in numbers, none for a recording that can be trusted, and the times between which
its speech may end, which is a note. Trap: the cache is a convenience. One that cannot be read or written costs time
and nothing else, and nothing is written beside a catalogue.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from bench.audio.catalogue import BY_HAND, Fixture
from bench.audio.end_range import EndRange, range_of
from bench.errors import BenchError

PICTURES = "recordings"
"""The folder within a run's folder that holds the pictures."""
MOST_PICTURES = 8
BESIDE_SOUND_MS = 300.0
MARK_MS = 30.0  # an annotation this far from what is heard is no longer the same zero


@dataclass(frozen=True, slots=True)
class RecordingCheck:
    """What is known of the end of speech of one recording."""

    doubts: list[str]
    """Why it may be wrong."""
    ends: EndRange | None
    """Between which times it may lie by the sound itself; None where a person gave it, and where no speech is heard."""


def check_recordings(fixtures: Iterable[Fixture]) -> dict[str, RecordingCheck]:
    """What is known of the end of each recording, by id. Raises `BenchError` for a file that cannot be read."""
    return {fixture.id: check_recording(fixture) for fixture in fixtures}


def recording_doubts(fixtures: Iterable[Fixture]) -> dict[str, list[str]]:
    """By id, why the end of speech of a recording may be wrong. Raises `BenchError` for a file that cannot be read."""
    return {name: check.doubts for name, check in check_recordings(fixtures).items() if check.doubts}


def check_recording(fixture: Fixture) -> RecordingCheck:
    """What is known of the end of one recording."""
    judged = _judged(fixture)
    ends = None if fixture.annotated == BY_HAND else range_of(judged["earliest_ms"], judged["latest_ms"])
    return RecordingCheck(_doubts(fixture, judged), ends)


def _doubts(fixture: Fixture, judged: _Judged) -> list[str]:
    heard = [end for end in (judged["level_end_ms"], judged["vad_end_ms"]) if end is not None]
    if fixture.annotated == BY_HAND:
        after_ms = fixture.speech_end_ms - max(heard, default=fixture.speech_end_ms)
        if after_ms > BESIDE_SOUND_MS:
            return [f"its end by hand, {fixture.speech_end_ms:,.0f} ms, is {after_ms:,.0f} ms after the last sound"]
        return []
    doubts = list(judged["doubts"])
    level = judged["level_end_ms"]
    if level is not None and abs(level - fixture.speech_end_ms) > MARK_MS:
        apart = abs(level - fixture.speech_end_ms)
        doubts.insert(
            0,
            f"the catalogue says that speech ends at {fixture.speech_end_ms:,.0f} ms, level says {level:,.0f} ms "
            f"({apart:,.0f} ms apart); if a person set it, write `annotated: by hand`",
        )
    return doubts


def draw_recordings(folder: Path, fixtures: Mapping[str, Fixture], doubts: Mapping[str, list[str]]) -> None:
    """A small picture of each recording of a run, doubtful ones first, `MOST_PICTURES` at most.

    A picture is for a person's eye: one that cannot be drawn or written is left out.
    """
    from bench.audio.picture import picture_of

    chosen = sorted(fixtures, key=lambda name: name not in doubts)[:MOST_PICTURES]
    for name in chosen:
        place = cache_folder() / f"{fixtures[name].sha256}-{_mark(fixtures[name])}.png"
        with contextlib.suppress(OSError, BenchError):
            png = place.read_bytes() if place.is_file() else picture_of(fixtures[name], small=True)
            _keep(place, png)
            (folder / PICTURES).mkdir(exist_ok=True)
            (folder / PICTURES / f"{_file_name(name)}.png").write_bytes(png)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)[:100]


def _mark(fixture: Fixture) -> str:
    from bench.audio.evidence import VERSION

    times = f"{fixture.speech_start_ms:g}-{fixture.speech_end_ms:g}"
    return f"{VERSION}-{fixture.channel}-{times}-{fixture.annotated.replace(' ', '-')}"


def _keep(place: Path, data: bytes) -> None:
    """Write into the cache in one step; a cache that cannot be written is no error."""
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=place.parent, delete=False) as stream:
            stream.write(data)
        os.replace(stream.name, place)


def cache_folder() -> Path:
    """Where judgements are kept, by content of the recording."""
    base = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):  # no home folder
        return (Path(base) if base else Path.home() / ".cache") / "realtime-voice-bench" / "recordings"
    return Path(tempfile.gettempdir()) / "realtime-voice-bench" / "recordings"


class _Judged(TypedDict):
    level_end_ms: float | None
    earliest_ms: float | None
    latest_ms: float | None
    vad_end_ms: float | None
    doubts: list[str]


def _judged(fixture: Fixture) -> _Judged:
    from bench.audio.evidence import VERSION

    parts = (str(VERSION), fixture.sha256, str(fixture.channel), fixture.text, fixture.language)
    place = cache_folder() / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(place.read_text(encoding="utf-8"))
        return {
            "level_end_ms": kept["level_end_ms"],
            "earliest_ms": kept["earliest_ms"],
            "latest_ms": kept["latest_ms"],
            "vad_end_ms": kept["vad_end_ms"],
            "doubts": list(kept["doubts"]),
        }
    judged = _judge(fixture)
    _keep(place, json.dumps(judged).encode())
    return judged


def _judge(fixture: Fixture) -> _Judged:
    from bench.audio.evidence import judge

    pcm, rate_hz = fixture.load_own()
    judgement = judge(pcm, rate_hz, fixture.text, fixture.language)
    return {
        "level_end_ms": judgement.level.end_ms if judgement.level else None,
        "earliest_ms": judgement.ends.earliest_ms if judgement.ends else None,
        "latest_ms": judgement.ends.latest_ms if judgement.ends else None,
        "vad_end_ms": judgement.vad.end_ms if judgement.vad else None,
        "doubts": [*judgement.refusals, *judgement.doubts],
    }
