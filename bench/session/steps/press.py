"""The caller presses keys of a telephone; the microphone stays open. No turn: what is answered belongs to the call."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from bench.audio.catalogue import Fixture
from bench.scenario.steps import Press
from bench.session.call import Call


@dataclass(frozen=True, slots=True)
class PressStep:
    """`keys`, each followed by `apart_ns` of silence."""

    keys: str
    apart_ns: int
    turns: int = 0

    @classmethod
    def of(cls, place: int, block: Press, fixtures: Mapping[str, Fixture], draw: random.Random) -> PressStep:
        return cls(block.keys, block.apart_ms * 1_000_000)

    def play(self, call: Call) -> None:
        for key in self.keys:
            if call.over:
                return
            for message in call.dialect.press(key):
                call.send(message)
            call.idle(self.apart_ns)
