"""A timer that rings at an absolute monotonic instant, to tens of microseconds.

Event loops sleep in `epoll_wait`, which counts whole milliseconds and rounds up; a Linux timerfd does not. In: an
instant. Out: a file descriptor that becomes readable at it. `make_timerfd` gives None where the platform has none.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_NS_PER_S = 1_000_000_000


class _Itimerspec(ctypes.Structure):
    _fields_ = (("spec", ctypes.c_long * 4),)


class TimerFd:
    """One timerfd; `fd` is for the event loop to watch. Raises `OSError` when the system has no more."""

    def __init__(self) -> None:
        self._spec = _Itimerspec()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def arm(self, at_ns: int) -> None:
        """Ring once at `at_ns`, in place of any instant before."""
        # An instant of 0 would disarm it.
        self._spec.spec[2], self._spec.spec[3] = divmod(max(1, at_ns), _NS_PER_S)
        self._libc.timerfd_settime(self.fd, _ABSOLUTE, ctypes.byref(self._spec), None)

    def rang(self) -> bool:
        """Whether it has rung since the last look; makes `fd` quiet again."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Free the descriptor; the loop must have stopped to watch it."""
        os.close(self.fd)


def make_timerfd() -> TimerFd | None:
    """A timer of this process, or None on a platform without timerfd."""
    return TimerFd() if sys.platform.startswith("linux") else None
