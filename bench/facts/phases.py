"""The phases of a run on the clock of one worker: which one an instant belongs to.

In: names, and the instants (monotonic ns) at which phases begin. Out: the `Phase` of any instant.
Trap: a phase holds its first instant and not its last; a call that begins as a phase ends belongs to the next one.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """A named stretch of a run; rows of a warm-up are kept and left out of the results."""

    name: str = "main"
    warmup: bool = False


@dataclass(frozen=True, slots=True)
class Phases:
    """Phases in order. The first one also holds what comes before it, the last one what comes after."""

    phases: tuple[Phase, ...] = (Phase(),)
    begins_ns: tuple[int, ...] = ()
    """When each phase but the first begins."""

    def at(self, at_ns: int) -> Phase:
        """The phase of an instant."""
        return self.phases[bisect_right(self.begins_ns, at_ns)]


MAIN = Phases()
WARMUP = Phases((Phase("warmup", warmup=True),))
