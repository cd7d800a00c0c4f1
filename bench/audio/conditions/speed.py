"""The caller speaks faster or slower: the recording is played at another speed, so the pitch changes with it.

Trap: the marks of speech move with the samples; zero of every latency is where speech ends in what was sent.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import soxr
from pydantic import Field

from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Sound


class Speed(ConditionKind):
    """Faster (above 1) or slower (below 1), pitch and all."""

    SHORT: ClassVar[str] = "factor"

    factor: Annotated[float, Field(ge=0.5, le=2.0)] = Field(
        description="1.1 is a tenth faster and a tenth higher.", examples=[1.1]
    )

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        if self.factor == 1.0 or not len(sound.samples):
            return sound
        made = soxr.resample(sound.samples, sound.rate_hz * self.factor, sound.rate_hz, quality="HQ")
        return Sound(
            np.asarray(made, dtype=np.float64),
            sound.rate_hz,
            sound.speech_start_ms / self.factor,
            sound.speech_end_ms / self.factor,
            sound.voice,
        )

    @property
    def label(self) -> str:
        return f"speed {self.factor:g}"
