"""Calling at absolute instants, to a fraction of a millisecond.

gevent's timers ride on `epoll_wait`, which counts in whole milliseconds and rounds up: a frame leaves 0.6 ms late on
average, however idle the machine. One Linux timerfd per process, armed for the earliest of all deadlines, does
not round. Trap: waking for each frame apart costs more than sending it, so deadlines within `SLACK_NS` share a wake-up
- always the later instant, since a microphone cannot send what it has not captured yet. A loop with many messages to
read looks at its timers late; readers therefore call `catch_up` between two messages.
Where there is no timerfd a timer of the loop is used.
"""

from __future__ import annotations

import heapq
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from gevent.hub import get_hub

from bench.timerfd import TimerFd, make_timerfd

SLACK_NS = 400_000
MOST_AT_ONCE, MOST_BETWEEN_MESSAGES = 256, 16
"""Senders that cannot keep up are due again at once; without a bound they would have the loop for themselves, and an
overloaded run could not even be stopped."""
_READ = 1
_NS_PER_S = 1_000_000_000


class Alarm(ABC):
    """The one clock of a process's paced senders; made with `shared_alarm`.

    Callbacks may run in the hub: they must neither block nor switch.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._armed_ns = 0
        self._hub = get_hub()

    def at(self, due_ns: int, callback: Callable[[], None]) -> None:
        """Call `callback` once at `due_ns` (monotonic), or as soon as possible after it; never from inside `at`."""
        self._order += 1
        heapq.heappush(self._heap, (due_ns, self._order, callback))
        if not self._armed_ns or due_ns < self._armed_ns - SLACK_NS:
            self._armed_ns = due_ns + SLACK_NS
            self._arm(self._armed_ns)

    def catch_up(self) -> None:
        """Call what is due by now, a few at most: the reader who asks has messages of its own to see to."""
        self._call_due(MOST_BETWEEN_MESSAGES)

    def _call_due(self, most: int) -> None:
        heap = self._heap
        while most > 0 and heap and heap[0][0] <= time.monotonic_ns():
            most -= 1
            callback = heapq.heappop(heap)[2]
            try:
                callback()
            except Exception:
                # One call's mishap must not keep the frames of all others, nor surface in whoever catches up.
                self._hub.handle_error(callback, *sys.exc_info())

    def _ring(self) -> None:
        """Runs in the hub."""
        self._call_due(MOST_AT_ONCE)
        self._armed_ns = 0
        if self._heap:
            self._armed_ns = self._heap[0][0] + SLACK_NS
            self._arm(self._armed_ns)

    @abstractmethod
    def _arm(self, at_ns: int) -> None:
        """Have `_ring` called at `at_ns`."""


class _TimerfdAlarm(Alarm):
    def __init__(self, timer: TimerFd) -> None:
        super().__init__()
        self._timer = timer
        self._watcher = self._hub.loop.io(timer.fd, _READ)
        self._watcher.start(self._rang)

    def _rang(self) -> None:
        if self._timer.rang():
            self._ring()

    def _arm(self, at_ns: int) -> None:
        self._timer.arm(at_ns)


class _CoarseAlarm(Alarm):
    """The same over the loop's own timer, for platforms without timerfd."""

    def __init__(self) -> None:
        super().__init__()
        self._timer = self._hub.loop.timer(0.0)

    def _arm(self, at_ns: int) -> None:
        self._timer.stop()
        self._timer.close()
        self._timer = self._hub.loop.timer(max(0.0, (at_ns - time.monotonic_ns()) / _NS_PER_S))
        self._timer.start(self._ring)


_alarm: tuple[int, Alarm] | None = None


def shared_alarm() -> Alarm:
    """The alarm of this process; a forked child gets its own."""
    global _alarm  # noqa: PLW0603
    if _alarm is None or _alarm[0] != os.getpid():
        timer = make_timerfd()
        _alarm = (os.getpid(), _CoarseAlarm() if timer is None else _TimerfdAlarm(timer))
    return _alarm[1]
