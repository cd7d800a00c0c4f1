"""Turns that have ended and whose rows wait for something: a late transcription, the end of a reply that was cut off.

In: ended turns. Out: each is handed to the observer once, when nothing more of it is expected. Trap: a row must hold
what was billed, so a turn whose caller cut in waits for its response to be closed; and nothing is called overdue
before what has arrived is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.facts.timeline import Timeline, TurnFacts
from bench.session.tracker import Tracker


class EndedTurns:
    """The turns of one call on their way to its observer.

    `hand_over` takes a turn; `lost_ns` is the time since an instant in which this process stood still; `read_up` has
    what arrived by now taken in; `undecided`: whether the playback of the turn's reply may still be stopped.
    """

    def __init__(
        self,
        timeline: Timeline,
        tracker: Tracker,
        *,
        hand_over: Callable[[TurnFacts], None],
        lost_ns: Callable[[int], int],
        read_up: Callable[[], None],
        undecided: Callable[[TurnFacts], bool],
    ) -> None:
        self._timeline = timeline
        self._tracker = tracker
        self._hand_over = hand_over
        self._lost_ns = lost_ns
        self._read_up = read_up
        self._undecided = undecided
        self._waiting: list[TurnFacts] = []
        self.held: TurnFacts | None = None
        """A turn that a step has still to do with: its row waits although it may have ended."""

    def add(self, turn: TurnFacts) -> None:
        """`turn` has ended."""
        self._waiting.append(turn)

    @property
    def next_due_ns(self) -> int | None:
        """Until when the first of them may wait; None when none does."""
        return self._due_ns(self._waiting[0]) if self._waiting else None

    def report(self, *, everything: bool = False) -> None:
        """Hand over the turns of which nothing more is expected."""
        if any(self._overdue(turn) for turn in self._waiting):
            self._read_up()
        for turn in list(self._waiting):
            late = self._overdue(turn)
            if everything or (turn is not self.held and (late or not self._awaited(turn))):
                # First, so that a turn which cannot be measured is not handed over again and again.
                self._waiting.remove(turn)
                waits = turn.end in {"completed", "interrupted"} and self._tracker.transcription_due(turn.index)
                turn.transcription_cut = waits and not late
                turn.entries_measured = len(self._timeline.entries)
                self._lost_ns(time.monotonic_ns())
                turn.gaps_measured = len(self._timeline.gaps)
                turn.cuts_measured = len(self._timeline.cuts)
                self._hand_over(turn)

    def _awaited(self, turn: TurnFacts) -> bool:
        """Whether something of `turn` is still to come."""
        if turn.end not in {"completed", "interrupted"}:
            return False
        return self._tracker.transcription_due(turn.index) or self._listening(turn)

    def _listening(self, turn: TurnFacts) -> bool:
        return self._tracker.replying(turn.index) or self._undecided(turn)

    def _overdue(self, turn: TurnFacts) -> bool:
        """Whether what is still to come of `turn` would come too late by now."""
        return self._awaited(turn) and time.monotonic_ns() >= self._due_ns(turn)

    def _due_ns(self, turn: TurnFacts) -> int:
        ended_ns = turn.ended_ns or 0
        bounds = self._tracker.bounds
        bound_ns = bounds.playback_ns if self._listening(turn) else bounds.transcription_ns
        return ended_ns + bound_ns + self._lost_ns(ended_ns)
