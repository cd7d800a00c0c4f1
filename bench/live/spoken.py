"""What a person said into the browser, as a recording that a caller can speak.

In: samples, as the browser took them. Out: a `Fixture` with the end of speech that the detectors of the catalogue find,
and what makes it doubtful.
Trap: that end is zero of every latency of the turn. So a recording without speech is refused, and a doubt is told
beside the numbers, as it is for a recording of a catalogue.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.audio.catalogue import BY_LEVEL, UNKNOWN, Fixture
from bench.audio.end_range import SHARP_MS, EndRange
from bench.audio.evidence import judge
from bench.audio.wav import wav_bytes
from bench.errors import BenchError

RATE_HZ = 24_000
MOST_S = 30.0
LEAD_MS = 150
"""Kept before the speech: a person takes a moment from the button to the first word."""
TAIL_MS = 400
"""Silence that follows the speech at least: the line stays open, but a recording ends in silence too."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording that is ready to be spoken, and what is known of its end of speech."""

    fixture: Fixture
    doubts: tuple[str, ...]
    sharpness: str
    """How sharp the end is, in words; a note, not a doubt."""


def spoken(body: bytes, name: str, folder: Path, language: str = "en") -> Spoken:
    """The recording in `body`: mono PCM16 (little endian) at 24 kHz, kept as a file in `folder`.

    Raises `BenchError` where nobody speaks in it, or it is no such audio.
    """
    if len(body) % 2 or not body:
        raise BenchError("the browser sent no audio", hint="allow the page to use the microphone, and speak again")
    pcm = np.frombuffer(body, dtype="<i2").astype(np.int16)
    if len(pcm) > MOST_S * RATE_HZ:
        raise BenchError(f"that was longer than {MOST_S:.0f} s", hint="say it in parts")
    judgement = judge(pcm, RATE_HZ, live=True)
    if judgement.level is None:
        raise BenchError("no speech was heard", hint="speak louder, or choose another microphone in the browser")
    first = max(0, round((judgement.level.start_ms - LEAD_MS) * RATE_HZ / 1000))
    last = round((judgement.level.end_ms + TAIL_MS) * RATE_HZ / 1000)
    pcm = _padded(pcm[first:last], last - first)
    data = wav_bytes(pcm, RATE_HZ)
    path = folder / f"{name}.wav"
    path.write_bytes(data)
    shift_ms = first * 1000 / RATE_HZ
    fixture = Fixture(
        id=name,
        file=path,
        text="",
        language=language,
        accent=UNKNOWN,
        voice="you",
        duration_ms=len(pcm) * 1000 / RATE_HZ,
        speech_start_ms=judgement.level.start_ms - shift_ms,
        speech_end_ms=judgement.level.end_ms - shift_ms,
        sha256=hashlib.sha256(data).hexdigest(),
        source="microphone",
        licence=UNKNOWN,
        annotated=BY_LEVEL,
        where="microphone",
    )
    sharpness = "" if judgement.ends is None else _sharpness(judgement.ends, judgement.level.end_ms)
    return Spoken(fixture, (*judgement.refusals, *judgement.doubts), sharpness)


def _sharpness(ends: EndRange, end_ms: float) -> str:
    if ends.is_sharp(end_ms):
        return f"The end of your speech is sharp to {SHARP_MS:.0f} ms."
    return f"The end of your speech is not sharp: latencies of this turn may be {ends.off_by(end_ms)}."


def _padded(pcm: NDArray[np.int16], length: int) -> NDArray[np.int16]:
    return np.concatenate((pcm, np.zeros(max(0, length - len(pcm)), np.int16)))
