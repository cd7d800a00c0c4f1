"""An overdriven microphone: what is louder than a bound is cut off. The bound counts from the recording's own peak."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Sound
from bench.audio.conditions.units import Decibels, show_db, within


class Clip(ConditionKind):
    """Peaks are cut off."""

    SHORT: ClassVar[str] = "below_peak"

    below_peak: Annotated[Decibels, AfterValidator(within(0, 60, "dB"))] = Field(
        description="How far below the loudest sample the cut is.", examples=["12dB"]
    )

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        bound = float(np.max(np.abs(sound.samples), initial=0.0)) * 10 ** (-self.below_peak / 20)
        return sound.with_samples(np.clip(sound.samples, -bound, bound))

    @property
    def label(self) -> str:
        return f"clip {show_db(self.below_peak)}"
