"""The caller is near or far, or the microphone is set too high. Over full scale is cut, as a converter does."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Sound
from bench.audio.conditions.units import Decibels, show_db, within


class Gain(ConditionKind):
    """Louder or softer by so many dB."""

    SHORT: ClassVar[str] = "by"

    by: Annotated[Decibels, AfterValidator(within(-80, 60, "dB"))] = Field(
        description="How much louder (+) or softer (-); what goes over full scale is cut.", examples=["-12dB"]
    )

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        return sound.with_samples(np.clip(sound.samples * 10 ** (self.by / 20), -1.0, 1.0))

    @property
    def label(self) -> str:
        return f"gain {show_db(self.by)}"
