"""Callbacks at absolute monotonic instants, to tens of microseconds.

An asyncio timer sleeps in `epoll_wait`, which counts whole milliseconds and rounds up. One Linux timerfd, armed for
the earliest deadline, does not. Elsewhere the loop's own timers are used.
Trap: a deadline in the past is due at once, but never inside `at`: callers rely on it to return first.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

from bench.timerfd import make_timerfd

_NS_PER_S = 1_000_000_000


class Deadline:
    """A callback to come."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Deadlines:
    """All deadlines of one event loop; made inside of it."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Deadline]] = []
        self._order = itertools.count()
        self._loop = asyncio.get_running_loop()
        self._armed_ns: int | None = None
        self._coarse: asyncio.TimerHandle | None = None
        self._timer = make_timerfd()
        if self._timer is not None:
            self._loop.add_reader(self._timer.fd, self._ring)

    def at(self, due_ns: int, callback: Callable[[], None]) -> Deadline:
        """Call `callback` at `due_ns`, or as soon as possible after it."""
        deadline = Deadline(callback)
        heapq.heappush(self._heap, (due_ns, next(self._order), deadline))
        if self._armed_ns is None or due_ns < self._armed_ns:
            self._arm(due_ns)
        return deadline

    def after(self, delay_s: float, callback: Callable[[], None]) -> Deadline:
        """Call `callback` in `delay_s` seconds."""
        return self.at(time.monotonic_ns() + round(delay_s * _NS_PER_S), callback)

    def close(self) -> None:
        """Call nothing any more."""
        self._heap.clear()
        if self._coarse is not None:
            self._coarse.cancel()
        if self._timer is not None:
            self._loop.remove_reader(self._timer.fd)
            self._timer.close()
            self._timer = None

    def _arm(self, due_ns: int) -> None:
        self._armed_ns = due_ns
        if self._timer is not None:
            self._timer.arm(due_ns)
            return
        if self._coarse is not None:
            self._coarse.cancel()
        self._coarse = self._loop.call_later(max(0.0, (due_ns - time.monotonic_ns()) / _NS_PER_S), self._ring)

    def _ring(self) -> None:
        if self._timer is not None and not self._timer.rang():
            return
        self.catch_up()
        self._armed_ns = None
        if self._heap:
            self._arm(self._heap[0][0])

    def catch_up(self) -> None:
        """Call what is due by now: for a loop that has many sockets to serve before it looks at its timers again."""
        heap = self._heap
        while heap and heap[0][0] <= time.monotonic_ns():
            callback = heapq.heappop(heap)[2].callback
            if callback is not None:
                # one callback that fails must not keep the others from their time
                try:
                    callback()
                except Exception as error:
                    self._loop.call_exception_handler({"message": "a deadline's callback failed", "exception": error})
