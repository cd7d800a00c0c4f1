"""A load in phases: a pool of callers, or a rate of arrivals, that changes by a plan. Pure functions of time.

In: the `phases:` of a load. Out: shapes with the instants of all calls, and when each phase begins and ends.
A caller that is not wanted any more begins no new call; the one under way is finished. The callers with the highest
numbers leave first and come back last, so that the pool is the same for any number of workers.
Trap: of a rate that moves, the n-th arrival is where the integral of the rate reaches n; to sum up gaps would be wrong.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, repeat
from typing import ClassVar

from bench.config.units import format_rate
from bench.facts.phases import Phase, Phases
from bench.scenario.arrivals import OpenArrivals, Windows, WorkerShare, duration_text, pool_share
from bench.scenario.phase_config import FINISHING, PhaseConfig

NS_PER_MS = 1_000_000
MOST_PHASES = 8
"""Phases that a description names."""
_SAME = 1e-9
"""Seconds that floating point may take from an instant."""


@dataclass(frozen=True, slots=True)
class PlannedPhase:
    """One phase in the plan, in milliseconds from the start; in its ramp the load moves from `before` to `level`."""

    name: str
    begin_ms: int
    end_ms: int
    ramp_ms: int
    before: float
    level: float
    warmup: bool
    is_open: bool

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.begin_ms

    @property
    def moves(self) -> bool:
        """Whether its load is not the same from the beginning."""
        return bool(self.ramp_ms) and self.before != self.level

    @property
    def load_text(self) -> str:
        """`8 callers`, `2 to 8 callers over 10 s`, `30/min`."""
        if not self.moves:
            return self._shown(self.level)
        first = self._shown(self.before).removesuffix(" callers").removesuffix(" caller")
        return f"{first} to {self._shown(self.level)} over {duration_text(self.ramp_ms / 1000)}"

    def _shown(self, level: float) -> str:
        if self.is_open:
            return format_rate(level)
        return f"{level:,.0f} caller{'' if level == 1 else 's'}"

    def describe(self) -> str:
        """`hold: 8 callers for 30 s`, `ramp: 2 to 8 callers over 10 s, 15 s in all`."""
        length = duration_text(self.length_ms / 1000)
        whole = f", {length} in all" if self.ramp_ms != self.length_ms else ""
        said = f"{self.load_text}{whole}" if self.moves else f"{self.load_text} for {length}"
        return f"{self.name}{' (left out)' if self.warmup else ''}: {said}"


def planned(phases: Sequence[PhaseConfig]) -> tuple[PlannedPhase, ...]:
    """The phases with their place in time."""
    ends = list(accumulate(phase.duration_ms for phase in phases))
    before = [0.0, *(phase.level for phase in phases)]
    return tuple(
        PlannedPhase(
            name=phase.name,
            begin_ms=end_ms - phase.duration_ms,
            end_ms=end_ms,
            ramp_ms=phase.ramp_ms,
            before=level,
            level=phase.level,
            warmup=phase.warmup,
            is_open=phase.rate_per_min is not None,
        )
        for phase, end_ms, level in zip(phases, ends, before, strict=False)
    )


def with_what_follows(phases: Sequence[PlannedPhase]) -> list[tuple[str, bool]]:
    """Names in order, each with whether it is warm-up; what follows the last phase is warm-up if that is."""
    return [(each.name, each.warmup) for each in phases] + [(FINISHING, phases[-1].warmup)]


def phases_from(phases: Sequence[PlannedPhase], start_ns: int) -> Phases:
    """The phases on a worker's clock, if the run begins at `start_ns`; the last is what follows the plan."""
    return Phases(
        tuple(Phase(name, warmup) for name, warmup in with_what_follows(phases)),
        tuple(start_ns + each.end_ms * NS_PER_MS for each in phases),
    )


def describe_phases(phases: Sequence[PlannedPhase]) -> str:
    """`in 3 phases (1 min): warm-up (left out): 2 callers for 10 s; hold: 8 callers for 40 s; ...`."""
    said = [each.describe() for each in phases[:MOST_PHASES]]
    more = len(phases) - MOST_PHASES
    if more > 0:
        said.append(f"and {more} more")
    number = f"{len(phases)} phases" if len(phases) > 1 else "1 phase"
    return f"in {number} ({duration_text(phases[-1].end_ms / 1000)}): {'; '.join(said)}"


