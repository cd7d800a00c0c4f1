"""A room: the direct sound, then a tail that decays by 60 dB in `rt60`.

The tail is exponentially decaying noise (Polack's model of diffuse reverberation), set below the direct sound by
`direct_to_reverb`. Trap: the direct sound stays where it was. The end of speech is where the caller stops, not where
the room falls silent, so a server that waits for silence ends the turn later; that is the room's effect.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Sound
from bench.audio.conditions.units import Decibels, show_db, within
from bench.config.block import LongerMs, refusal
from bench.config.units import format_duration

FIRST_REFLECTION_MS = 2.0
LONGEST_MS = 5_000
DECAY_PER_RT60 = 6.907755
"""Natural logarithm of 1,000: 60 dB in amplitude."""


def _rt60(value: int) -> int:
    if value > LONGEST_MS:
        raise refusal(f"found {format_duration(value)}; allowed: up to {format_duration(LONGEST_MS)}")
    return value


class Reverb(ConditionKind):
    """A room around the caller."""

    SHORT: ClassVar[str] = "rt60"

    rt60_ms: Annotated[LongerMs, AfterValidator(_rt60)] = Field(
        alias="rt60", description="Time in which the tail decays by 60 dB.", examples=["400ms"]
    )
    direct_to_reverb: Annotated[Decibels, AfterValidator(within(-20, 40, "dB"))] = Field(
        default=5.0,
        description="Energy of the direct sound over that of the tail.",
        examples=["5dB"],
        json_schema_extra={"default": "5dB"},
    )

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        count = round(self.rt60_ms * sound.rate_hz / 1000)
        first = round(FIRST_REFLECTION_MS * sound.rate_hz / 1000)
        if count <= first or not len(sound.samples):
            return sound
        tail = random.standard_normal(count) * np.exp(-DECAY_PER_RT60 * np.arange(count) / count)
        tail[:first] = 0.0
        tail *= 10 ** (-self.direct_to_reverb / 20) / np.sqrt(float(np.sum(np.square(tail))))
        tail[0] = 1.0
        size = len(sound.samples) + count - 1
        made = np.fft.irfft(np.fft.rfft(sound.samples, size) * np.fft.rfft(tail, size), size)
        return sound.with_samples(made)

    @property
    def label(self) -> str:
        return f"reverb {format_duration(self.rt60_ms)} {show_db(self.direct_to_reverb)}"
