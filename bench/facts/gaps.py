"""Gaps: spans in which this process did not run, or in which its clocks did not agree. Sans-I/O.

In: looks at the clocks, from a thread that looks every few milliseconds as long as it can run. Out: `Gap`s.
A stopped process, a paused machine and a loop that does not let go all look the same from inside: one look is late.
Trap: what arrives in a gap bears the stamp of its end (the kernel merges what queues up), so no stamp inside of one
is a measurement; and a gap that is still open is one too.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

GapKind = Literal["frozen", "suspended", "clock", "loop"]
"""`frozen`: the process did not run. `suspended`: the machine slept, which the monotonic clock does not count.
`clock`: the wall clock was set, which kernel stamps are made of. `loop`: only the event loop was held up."""
LEAST_GAP_NS = 20_000_000
"""Shorter ones are the ordinary waits of a shared machine."""
LEAST_STEP_NS = 5_000_000
"""Clocks that part by less were only read one after the other."""
_MOST_GAPS = 4096
_TIGHT_NS = 200_000
_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap between two monotonic instants. `length_ns` is longer than their distance for a machine that slept."""

    start_ns: int
    end_ns: int
    length_ns: int
    kind: GapKind


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of this machine at one instant."""

    monotonic_ns: int
    boot_ns: int
    """As the monotonic clock, with the time in which the machine was suspended; the same where there is no such."""
    wall_ns: int


def read_clocks() -> Clocks:
    """All clocks, read so close together that their differences mean something."""
    for _ in range(5):
        now_ns = time.monotonic_ns()
        boot_ns = now_ns if _BOOT_CLOCK is None else time.clock_gettime_ns(_BOOT_CLOCK)
        wall_ns = time.time_ns()
        if time.monotonic_ns() - now_ns < _TIGHT_NS:
            break
    return Clocks(now_ns, boot_ns, wall_ns)


class GapWatch:
    """Turns looks at the clocks into gaps. One thread looks, any may ask."""

    def __init__(self, now: Clocks) -> None:
        self._last = now
        self._gaps: deque[Gap] = deque(maxlen=_MOST_GAPS)

    def look(self, now: Clocks) -> None:
        """The watcher is awake, and has taken down all that had arrived before `now`."""
        last = self._last
        passed_ns = now.monotonic_ns - last.monotonic_ns
        asleep_ns = now.boot_ns - last.boot_ns - passed_ns
        stepped_ns = abs(now.wall_ns - last.wall_ns - (now.boot_ns - last.boot_ns))
        gap: tuple[int, GapKind] | None = None
        if asleep_ns > LEAST_STEP_NS:
            gap = (passed_ns + asleep_ns, "suspended")
        elif stepped_ns > LEAST_STEP_NS:
            gap = (max(passed_ns, stepped_ns), "clock")
        elif passed_ns > LEAST_GAP_NS:
            gap = (passed_ns, "frozen")
        if gap is not None:
            # Before `_last`: who asks in between must not find neither.
            self._gaps.append(Gap(last.monotonic_ns, now.monotonic_ns, *gap))
        self._last = now

    def since(self, start_ns: int, now_ns: int | None = None) -> list[Gap]:
        """Gaps that ended after `start_ns`, in order; with `now_ns`, also the one that is still open then."""
        last_ns = self._last.monotonic_ns
        found: list[Gap] = []
        # Asked at every wake of every call: mostly there is nothing new. The copy is taken in one step.
        if self._gaps and self._gaps[-1].end_ns > start_ns:
            found = [gap for gap in list(self._gaps) if gap.end_ns > start_ns]
        if now_ns is not None and now_ns - last_ns > LEAST_GAP_NS:
            found.append(Gap(last_ns, now_ns, now_ns - last_ns, "frozen"))
        return found


def of_both(witness: Iterable[Gap], loop: Iterable[Gap]) -> list[Gap]:
    """The gaps of a witness in which the loop did not run either, in order.

    A witness that is kept waiting by a busy loop misses nothing: what arrives is read at once. After a gap of its own
    the loop has to catch up with what queued, and what comes meanwhile may be merged with it.
    """
    held = [(gap.start_ns, gap.end_ns + LEAST_GAP_NS + gap.length_ns // 4) for gap in loop]
    found: list[Gap] = []
    for gap in witness:
        if gap.kind != "frozen":
            found.append(gap)
            continue
        for start_ns, end_ns in held:
            first_ns, last_ns = max(gap.start_ns, start_ns), min(gap.end_ns, end_ns)
            if last_ns - first_ns > LEAST_GAP_NS:
                found.append(Gap(first_ns, last_ns, last_ns - first_ns, "frozen"))
    return found


def lost_ns(gaps: Iterable[Gap], start_ns: int, end_ns: int) -> int:
    """How much of the time between two monotonic instants lay in gaps."""
    lost, until_ns = 0, start_ns
    for gap in sorted((gap for gap in gaps if gap.end_ns > start_ns), key=lambda gap: gap.start_ns):
        first_ns, last_ns = max(gap.start_ns, until_ns), min(gap.end_ns, end_ns)
        if last_ns > first_ns:
            lost += last_ns - first_ns
            until_ns = last_ns
    return lost
