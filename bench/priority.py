"""Who gets the processor first: a process that paces audio before ordinary ones, one beside a run behind them.

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
LAST = 10
"""Niceness of a process that may wait."""
_AUTOGROUP = Path("/proc/self/autogroup")
_GROUPS = Path("/proc/sys/kernel/sched_autogroup_enabled")


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
    """Let this process run behind ordinary ones: they get the processor at once, and it has a tenth of a busy one.

    That much it needs, since its pages and figures are read meanwhile. Not before it has started: on a busy machine it
    would be late for that, and while nobody is called it is in no one's way.
    """
    if not _set_session(LAST):
        os.nice(LAST)


def go_as_others() -> None:
    """After `go_last`: let this process run as ordinary ones do. Where niceness was all there is, it stays behind."""
    _set_session(0)


def _set_session(niceness: int) -> bool:
    """Say it for our session, where we lead one: that of a terminal is not ours to change. Whether it is in force."""
    if os.getsid(0) != os.getpid():
        return False
    try:
        _AUTOGROUP.write_text(f"{niceness}")
        return _AUTOGROUP.read_text().split()[-1:] == [f"{niceness}"] and _GROUPS.read_text().strip() == "1"
    except OSError:
        return False
