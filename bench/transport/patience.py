"""A time-out that only counts the time in which this process ran.

In: seconds. It raises in the greenlet that started it, as `gevent.Timeout` does. A process that was stopped finds its
timers expired before it has read what came in time; it then gets as long again as it stood still.
"""

from __future__ import annotations

import time
from types import TracebackType

import gevent
from gevent.hub import get_hub

from bench.transport.witness import frozen_since

_LEAST_S = 0.001


class Patience:
    """One running time-out; `expired` is what it raises. A context manager, so that it is always taken back."""

    def __init__(self, seconds: float, expired: BaseException | None = None) -> None:
        self.expired: BaseException = expired if expired is not None else TimedOutError()
        self._greenlet = gevent.getcurrent()
        self._began_ns = time.monotonic_ns()
        self._granted_s = seconds
        self._warned = False
        self._timer = get_hub().loop.timer(max(_LEAST_S, seconds))
        self._timer.start(self._rang)

    def _rang(self) -> None:
        passed_s = (time.monotonic_ns() - self._began_ns) / 1e9
        left_s = self._granted_s + frozen_since(self._began_ns) - passed_s
        if left_s <= 0 and self._warned:
            self._greenlet.throw(self.expired)
            return
        # What has come in time is seen to by the loop before it is too late.
        self._warned = left_s <= 0
        self._timer.stop()
        self._timer.close()
        self._timer = get_hub().loop.timer(max(_LEAST_S, left_s))
        self._timer.start(self._rang)

    def close(self) -> None:
        """Raise no more."""
        self._timer.stop()
        self._timer.close()

    def __enter__(self) -> Patience:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()


class TimedOutError(BaseException):
    """Raised in a greenlet whose time is up; like `gevent.Timeout` no `Exception`, so that nothing swallows it."""
