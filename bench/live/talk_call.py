"""A call that a person leads from the page: what to say comes while the call goes on.

In: recordings, one after the other. Out: the harness's own call, and each turn measured as in a run.
Trap: it is the same session, pacer and clock as in a run; only what is said next is decided late. Whatever a person
forgets, it ends: after a time in which nothing was said, and after a time in all.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import gevent
import numpy as np
from numpy.typing import NDArray

from bench.audio.catalogue import Fixture
from bench.facts.timeline import Timeline, TurnFacts
from bench.load.factory import CallFactory
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import Books
from bench.session.call import Call, Delays
from bench.session.tape import sound_of

LOOK_NS = 30_000_000
SILENT_S = 120.0
MOST_S = 900.0

Reply = NDArray[np.int16]


@dataclass(slots=True)
class TalkEvents:
    """Who is told what, in the loop of the call."""

    ready: Callable[[], None]
    speaking: Callable[[TurnFacts], None]
    replied: Callable[[TurnFacts, Reply, int], None]
    """The reply was received: its samples and their rate."""
    heard: Callable[[], None]
    """The caller has heard the reply, and may speak."""
    turn: Callable[[TurnRecord], None]
    """Nothing more of the turn is expected, its transcription included."""


@dataclass(slots=True)
class _Desk:
    """The observer of the call, and its one step."""

    events: TalkEvents
    books: Books
    anchor: WallAnchor
    open_sessions: int = 0
    talking_sessions: int = 0
    delays: Delays = field(default_factory=Delays)
    waiting: deque[Fixture] = field(default_factory=deque)
    rows: list[TurnRecord] = field(default_factory=list)
    turns: int = 0

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None:
        row = measure_turn(timeline, turn, wall_anchor=self.anchor, book=self.books)
        self.rows.append(row)
        self.events.turn(row)

    def play(self, call: Call) -> None:
        """The whole conversation: say what comes, until nothing does any more."""
        self.events.ready()
        began_ns = quiet_ns = time.monotonic_ns()
        while not call.over:
            now_ns = time.monotonic_ns()
            if now_ns - quiet_ns > SILENT_S * 1e9 or now_ns - began_ns > MOST_S * 1e9:
                return
            if not self.waiting:
                call.idle(LOOK_NS)
                continue
            self._say(call, self.waiting.popleft())
            quiet_ns = time.monotonic_ns()

    def _say(self, call: Call, fixture: Fixture) -> None:
        turn = call.say(fixture, step=0)
        self.turns += 1
        self.events.speaking(turn)
        call.await_reply(turn)
        samples = [sound_of(call.heard_of(each.number), call.dialect) for each in call.tracker.of_turn(turn.index)]
        whole = np.concatenate(samples) if samples else np.zeros(0, np.int16)
        self.events.replied(turn, whole, call.dialect.output_format.rate_hz)
        call.hear_out()
        self.events.heard()


class TalkCall:
    """One call, from dialling to its end."""

    def __init__(self, factory: CallFactory, number: int, books: Books, events: TalkEvents) -> None:
        now_ns = time.monotonic_ns()
        self._anchor = WallAnchor(monotonic_ns=now_ns, unix_s=time.time())
        self._desk = _Desk(events, books, self._anchor)
        plan = factory.plan(number, caller=0, intended_ns=now_ns)
        self._books = books
        self.plan = replace(plan, steps=[self._desk], record=True)
        self._call = Call(self.plan, factory.dialect(), self._desk)

    def run(self) -> SessionRecord:
        """Make the call; blocks its greenlet until it is over."""
        timeline = self._call.run()
        return measure_session(timeline, self._desk.rows, self._anchor, book=self._books)

    def say(self, fixture: Fixture) -> None:
        """Say `fixture` as soon as the caller may speak."""
        # Encoded beside the loop, which paces the line's silence meanwhile.
        gevent.get_hub().threadpool.apply(self.plan.frames.utterance, (fixture, self._call.dialect.input_format))
        self._desk.waiting.append(fixture)

    def hang_up(self) -> None:
        """End the call now."""
        self._call.hang_up()