@dataclass(frozen=True, slots=True)
class PhasedPool:
    """A pool of callers whose size changes; each calls again as soon as the last call ended, while it is wanted."""

    is_open: ClassVar[bool] = False
    phases: tuple[PlannedPhase, ...]

    @property
    def callers(self) -> int:
        """The size of the pool at its largest."""
        return round(max(phase.level for phase in self.phases))

    def windows_s(self) -> list[Windows]:
        """By caller, when it may begin calls."""
        found: list[list[tuple[float, float]]] = [[] for _ in range(self.callers)]
        for phase in self.phases:
            for caller, windows in enumerate(found):
                start_s, end_s = _wanted(phase, caller)
                if start_s >= end_s:
                    continue
                if windows and windows[-1][1] == start_s:
                    start_s, _ = windows.pop()
                windows.append((start_s, end_s))
        return [tuple(windows) for windows in found]

    def most_open(self) -> int:
        return self.callers

    def describe(self) -> str:
        return describe_phases(self.phases)

    def share(self, seed: int, *, worker: int, workers: int) -> WorkerShare:
        return pool_share(self.windows_s(), worker=worker, workers=workers)


def _wanted(phase: PlannedPhase, caller: int) -> tuple[float, float]:
    """From when to when `caller` is part of the pool in `phase`; the end is not after the start where it is not."""
    begin_s, end_s, ramp_s = phase.begin_ms / 1000, phase.end_ms / 1000, phase.ramp_ms / 1000
    before, level = round(phase.before), round(phase.level)
    if caller < min(before, level):
        return begin_s, end_s
    if caller < level:
        return begin_s + (caller - before) * ramp_s / (level - before), end_s
    if caller < before:
        leaves_s = begin_s + (before - caller) * ramp_s / (before - level)
        return begin_s, min(leaves_s, end_s)
    return begin_s, begin_s


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasedArrivals(OpenArrivals):
    """Arrivals at a rate that changes, evenly spaced by it or at random (Poisson)."""

    phases: tuple[PlannedPhase, ...]
    at_random: bool = False

    def arrivals_s(self, seed: int) -> Iterator[float]:
        random_ = random.Random(f"arrivals:{seed}")
        gaps = (random_.expovariate(1.0) for _ in repeat(None))
        wanted = accumulate(gaps) if self.at_random else (float(number) for number in count())
        due, done = next(wanted), 0.0
        for piece in self._pieces():
            whole = piece.calls(piece.length_s)
            while (at_s := piece.until_reached(due - done)) < piece.length_s - _SAME:
                yield piece.from_s + at_s
                due = next(wanted)
            done += whole

    def calls_in(self, seconds: float) -> float:
        return sum(piece.calls(min(piece.length_s, max(0.0, seconds - piece.from_s))) for piece in self._pieces())

    def _pieces(self) -> Iterator[_Piece]:
        for phase in self.phases:
            moved_ms = phase.begin_ms + phase.ramp_ms
            if phase.ramp_ms:
                yield _Piece(phase.begin_ms / 1000, phase.ramp_ms / 1000, phase.before / 60, phase.level / 60)
            if moved_ms < phase.end_ms:
                yield _Piece(moved_ms / 1000, (phase.end_ms - moved_ms) / 1000, phase.level / 60, phase.level / 60)

    def _rates(self) -> str:
        how = "at random (Poisson)" if self.at_random else "evenly spaced"
        return f"{how}, {describe_phases(self.phases)}"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch in which the rate moves evenly; rates are per second."""

    from_s: float
    length_s: float
    first: float
    last: float

    @property
    def _slope(self) -> float:
        return (self.last - self.first) / self.length_s

    def calls(self, seconds: float) -> float:
        """Arrivals in the first `seconds`, on average."""
        return self.first * seconds + self._slope * seconds * seconds / 2

    def until_reached(self, calls: float) -> float:
        """The seconds after which `calls` have arrived; infinite where that many never do."""
        if calls <= 0:
            return 0.0 if self.first or self.last else math.inf
        root = self.first * self.first + 2 * self._slope * calls
        if root < 0:
            return math.inf
        below = self.first + math.sqrt(root)
        return 2 * calls / below if below else math.inf
