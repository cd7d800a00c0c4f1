"""The caller makes a sound while it listens, and goes on listening.

In: the sound, and the moment of the reply. Out: a `Sound` in the timeline. Trap: a server that takes the sound for
speech stops its reply and answers the sound. That answer is nobody's turn, and the caller hears it out before it goes
on.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from bench.audio.catalogue import Fixture
from bench.scenario.steps import Backchannel
from bench.session.call import Call
from bench.session.listener import Moment

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class BackchannelStep:
    """No turn: the turn whose reply is heard goes on."""

    place: int
    fixture: Fixture
    moment: Moment
    turns: int = 0
    cuts_in: bool = True

    @classmethod
    def of(
        cls, place: int, block: Backchannel, fixtures: Mapping[str, Fixture], draw: random.Random
    ) -> BackchannelStep:
        return cls(place, fixtures[block.draw(draw)], Moment(block.after_ms * NS_PER_MS))

    def play(self, call: Call) -> None:
        heard = call.await_moment(self.moment, lead_ns=round(self.fixture.speech_start_ms * NS_PER_MS))
        if call.over or heard is None:
            return
        sound = call.sound(self.fixture, step=self.place, heard=heard)
        call.idle_until(sound.utterance_end_ns)
        call.listen_on()
