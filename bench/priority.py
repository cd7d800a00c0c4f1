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
    """Let this process, all its threads and those that they start, run when no other wants the processor.

    Not before it has started: on a busy machine it would be late for that, and while nobody is called it is in no
    one's way.
    """
    _set_session(LAST)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            _set_policy(_threads(), os.SCHED_IDLE)
            return
    os.nice(LAST)


def go_as_others(*, whole: bool = False) -> None:
    """After `go_last`: let this thread, or the `whole` process, run as ordinary ones do.

    Where niceness was all there is, or the system does not allow it, it stays last.
    """
    _set_session(0)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            _set_policy(_threads() if whole else [0], os.SCHED_OTHER)


def _set_policy(threads: list[int], policy: int) -> None:
    for thread in threads:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setscheduler(thread, policy, os.sched_param(0))


def _threads() -> list[int]:
    """Numbers of the threads of this process; 0, the one that asks, where the system does not list them."""
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [0]


def _set_session(niceness: int) -> None:
    """Say it for our session, where we lead one: that of a terminal is not ours to change."""
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _AUTOGROUP.write_text(f"{niceness}")
