"""Bytes in and out of one TCP connection under gevent: bounded reads with kernel stamps, sends that never interleave.

One greenlet reads; any greenlet may send. `send` waits until the kernel has the bytes, `post` never waits (pongs and
close frames, written by the reader, which must go on reading). Whatever the kernel does not take at once goes to a
backlog that one flusher greenlet empties, so a blocked peer holds up its own session only.
Trap: the two stamps of a read are attributes of the wire, overwritten by the next read.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import gevent
from gevent import Timeout
from gevent import socket as green
from gevent.event import Event

from bench.transport import stamps
from bench.transport.witness import ArrivalLog, frozen_since, watch

MAX_BACKLOG = 4 * 1024 * 1024
RECEIVE_BUFFER = 1024 * 1024
SEND_BUFFER = 256 * 1024
_PATIENCE = 16
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux only: acknowledge at once. Without it the kernel keeps an acknowledgement back for up to 40 ms, or until our
next frame leaves, and a server that gathers small messages (Nagle's algorithm) waits for it."""


class SendTimeoutError(Exception):
    """The peer did not read for as long as one send may take; a frame may be half sent, so the wire is done for."""


class WireClosedError(OSError):
    """This side closed the wire while something was still reading or writing it."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNABORTED, "connection closed on this side")


class Wire(ABC):
    """What the WebSocket layer and TLS need of the layer below; `read` leaves its stamps in `at_ns` and `read_ns`."""

    at_ns: int = 0
    read_ns: int = 0

    @abstractmethod
    def read(self, size: int, deadline_ns: int | None = None) -> bytes | None:
        """At most `size` bytes; `b""` at the end of the stream; None when `deadline_ns` (monotonic) has passed."""

    @abstractmethod
    def peek(self) -> bytes:
        """Some of the bytes that come next, without taking them; `b""` at the end of the stream."""

    def send(self, data: bytes) -> None:
        """Have `data` taken whole. Raises `SendTimeoutError` or `OSError`, after which nothing more can be sent."""
        if not self.post(data):
            self.flush()

    @abstractmethod
    def post(self, data: bytes) -> bool:
        """Send `data` whole, in order, some time soon; never waits. Whether the kernel has all of it already.

        Raises `SendTimeoutError` or `OSError` when the wire is dead.
        """

    @abstractmethod
    def flush(self) -> None:
        """Wait until the kernel has everything that was posted. Raises as `send` does."""

    @abstractmethod
    def close(self, *, hard: bool = False) -> None:
        """Close at once; waiters get `WireClosedError`. `hard` resets the connection, dropping what is still unsent."""

    @property
    @abstractmethod
    def stamped(self) -> bool:
        """The last read carried a kernel stamp."""

    @property
    @abstractmethod
    def congested(self) -> bool:
        """So much waits to be sent that nothing optional should be added: the peer does not read."""

    @property
    def splits_reads(self) -> bool:
        """Stamps belong to the reads as asked for; False: to units of the layer below (TLS records)."""
        return True

    def read_head(self, end: re.Pattern[bytes], *, opening: bytes, limit: int) -> bytes:
        """Take bytes up to and with what `end` matches, and none beyond.

        Returns less (no match at its end) when the stream ended, does not begin with `opening`, or passed `limit`.
        """
        got = b""
        while seen := self.peek():
            both = got + seen
            if not both.startswith(opening[: len(both)]):
                return both
            found = end.search(both, max(0, len(got) - 4))
            chunk = self.read(len(seen) if found is None else found.end() - len(got))
            got += chunk or b""
            if found is not None or len(got) > limit:
                break
        return got


class SocketWire(Wire):
    """A connected TCP socket, made non-blocking; owns it from here on."""

    def __init__(self, sock: green.socket, *, send_timeout_s: float, stamped: bool, quickack: bool = False) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._hub = gevent.get_hub()
        self._readable = self._hub.loop.io(sock.fileno(), 1)
        self._writable = self._hub.loop.io(sock.fileno(), 2)
        self._send_timeout_s = send_timeout_s
        self._quickack = quickack and QUICKACK is not None
        self._ancillary_bytes = stamps.ANCILLARY_BYTES if stamped else 0
        self._stamped = False
        self._closed = False
        self._unwaited = 0
        self._taken = 0
        self._log: ArrivalLog | None = watch(sock) if stamped else None
        self._backlog: deque[memoryview] = deque()
        self._backlog_bytes = 0
        self._drained = Event()
        self._send_error: OSError | SendTimeoutError | None = None

    @property
    def stamped(self) -> bool:
        return self._stamped

    @property
    def congested(self) -> bool:
        return self._backlog_bytes > MAX_BACKLOG

    def read(self, size: int, deadline_ns: int | None = None) -> bytes | None:
        expired = False
        if self._unwaited >= _PATIENCE:
            # A peer that never pauses would otherwise keep the loop, and other sessions' deadlines, to itself.
            self._unwaited = 0
            gevent.sleep(0)
        while True:
            if self._closed:
                raise WireClosedError
            try:
                data, ancillary, _flags, _address = self._sock.recvmsg(size, self._ancillary_bytes)
            except BlockingIOError:
                self._unwaited = 0
                if expired:
                    return None
                # Looked for once more after the deadline: a process that was stopped wakes up late to what came in
                # time.
                expired = not self._wait_readable(deadline_ns)
                continue
            break
        self._unwaited += 1
        now_ns, wall_ns = stamps.both_clocks()
        if self._quickack and data:
            # The kernel falls back to delayed acknowledgements each time we send, so it is told anew.
            self._sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        self._taken += len(data)
        self.read_ns = self.at_ns = now_ns
        stamp_ns = stamps.stamp_of(ancillary) if ancillary else None
        self._stamped = stamp_ns is not None
        if stamp_ns is not None:
            at_ns = stamps.arrival_ns(stamp_ns, now_ns=now_ns, wall_ns=wall_ns)
            if at_ns is not None:
                self.at_ns = at_ns
        if self._log is not None:
            self.at_ns = self._log.no_later(self._taken, self.at_ns)
        return bytes(data)

    def peek(self) -> bytes:
        while True:
            if self._closed:
                raise WireClosedError
            try:
                return bytes(self._sock.recv(65536, socket.MSG_PEEK))
            except BlockingIOError:
                self._wait_readable(None)

    def _wait_readable(self, deadline_ns: int | None) -> bool:
        if deadline_ns is None:
            self._hub.wait(self._readable)
            return True
        left_ns = deadline_ns - time.monotonic_ns()
        if left_ns <= 0:
            return False
        timer = Timeout.start_new(left_ns / 1e9)
        try:
            self._hub.wait(self._readable)
        except Timeout as expired:
            if expired is not timer:
                raise
            return False
        finally:
            timer.close()
        return True

    def post(self, data: bytes) -> bool:
        self._check_sendable()
        sent = 0
        if not self._backlog_bytes:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return True
        self._enqueue(memoryview(data)[sent:])
        return False

    def flush(self) -> None:
        asked_ns = time.monotonic_ns()
        waited = self._backlog_bytes and not self._drained.wait(self._send_timeout_s)
        if waited and (frozen_s := frozen_since(asked_ns)):
            # The peer may have read all the while: it is this process that stood still.
            waited = not self._drained.wait(frozen_s)
        if waited:
            self._send_error = self._send_error or SendTimeoutError()
        self._check_sendable()

    def _check_sendable(self) -> None:
        if self._send_error is not None:
            raise self._send_error
        if self._closed:
            raise WireClosedError

    def _enqueue(self, data: memoryview) -> None:
        self._backlog.append(data)
        if not self._backlog_bytes:
            self._drained.clear()
            gevent.spawn(self._flush)
        self._backlog_bytes += len(data)

    def _flush(self) -> None:
        """Body of the flusher greenlet: lives while there is a backlog."""
        try:
            while self._backlog:
                try:
                    sent = self._sock.send(self._backlog[0])
                except BlockingIOError:
                    self._hub.wait(self._writable)
                    continue
                self._backlog_bytes -= sent
                left = self._backlog[0][sent:]
                if left:
                    self._backlog[0] = left
                else:
                    self._backlog.popleft()
        except OSError as error:
            self._send_error = self._send_error or error
            self._backlog.clear()
            self._backlog_bytes = 0
        finally:
            self._drained.set()

    def close(self, *, hard: bool = False) -> None:
        if self._closed:
            return
        self._closed = True
        if self._log is not None:
            self._log.close()
        if hard:
            _reset_on_close(self._sock)
        # Watchers must be gone before their descriptor is, since its number may be handed out again at once.
        self._hub.cancel_waits_close_and_then((self._readable, self._writable), WireClosedError, self._sock.close)


def _reset_on_close(sock: Any) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTCONN):
            raise
