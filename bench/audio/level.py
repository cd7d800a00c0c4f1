"""Short-time level of a signal, and the exact sample at which sound begins or ends.

In: mono samples as float (full scale = 1.0). Out: RMS values and sample indices.
Trap: the first or last *sample* over a threshold is often one stray noise sample; the level of a 1 ms stretch is
asked first, and only then the sample inside it, which bounds the error by 1 ms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import FULL_SCALE

SILENCE_DB = -120.0  # what digital silence is called in dBFS, so that levels stay finite


def to_float(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Samples with full scale at 1.0."""
    return pcm.astype(np.float64) / FULL_SCALE


def amplitude(dbfs: float) -> float:
    """Linear amplitude of a level in dBFS."""
    return float(10 ** (dbfs / 20))


def decibels(rms: NDArray[np.float64]) -> NDArray[np.float64]:
    """dBFS of linear RMS values, never below `SILENCE_DB`."""
    levels: NDArray[np.float64] = 20 * np.log10(np.maximum(rms, amplitude(SILENCE_DB)))
    return levels


def sliding_rms(samples: NDArray[np.float64], window: int, hop: int = 1) -> NDArray[np.float64]:
    """RMS of `samples[k*hop : k*hop + window]` for every k that fits; of the whole when it is shorter than a window."""
    if not len(samples):
        return np.zeros(0)
    window = min(window, len(samples))
    energy = np.concatenate(([0.0], np.cumsum(samples * samples)))
    starts = np.arange(0, len(samples) - window + 1, hop)
    # the running sum can leave a difference a hair below zero in digital silence
    rms: NDArray[np.float64] = np.sqrt(np.maximum(energy[starts + window] - energy[starts], 0.0) / window)
    return rms


def first_sound(samples: NDArray[np.float64], rate_hz: int, threshold: float) -> int | None:
    """Index of the first sample at or over `threshold` inside the first 1 ms whose RMS is over it; None if none is."""
    window = min(max(1, rate_hz // 1000), len(samples))
    loud = np.flatnonzero(sliding_rms(samples, window) >= threshold)
    if not len(loud):
        return None
    start = int(loud[0])
    over = np.flatnonzero(np.abs(samples[start : start + window]) >= threshold)
    return start + int(over[0]) if len(over) else start


def last_sound(samples: NDArray[np.float64], rate_hz: int, threshold: float) -> int | None:
    """Index of the last sample at or over `threshold` inside the last 1 ms whose RMS is over it; None if none is."""
    mirrored = first_sound(samples[::-1], rate_hz, threshold)
    return None if mirrored is None else len(samples) - 1 - mirrored
