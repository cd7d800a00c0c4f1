"""Who gets the processor first: a process that paces audio before ordinary ones, one beside a run after all others.

Trap: Linux shares the processor out among sessions (`setsid`) first, where the kernel groups them (sched(7),
"autogroup"), and the niceness of a process counts only against others of its own session. So a process that leads a
session must say it for the session too; a low niceness alone would leave it as much of a core as the whole run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FIRST = -10
"""Niceness of a process that paces audio."""
LAST = 19
"""Niceness of a process that may wait for all others."""
_AUTOGROUP = Path("/proc/self/autogroup")


def go_first() -> int:
    """Put this process before ordinary ones where the system allows it; the niceness now in force.

    A microphone must run on time whatever else the machine does; without the right (usual for a plain user) nothing
    changes, and lateness shows what that cost.
    """
    _set_session(FIRST)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    return os.getpriority(os.PRIO_PROCESS, 0)


def go_last() -> None:
    """Let this process, and threads that it starts from now on, run when no other wants the processor."""
    _set_session(LAST)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            return
    os.nice(LAST)


def go_as_others() -> None:
    """After `go_last`: let this thread run as ordinary ones do. Where niceness was all there is, it stays low."""
    _set_session(0)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _set_session(niceness: int) -> None:
    """Say it for our session, where we lead one: that of a terminal is not ours to change."""
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _AUTOGROUP.write_text(f"{niceness}")
