"""A recording while conditions work on it, and how loud its speech is.

In: mono samples, full scale 1.0. Out: levels as mean power of the speech. Trap: a level is measured over speech, not
over the silence around it or between words, or a recording with long pauses would get less noise than it should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

BLOCK_MS = 20.0
BELOW_LOUDEST_DB = 40.0
"""A block of speech this far below the loudest one is a pause."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples at `rate_hz` and where the caller speaks in them, in milliseconds from the first sample."""

    samples: Samples
    rate_hz: int
    speech_start_ms: float
    speech_end_ms: float
    voice: str = ""
    """Whose voice it is, so that a babble may leave it out."""

    @property
    def speech(self) -> slice:
        """The annotated stretch of speech, in samples."""
        start, end = (round(ms * self.rate_hz / 1000) for ms in (self.speech_start_ms, self.speech_end_ms))
        return slice(max(0, start), max(start + 1, end))

    def with_samples(self, samples: Samples) -> Sound:
        """The same with other samples."""
        return Sound(samples, self.rate_hz, self.speech_start_ms, self.speech_end_ms, self.voice)


def mean_power(samples: Samples) -> float:
    """The mean of the squares; 0 without samples."""
    return float(np.mean(np.square(samples))) if len(samples) else 0.0


def speech_power(sound: Sound) -> float:
    """Mean power of the blocks of 20 ms inside the annotated speech that are within 40 dB of the loudest one."""
    spoken = sound.samples[sound.speech]
    size = max(1, round(sound.rate_hz * BLOCK_MS / 1000))
    whole = len(spoken) // size * size
    if not whole:
        return mean_power(spoken)
    powers = np.mean(np.square(spoken[:whole].reshape(-1, size)), axis=1)
    loudest = float(powers.max())
    return float(powers[powers >= loudest * 10 ** (-BELOW_LOUDEST_DB / 10)].mean()) if loudest > 0 else 0.0
