"""A reply being played: its acts, each at its own absolute time.

In: acts and the instant they count from. Out: pieces handed to the session when they are due. Trap: several acts due at
one instant are played in one go, in their order; the session may end the response (token limit) after any of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.server.deadlines import Deadline
from bench.server.engines.simulated.script import Act, Chunk, Deed, HangUp, Raw, Stray, Text
from bench.server.engines.simulated.turn import Turn
from bench.server.protocol.response import Ending

if TYPE_CHECKING:
    from bench.server.engines.simulated.call import Call


class Playing:
    """One response of one call."""

    __slots__ = ("_acts", "_base_ns", "_call", "_next", "_reserved", "_stopped", "_timer", "response_id", "turn")

    def __init__(
        self, call: Call, response_id: str, turn: Turn | None, base_ns: int, acts: list[Act], reserved: int = 0
    ) -> None:
        self.response_id = response_id
        self.turn = turn
        self._call = call
        self._base_ns = base_ns
        self._acts = acts
        self._reserved = reserved
        self._next = 0
        self._stopped = False
        self._timer: Deadline | None = None

    def go_on(self) -> None:
        """Play what is due and wait for what is not; a reply without acts is never finished."""
        self._timer = None
        while not self._stopped and self._next < len(self._acts):
            act = self._acts[self._next]
            due_ns = self._base_ns + round(act.due_ms * 1e6)
            if due_ns > time.monotonic_ns():
                self._timer = self._call.later(due_ns, self.go_on)
                return
            self._next += 1
            self._do(act.deed)
            if not self._call.session.is_replying(self.response_id):
                self.stop()
                self._call.response_over(self)

    def stop(self) -> None:
        """Play no more of it."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def give_back(self) -> int:
        """The tokens that were set aside for it, once."""
        reserved, self._reserved = self._reserved, 0
        return reserved

    def _do(self, deed: Deed) -> None:
        call, session = self._call, self._call.session
        match deed:
            case Chunk():
                step = session.reply_audio(self.response_id, deed.data, deed.in_base64)
                call.apply(step, (deed.samples, deed.silent))
            case Text(delta):
                call.apply(session.reply_text(self.response_id, delta))
            case Ending():
                call.apply(session.reply_ended(self.response_id, deed))
            case Raw(data, what):
                call.send_raw(data, what)
            case Stray(event):
                call.send({**event, "response_id": self.response_id} if event["type"] != "error" else event)
            case HangUp(code, reset):
                self.stop()
                call.hang_up(code, reset=reset)
