"""The caller speaks, waits for the reply and hears it out."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.audio.catalogue import Fixture
from bench.scenario.steps import Say
from bench.session.call import Call


@dataclass(frozen=True, slots=True)
class SayStep:
    """One turn; `place` is the step's place in the conversation."""

    place: int
    fixture: Fixture
    expect: dict[str, Any] | None = None
    turns: int = 1

    @classmethod
    def of(cls, place: int, block: Say, fixtures: Mapping[str, Fixture], draw: random.Random) -> SayStep:
        """The fixture is drawn here, once a call."""
        name = block.draw(draw, fixtures)
        expect = block.expects(name)
        return cls(place, fixtures[name], None if expect is None else expect.facts)

    def play(self, call: Call) -> None:
        turn = call.say(self.fixture, step=self.place)
        turn.expect = self.expect
        call.hear_reply(turn)
