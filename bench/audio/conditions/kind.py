"""What every kind of condition is: a block of a scenario that changes a sound."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from bench.audio.conditions.sound import Sound
from bench.config.block import Block


class ConditionKind(Block):
    """One thing that happens to the sound."""

    SHORT: ClassVar[str]
    """The field that a value alone stands for: `gain: -6dB` is `gain: {by: -6dB}`. A YAML name."""

    @abstractmethod
    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        """The sound after it; every random choice is drawn from `random`."""

    @property
    @abstractmethod
    def label(self) -> str:
        """A few words for tables, such as `white 10dB`."""
