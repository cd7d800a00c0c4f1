"""Kernel arrival stamps: switched on for a socket, read with `recvmsg`, turned into monotonic time.

The kernel stamps with its wall clock (CLOCK_REALTIME), so both clocks are taken side by side after the read and the
age of the stamp is subtracted from the monotonic one. Trap: a wall clock that is stepped in between gives an age that
is negative or absurd; such a stamp is refused rather than believed.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Sequence

SO_TIMESTAMPNS = 35
"""Option and ancillary type on Linux (asm-generic/socket.h); the `socket` module has no name for it."""

_TIMESPEC = struct.Struct("@ll")
ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size) if hasattr(socket, "CMSG_SPACE") else 0
_OLDEST_NS = 60_000_000_000
"""No byte waits longer than this for a loop that works; an older stamp means that the wall clock was set forward."""


def enable(sock: socket.socket) -> bool:
    """Ask for a stamp on every read of `sock`; False where the platform has none."""
    if sys.platform != "linux" or not ANCILLARY_BYTES:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def _keep_stamping() -> socket.socket | None:
    """A socket that asks for stamps as long as the process lives.

    The kernel stamps packets only while some socket asks for it, and begins to do so a moment after the first one asks:
    without this the first call of a run would lack its first stamps.
    """
    if sys.platform != "linux":
        return None
    try:
        keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return None
    enable(keeper)
    return keeper


_KEEPER = _keep_stamping()


def stamp_of(ancillary: Sequence[tuple[int, int, bytes]]) -> int | None:
    """The wall-clock stamp of a read in ns, or None when the kernel sent none with it."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


_TOGETHER_NS = 100_000


def both_clocks() -> tuple[int, int]:
    """The monotonic and the wall clock, read together: a process stopped between them would date a stamp too early."""
    for _ in range(5):
        now_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        if time.monotonic_ns() - now_ns < _TOGETHER_NS:
            break
    return now_ns, wall_ns


def arrival_ns(stamp_ns: int, *, now_ns: int, wall_ns: int) -> int | None:
    """Monotonic arrival of a byte stamped `stamp_ns`, given both clocks taken together; never later than `now_ns`.

    None when the stamp cannot be true, because the wall clock was stepped between arrival and read.
    """
    age_ns = wall_ns - stamp_ns
    if age_ns < 0:
        # Clocks are read one after the other and slewed apart by at most microseconds: that is still "now".
        return now_ns if age_ns > -1_000_000 else None
    return now_ns - age_ns if age_ns < _OLDEST_NS else None
