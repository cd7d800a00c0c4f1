"""A reply that is sent by schedule: its actions, each at its own absolute time.

In: actions and the instant they count from. Out: pieces handed to the session when they are due.
Trap: actions due at one instant are carried out in one go, in their order; the session may end the response (token
limit) after any of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.server.deadlines import Deadline
from bench.server.engines.base import Handler
from bench.server.engines.simulated.reply_plan import (
    Action,
    AudioChunk,
    Disconnect,
    ExtraEvent,
    RawMessage,
    ScheduledAction,
    ToolCallMade,
    WordsDelta,
)
from bench.server.protocol.responses import Ending


class ScheduledReply:
    """One response of one call; `reserved` are the tokens set aside for it."""

    def __init__(
        self,
        handler: Handler,
        response_id: str,
        actions: list[ScheduledAction],
        base_ns: int,
        *,
        reserved: int = 0,
        over: Callable[[], None] | None = None,
    ) -> None:
        self.reserved = reserved
        self._handler = handler
        self._response_id = response_id
        self._actions = actions
        self._base_ns = base_ns
        self._over = over
        self._next = 0
        self._stopped = False
        self._timer: Deadline | None = None
        self.response_id = response_id
        self.heard_until_ns = 0
        """When a listener without a buffer has heard what was sent; 0 before any sound."""

    def go_on(self) -> None:
        """Send what is due and wait for what is not; a reply without actions never ends."""
        self._timer = None
        while not self._stopped and self._next < len(self._actions):
            scheduled = self._actions[self._next]
            due_ns = self._base_ns + round(scheduled.due_ms * 1e6)
            if due_ns > time.monotonic_ns():
                self._timer = self._handler.later(due_ns, self.go_on)
                return
            self._next += 1
            self._carry_out(scheduled.action)
            if not self._handler.session.is_replying(self._response_id):
                self.stop()
                if self._over is not None:
                    self._over()

    def stop(self) -> None:
        """Send no more of it."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _carry_out(self, action: Action) -> None:
        handler, session = self._handler, self._handler.session
        match action:
            case AudioChunk():
                step = session.reply_audio(self._response_id, action.data, action.in_base64)
                handler.apply(step, (action.samples, action.silent))
                length_ns = action.samples * 1_000_000_000 // action.rate_hz
                self.heard_until_ns = max(self.heard_until_ns, time.monotonic_ns()) + length_ns
            case WordsDelta(delta):
                handler.apply(session.reply_text(self._response_id, delta))
            case ToolCallMade(name, arguments):
                handler.apply(session.reply_call(self._response_id, name, arguments))
            case Ending():
                handler.apply(session.reply_ended(self._response_id, action))
            case RawMessage(data, what):
                handler.send_raw(data, what)
            case ExtraEvent(event):
                handler.send({**event, "response_id": self._response_id} if event["type"] != "error" else event)
            case Disconnect(code, reset):
                self.stop()
                if code is not None:
                    handler.close(code, "simulated fault")
                elif reset:
                    handler.reset()
                else:
                    handler.drop()
