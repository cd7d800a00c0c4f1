"""How full the machine is, whoever fills it: CPU of all processes, pressure, and what a container is denied.

In: /proc and the control group of this process. Out: shares of the time between two readings.
Trap: a machine without a free CPU delays the server that runs on it as well, and no lateness of our own shows it. In a
container the CPUs of /proc are the host's, and the limit is told by the control group alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

FULL = 0.95
"""Above this share no CPU was free when somebody wanted one."""
_PRESSURE = Path("/proc/pressure/cpu")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class HostReading:
    """Counters that only grow, in seconds; None where the platform does not have one."""

    at_s: float
    busy_s: float
    total_s: float
    steal_s: float
    waited_s: float | None
    """Time in which some process that could run had no CPU."""
    throttled_s: float | None
    """Time in which the control group's own limit kept its processes from running."""


@dataclass(frozen=True, slots=True)
class HostShares:
    """The time between two readings, as shares of it (of all CPUs together for `busy` and `steal`)."""

    busy: float | None
    steal: float | None
    pressure: float | None
    throttled: float | None


def read_host() -> HostReading:
    """All counters now."""
    times = psutil.cpu_times()
    steal_s = float(getattr(times, "steal", 0.0))
    total_s = float(sum(times[:8]))
    idle_s = float(times.idle) + float(getattr(times, "iowait", 0.0))
    return HostReading(
        at_s=time.monotonic(),
        busy_s=total_s - idle_s,
        total_s=total_s,
        steal_s=steal_s,
        waited_s=_pressure_s(),
        throttled_s=_throttled_s(),
    )


def between(first: HostReading, last: HostReading) -> HostShares:
    """What passed between two readings."""
    total_s, passed_s = last.total_s - first.total_s, last.at_s - first.at_s
    return HostShares(
        busy=_share(last.busy_s - first.busy_s, total_s),
        steal=_share(last.steal_s - first.steal_s, total_s),
        pressure=_of_both(first.waited_s, last.waited_s, passed_s),
        throttled=_of_both(first.throttled_s, last.throttled_s, passed_s),
    )


def _of_both(first: float | None, last: float | None, passed_s: float) -> float | None:
    return None if first is None or last is None else _share(last - first, passed_s)


def _share(part: float, whole: float) -> float | None:
    # Counters tick in hundredths of a second, so a part may seem a little larger than the whole.
    return round(min(1.0, max(0.0, part / whole)), 4) if whole > 0 else None


def _pressure_s(path: Path = _PRESSURE) -> float | None:
    """`total=` of the line `some`, in microseconds (Documentation/accounting/psi.rst)."""
    return _number_after("total=", _line("some ", path), 1e6)


def _throttled_s(listing: Path = _CGROUP, root: Path = _CGROUPS) -> float | None:
    """`throttled_usec` of version 2, `throttled_time` (ns) of version 1; None without a group or a controller."""
    for hierarchy in _text(listing).splitlines():
        _, controllers, path = [*hierarchy.split(":", 2), "", ""][:3]
        folders = [root] if not controllers else [root / controllers, root / "cpu"]
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in folders:
            # Inside a container the path is often the host's, and the group itself is the root of what is seen.
            for stat in (folder / path.lstrip("/") / "cpu.stat", folder / "cpu.stat"):
                found = _number_after("throttled_usec ", _line("throttled_usec ", stat), 1e6)
                if found is None:
                    found = _number_after("throttled_time ", _line("throttled_time ", stat), 1e9)
                if found is not None:
                    return found
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _line(start: str, path: Path) -> str:
    return next((line for line in _text(path).splitlines() if line.startswith(start)), "")


def _number_after(marker: str, line: str, per_s: float) -> float | None:
    try:
        return float(line.partition(marker)[2].split()[0]) / per_s
    except (IndexError, ValueError):
        return None
