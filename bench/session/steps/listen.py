"""The caller waits until the agent has spoken of its own accord and hears it out.

In: how long the first sign of speech is waited for. Out: a `Listening` in the timeline. Trap: a greeting may have begun
before this step did, and what an earlier step listened to is not heard twice.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.audio.catalogue import Fixture
from bench.facts.acts import Listening
from bench.scenario.steps import Listen
from bench.session.call import Call


@dataclass(frozen=True, slots=True)
class ListenStep:
    """No turn; `within_ns` bounds the wait for the first sign of speech."""

    place: int
    within_ns: int
    ask: bool
    turns: int = 0

    @classmethod
    def of(cls, place: int, block: Listen, fixtures: Mapping[str, Fixture], draw: random.Random) -> ListenStep:
        return cls(place, block.listen_ms * 1_000_000, block.ask)

    def play(self, call: Call) -> None:
        timeline = call.timeline
        listening = Listening(self.place, time.monotonic_ns(), greeting=not timeline.turns)
        first = max((each.response + 1 for each in timeline.listenings if each.response is not None), default=0)
        timeline.listenings.append(listening)
        if self.ask:
            for message in call.dialect.ask_to_speak(self.place):
                call.send(message)
            listening.asked_ns = time.monotonic_ns()
        call.wait(lambda now_ns: self._still(call, listening, first, now_ns), since_ns=listening.since_ns)
        if not call.is_cut_into:
            call.hear_out()
            listening.until_ns = time.monotonic_ns()

    def _still(self, call: Call, listening: Listening, first: int, now_ns: int) -> int | None:
        """When to look again; None once the agent has said it all, or was waited for long enough."""
        spoken = call.tracker.unasked(first)
        if spoken is None:
            due_ns = listening.since_ns + self.within_ns
        else:
            listening.response = spoken.number
            if spoken.ended_ns is not None or call.is_cut_into:
                return None
            due_ns = call.tracker.said_by_ns(spoken.number)
        return due_ns if now_ns < due_ns else None
