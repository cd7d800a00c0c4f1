"""Recordings of few bits: 8-bit files, whose steps are as loud as a soft last sound.

In: samples. Out: a doubt in numbers, or nothing. Trap: resampling hides the steps but keeps the noise that they made,
so the samples of the file itself are asked. G.711 is finer than that: its steps are small where the voice is soft.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import FULL_SCALE
from bench.audio.look import Finding

COARSE = 64.0  # of 65,536: 10 bits
NEAR_STEP_DB = 45.0


def smallest_step(pcm: NDArray[np.int16]) -> float:
    """The smallest step between two values that a recording holds: more than 1 with fewer bits than 16."""
    held = np.flatnonzero(np.bincount(pcm.astype(np.int32) + 32768, minlength=65536))
    return float(np.diff(held).min()) if len(held) > 1 else 1.0


def few_bits(pcm: NDArray[np.int16], peak_db: float) -> list[Finding]:
    """Whether a step is near to soft speech; `peak_db` is the loudest speech in dBFS."""
    step = smallest_step(pcm)
    under = peak_db - float(20 * np.log10(step / FULL_SCALE))
    if step < COARSE or under >= NEAR_STEP_DB or len(np.unique(pcm[:100_000])) < 3:
        return []
    bits = 16 - round(float(np.log2(step)))
    said = (
        f"it has only {bits} bits a sample: one step is {under:.0f} dB under the loudest speech, so a soft ending is "
    )
    return [Finding("doubt", f"{said}lost in its steps, or made longer by them")]
