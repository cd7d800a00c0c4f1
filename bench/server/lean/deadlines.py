"""Callbacks at absolute monotonic instants, to tens of microseconds.

An asyncio timer sleeps in `epoll_wait`, which counts whole milliseconds and rounds up. One Linux timerfd, armed for
the earliest deadline, does not. Elsewhere the loop's own timers are used.
Trap: a deadline in the past is due at once, but never inside `at`: callers rely on it to return first.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE = 1
_NS_PER_S = 1_000_000_000


class _Itimerspec(ctypes.Structure):
    _fields_ = (("spec", ctypes.c_long * 4),)


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
        self._timer: asyncio.TimerHandle | None = None
        self._fd: int | None = None
        if sys.platform.startswith("linux"):
            self._spec = _Itimerspec()
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
            if self._fd < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create")
            self._loop.add_reader(self._fd, self._ring)

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
        if self._timer is not None:
            self._timer.cancel()
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _arm(self, due_ns: int) -> None:
        self._armed_ns = due_ns
        if self._fd is not None:
            # an instant of 0 would disarm it
            self._spec.spec[2], self._spec.spec[3] = divmod(max(1, due_ns), _NS_PER_S)
            self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(self._spec), None)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(0.0, (due_ns - time.monotonic_ns()) / _NS_PER_S), self._ring)

    def _ring(self) -> None:
        if self._fd is not None:
            try:
                os.read(self._fd, 8)
            except BlockingIOError:
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
