"""The caller is silent; the microphone stays open."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from bench.audio.catalogue import Fixture
from bench.scenario.steps import Pause
from bench.session.call import Call


@dataclass(frozen=True, slots=True)
class PauseStep:
    """Silence of `pause_ns`."""

    pause_ns: int
    turns: int = 0

    @classmethod
    def of(cls, place: int, block: Pause, fixtures: Mapping[str, Fixture], draw: random.Random) -> PauseStep:
        return cls(block.pause_ms * 1_000_000)

    def play(self, call: Call) -> None:
        call.idle(self.pause_ns)
