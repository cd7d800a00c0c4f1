"""The caller cuts into the reply to the step before, waits for the reply to that and hears it out."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.audio.catalogue import Fixture
from bench.scenario.steps import Interrupt
from bench.session.call import Call
from bench.session.listener import Moment

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class InterruptStep:
    """One turn, which begins while a reply is heard. `by_client` None: whoever does it in this session."""

    place: int
    fixture: Fixture
    moment: Moment
    by_client: bool | None
    expect: dict[str, Any] | None = None
    turns: int = 1
    cuts_in: bool = True

    @classmethod
    def of(cls, place: int, block: Interrupt, fixtures: Mapping[str, Fixture], draw: random.Random) -> InterruptStep:
        cut = block.interrupt
        after_ns = None if cut.after_ms is None else cut.after_ms * NS_PER_MS
        by_client = None if cut.by is None else cut.by == "client"
        moment, expect = Moment(after_ns, cut.words), block.expect.facts if block.expect else None
        return cls(place, fixtures[block.draw(draw, fixtures)], moment, by_client, expect)

    def play(self, call: Call) -> None:
        lead_ns = round(self.fixture.speech_start_ms * NS_PER_MS)
        heard = call.await_moment(self.moment, lead_ns=lead_ns)
        if call.over:
            return
        by_client = not call.dialect.speech_interrupts if self.by_client is None else self.by_client
        turn = call.interrupt(self.fixture, step=self.place, heard=heard, by_client=by_client)
        turn.expect = self.expect
        call.hear_reply(turn)
