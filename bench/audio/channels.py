"""Which channel of a recording is the utterance: the only one with sound, either of two equal ones, or the named one.

In: samples by channel. Out: one channel. Trap: a telephone recording has the agent on one side and the caller on the
other; their average is an utterance of two people, and its end is the end of whoever spoke last.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import QUIETEST_PEAK_DB, SpeechSpan, speech_span
from bench.audio.channel_names import NAMES
from bench.audio.formats import to_pcm16
from bench.audio.level import decibels, sliding_rms
from bench.errors import BenchError

ALIKE = 0.97  # correlation from which two channels are one signal; a pair of room microphones is below it
CROSSTALK_DB = 50.0  # what lies this far under the loudest channel is no speaker of its own


def channel_number(word: str) -> int:
    """The number, from 1, that `left`, `right` or a number means. Raises `BenchError` for another word."""
    number = NAMES.get(word.strip().lower()) or (int(word) if word.strip().isdecimal() else 0)
    if number < 1:
        raise BenchError(f"channel {word!r}: allowed are left, right, or a number from 1", hint="--channel left")
    return number


def one_channel(
    samples: NDArray[np.float32], rate_hz: int, path: Path, channel: int | None = None
) -> NDArray[np.float32]:
    """The channel to use of `samples` (frames x channels); BenchError when a person must choose."""
    count = samples.shape[1]
    if channel is not None:
        if channel > count:
            raise BenchError(f"{path}: has no channel {channel}; it has {count}", hint="give a channel that it has")
        return samples[:, channel - 1]
    if count == 1:
        return samples[:, 0]
    peaks = [_peak_db(samples[:, at], rate_hz) for at in range(count)]
    loudest = int(np.argmax(peaks))
    sounding = [at for at, db in enumerate(peaks) if db >= max(QUIETEST_PEAK_DB, peaks[loudest] - CROSSTALK_DB)]
    if all(_alike(samples[:, at], samples[:, loudest]) for at in sounding if at != loudest):
        return samples[:, loudest]
    heard = "; ".join(f"{_name(at, count)}: {_words(samples[:, at], rate_hz, peaks[at])}" for at in range(count))
    raise BenchError(
        f"{path}: its {count} channels differ, so they may be different speakers ({heard})",
        hint="say which one is the caller: --channel left, --channel right or --channel N with `bench fixtures add`, "
        "or `channel: N` in the catalogue",
    )


def _peak_db(samples: NDArray[np.float32], rate_hz: int) -> float:
    centred = samples.astype(np.float64) - float(np.mean(samples, dtype=np.float64))
    levels = decibels(sliding_rms(centred, max(1, rate_hz * 30 // 1000), max(1, rate_hz // 100)))
    return float(levels.max(initial=-120.0))


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    if np.array_equal(one, other):
        return True
    a = one.astype(np.float64) - float(np.mean(one, dtype=np.float64))
    b = other.astype(np.float64) - float(np.mean(other, dtype=np.float64))
    power = float(np.sqrt(np.dot(a, a) * np.dot(b, b)))
    return power > 0 and abs(float(np.dot(a, b))) / power >= ALIKE


def _name(at: int, count: int) -> str:
    return ("left", "right")[at] if count == 2 else f"channel {at + 1}"


def _words(samples: NDArray[np.float32], rate_hz: int, peak_db: float) -> str:
    span: SpeechSpan | None = speech_span(to_pcm16(samples.astype(np.float64))[0], rate_hz)
    if span is None:
        return "no speech"
    return f"sound from {span.start_ms:,.0f} to {span.end_ms:,.0f} ms, loudest {peak_db:.0f} dBFS"
