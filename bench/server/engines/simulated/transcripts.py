"""When the caller's words are reported, in time or not, in order or not.

In: committed turns. Out: `session.transcript` at its moment. Trap: a turn that was split has two items; each gets
its part of the words, so that together they are still the transcript whose errors are known.
"""

from __future__ import annotations

import time

from bench.server.engines.base import Handler
from bench.server.engines.simulated.profile import Profile
from bench.server.engines.simulated.turn import Turn

LATE_MS = 3_000
AFTER_DONE_MS = 50


class Transcripts:
    """The transcriptions that a call still owes."""

    def __init__(self, handler: Handler, profile: Profile) -> None:
        self._handler = handler
        self._profile = profile
        self._held: list[Turn] = []  # until the next turn's words were sent
        self._unheard: list[Turn] = []
        self._waiting: list[tuple[Turn, int]] = []  # until the response is done, and how long after that

    def schedule(self, turn: Turn, now_ns: int, open_sessions: int) -> None:
        """A turn was committed: arrange for its words."""
        fault = turn.faults.get("transcription")
        form = fault.form if fault is not None else ""
        if form == "never":
            return
        if fault is not None and form == "after_done":
            self._waiting.append((turn, fault.delay_ms(AFTER_DONE_MS)))
            return
        due_ms = self._profile.transcription.delay.draw_ms(turn.rng, open_sessions)
        if fault is not None and form == "late":
            due_ms += fault.delay_ms(LATE_MS)
        self._at(turn, now_ns + round(due_ms * 1e6))

    def response_done(self) -> None:
        """A response has ended: those who waited for that are due."""
        waiting, self._waiting = self._waiting, []
        for turn, delay_ms in waiting:
            self._at(turn, time.monotonic_ns() + delay_ms * 1_000_000)

    def heard(self, turn: Turn) -> None:
        """It is known now what was said in a turn that was committed before its end."""
        if turn in self._unheard:
            self._unheard.remove(turn)
            self._due(turn)

    def _at(self, turn: Turn, due_ns: int) -> None:
        self._handler.later(due_ns, lambda: self._due(turn))

    def _due(self, turn: Turn) -> None:
        if not turn.ended:  # an early reply: the caller is still speaking
            self._unheard.append(turn)
            return
        fault = turn.faults.get("transcription")
        if fault is not None and fault.form == "out_of_order":
            self._held.append(turn)
            return
        self._report(turn, failing=fault is not None and fault.form == "failed")
        held, self._held = self._held, []
        for earlier in held:
            self._report(earlier, failing=False)

    def _report(self, turn: Turn, *, failing: bool) -> None:
        handler, items = self._handler, turn.transcribed
        words = turn.words(self._profile).text.split(" ")
        share = -(-len(words) // len(items)) if items else 0
        for place, item in enumerate(items):
            if failing:
                handler.apply(handler.session.transcript_failed(item, "The audio could not be transcribed."))
            else:
                part = words[place * share : (place + 1) * share]
                handler.apply(handler.session.transcript(item, " ".join(part)))
