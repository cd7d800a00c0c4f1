"""A witness of arrivals that does not wait for our loop: one native thread per process that notes byte counts.

The kernel merges segments that queue up on a TCP socket and keeps the stamp of the last one only, so after a late wake
of our loop ten queued messages would all bear the stamp of the tenth. This thread sleeps in epoll on the same sockets
and, on every arrival, notes (bytes received so far, now); a message's last byte arrived no later than the first note
that counts it. A note is an upper bound like the kernel's stamp, so the earlier of the two is always the better.
With another greenlet burning 20 ms at a time the kernel's stamps alone are 19 ms late at p99; with the witness, `bench
calibrate --at 200 --burner 20` finds less than 1 ms on an otherwise idle core.
It also looks at the clocks every few milliseconds, and so does the loop: when neither could, there was no witness, and
`gaps_since` says so.
Trap: it must not use anything that Locust has monkey-patched, or it would run on the loop that it is there to watch.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gevent import monkey
from gevent.hub import get_hub

from bench.facts.gaps import Gap, GapWatch, lost_ns, of_both, read_clocks

_BYTES_RECEIVED = struct.Struct("@Q")
_BYTES_RECEIVED_AT = 128
"""Offset of `tcpi_bytes_received` in `struct tcp_info` (linux/tcp.h, since 4.1)."""
_INFO_BYTES = _BYTES_RECEIVED_AT + _BYTES_RECEIVED.size
_PERIOD_S = 0.0005
"""Rest between two looks: bounds the cost at any message rate, and is the grain of the notes."""
_SWITCH_INTERVAL_S = 0.0005
"""The interpreter's default makes a thread wait 5 ms for a busy loop to let go; that would be the notes' error."""
_MOST_NOTES = 4096
_BEAT_S = 0.005
"""The longest time between two looks at the clocks when nothing arrives."""
_MOST_EVENTS = 1024


class ArrivalLog:
    """Notes of one connection, written by the witness and consumed by the reader."""

    __slots__ = ("_fd", "_notes", "_sock", "_witness")

    def __init__(self, sock: Any, witness: _Witness) -> None:
        self._sock = sock
        self._fd: int = sock.fileno()
        self._witness = witness
        self._notes: deque[tuple[int, int]] = deque(maxlen=_MOST_NOTES)

    def note(self) -> None:
        """Write down how much has arrived by now. Called by the witness only."""
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        except OSError:
            # The connection was closed under our eyes; nobody will read its notes any more.
            return
        if len(info) == _INFO_BYTES:
            self._notes.append((_BYTES_RECEIVED.unpack_from(info, _BYTES_RECEIVED_AT)[0], time.monotonic_ns()))

    def no_later(self, taken: int, at_ns: int) -> int:
        """`at_ns`, or the earlier moment at which byte number `taken` (counted from 1) was seen to be there."""
        notes = self._notes
        while notes and notes[0][0] < taken:
            notes.popleft()
        return min(at_ns, notes[0][1]) if notes else at_ns

    def close(self) -> None:
        """Stop watching; before the descriptor is closed."""
        self._witness.forget(self._fd)


class _Witness:
    """The thread of one process. Without epoll it only looks at the clocks."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.gaps = GapWatch(read_clocks())
        self._logs: dict[int, ArrivalLog] = {}
        self._epoll: select.epoll | None = _unpatched("select", "epoll")() if sys.platform == "linux" else None
        # A busy loop lets go of the interpreter too briefly for a thread that has no processor of its own.
        self.loop_gaps = GapWatch(read_clocks())
        self._beat = get_hub().loop.timer(_BEAT_S, repeat=_BEAT_S, ref=False)
        self._beat.start(self._loop_is_awake)
        self._sleep: Callable[[float], None] = _unpatched("time", "sleep")
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL_S))
        _unpatched("_thread", "start_new_thread")(self._run, ())

    def watch(self, sock: Any) -> ArrivalLog | None:
        if self._epoll is None:
            return None
        log = ArrivalLog(sock, self)
        self._logs[sock.fileno()] = log
        self._epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLET)
        return log

    def forget(self, fd: int) -> None:
        if self._logs.pop(fd, None) is not None and self.pid == os.getpid() and self._epoll is not None:
            self._epoll.unregister(fd)

    def gaps_since(self, start_ns: int, now_ns: int | None) -> list[Gap]:
        """Gaps in which neither this thread nor the loop ran."""
        found = self.gaps.since(start_ns, now_ns)
        if not found:
            return found
        both = of_both(found, self.loop_gaps.since(found[0].start_ns, time.monotonic_ns()))
        return sorted((gap for gap in both if gap.end_ns > start_ns), key=lambda gap: gap.end_ns)

    def _loop_is_awake(self) -> None:
        self.loop_gaps.look(read_clocks())

    def _run(self) -> None:
        epoll = self._epoll
        while True:
            if epoll is None:
                self._sleep(_BEAT_S)
            else:
                self._take_notes(epoll)
            # After the notes: an arrival that was noted late is then inside of the gap.
            self.gaps.look(read_clocks())
            self._sleep(_PERIOD_S)

    def _take_notes(self, epoll: select.epoll) -> None:
        events = epoll.poll(_BEAT_S, _MOST_EVENTS)
        while events:
            for fd, _event in events:
                log = self._logs.get(fd)
                if log is not None:
                    log.note()
            events = epoll.poll(0, _MOST_EVENTS) if len(events) == _MOST_EVENTS else []


def _unpatched(module: str, name: str) -> Any:
    return monkey.get_original(module, name)


_current: _Witness | None = None


def _witness() -> _Witness:
    global _current  # noqa: PLW0603 - one witness per process, made again after a fork
    if _current is None or _current.pid != os.getpid():
        _current = _Witness()
    return _current


def watch(sock: Any) -> ArrivalLog | None:
    """Have the arrivals of `sock` noted from now on; None where the platform cannot."""
    return _witness().watch(sock)


def gaps_since(start_ns: int, *, closed: bool = False) -> list[Gap]:
    """When this process did not run, or its clocks were set, after `start_ns`; the first to ask starts the watch.

    `closed`: without a gap that may be going on right now.
    """
    return _witness().gaps_since(start_ns, None if closed else time.monotonic_ns())


def frozen_since(start_ns: int) -> float:
    """Seconds after `start_ns` in which this process did not run: a deadline of another is not judged by them."""
    gaps = gaps_since(start_ns)
    return lost_ns(gaps, start_ns, time.monotonic_ns()) / 1e9 if gaps else 0.0
