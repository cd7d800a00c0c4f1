"""Waking greenlets at absolute instants, to a fraction of a millisecond.

gevent's timers ride on `epoll_wait`, which counts in whole milliseconds and rounds up: a frame leaves 0.6 ms late on
average, however idle the machine. One Linux timerfd per process, armed for the earliest of all waiters, does
not round. Trap: waking for each frame apart costs more than sending it, so waiters within `SLACK_NS` share a wake-up
- always the later instant, since a microphone cannot send what it has not captured yet.
Where there is no timerfd the gevent timer is used.
"""

from __future__ import annotations

import ctypes
import heapq
import os
import sys
import time
from typing import Any

import gevent
from gevent.hub import Waiter, get_hub

SLACK_NS = 400_000
_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = 0o2004000
_ABSOLUTE = 1
_READ = 1
_NS_PER_S = 1_000_000_000


class _Itimerspec(ctypes.Structure):
    _fields_ = [("spec", ctypes.c_long * 4)]


class Alarm:
    """The one clock of a process's paced senders; make it with `shared_alarm`."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Waiter[Any]]] = []
        self._order = 0
        self._armed_ns = 0
        self._spec = _Itimerspec()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._watcher = get_hub().loop.io(self._fd, _READ)
        self._watcher.start(self._ring)

    def sleep_until(self, due_ns: int) -> None:
        """Block the calling greenlet until `due_ns` (monotonic); returns at once when that has passed."""
        if due_ns <= time.monotonic_ns():
            return
        waiter: Waiter[Any] = Waiter()
        self._order += 1
        heapq.heappush(self._heap, (due_ns, self._order, waiter))
        if not self._armed_ns or due_ns < self._armed_ns - SLACK_NS:
            self._arm(due_ns + SLACK_NS)
        # A greenlet killed here leaves its entry behind; `_ring` drops waiters that nobody waits on.
        waiter.get()

    def _arm(self, at_ns: int) -> None:
        self._armed_ns = at_ns
        self._spec.spec[2], self._spec.spec[3] = divmod(at_ns, _NS_PER_S)
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(self._spec), None)

    def _ring(self) -> None:
        """Runs in the hub: switch to everyone who is due."""
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        heap = self._heap
        while heap and heap[0][0] <= time.monotonic_ns():
            waiter = heapq.heappop(heap)[2]
            if waiter.greenlet is not None:
                waiter.switch(None)
        self._armed_ns = 0
        if heap:
            self._arm(heap[0][0] + SLACK_NS)


class _CoarseAlarm:
    """The same over gevent's own timers, for platforms without timerfd."""

    def sleep_until(self, due_ns: int) -> None:
        wait_ns = due_ns - time.monotonic_ns()
        if wait_ns > 0:
            gevent.sleep(wait_ns / _NS_PER_S)


_alarm: tuple[int, Alarm | _CoarseAlarm] | None = None


def shared_alarm() -> Alarm | _CoarseAlarm:
    """The alarm of this process; a forked child gets its own."""
    global _alarm  # noqa: PLW0603
    if _alarm is None or _alarm[0] != os.getpid():
        _alarm = (os.getpid(), Alarm() if sys.platform.startswith("linux") else _CoarseAlarm())
    return _alarm[1]
