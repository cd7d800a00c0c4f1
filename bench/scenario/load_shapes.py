"""When calls begin: the shapes of a load, each a pure function of its numbers and the seed.

In: the `load:` block of a scenario. Out: a shape that knows its instants, the most calls it may hold open, each
worker's share of it, and how to say it in words. Every instant is computed before the run, so the same seed gives the
same calls on any number of workers: caller or arrival number `i` belongs to worker `i % workers`.
Trap: "constant" means equal gaps; exponential gaps are "poisson".
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from typing import ClassVar

from bench.config.units import format_rate
from bench.facts.phases import MAIN, WARMUP, Phases
from bench.scenario.arrivals import FOR_EVER, OpenArrivals, WorkerShare, duration_text, pool_share
from bench.scenario.load_phases import PhasedArrivals, PhasedPool, PlannedPhase, phases_from, planned, with_what_follows
from bench.scenario.run_config import LoadConfig
from bench.scenario.search_levels import level_load

MOST_RATES = 6
"""Steps of a schedule that its description names."""


@dataclass(frozen=True, slots=True)
class ClosedPool:
    """A pool of callers, each calling again as soon as the last call ended; they join evenly over the ramp."""

    is_open: ClassVar[bool] = False
    callers: int
    ramp_s: float = 0.0

    def offsets_s(self, seed: int) -> list[float]:
        """When each caller joins, the first at once."""
        return [caller * self.ramp_s / self.callers for caller in range(self.callers)]

    def most_open(self) -> int:
        return self.callers

    def describe(self) -> str:
        """`6 at a time, ramped up over 3 s`."""
        ramp = f", ramped up over {duration_text(self.ramp_s)}" if self.callers > 1 and self.ramp_s else ""
        return f"{self.callers:,} at a time{ramp}"

    def share(self, seed: int, *, worker: int, workers: int) -> WorkerShare:
        return pool_share([((join_s, FOR_EVER),) for join_s in self.offsets_s(seed)], worker=worker, workers=workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(OpenArrivals):
    """Equal gaps, the first call at 0."""

    rate_per_min: float

    def arrivals_s(self, seed: int) -> Iterator[float]:
        gap_s = 60.0 / self.rate_per_min
        return (index * gap_s for index in count())

    def calls_in(self, seconds: float) -> float:
        return self.rate_per_min * seconds / 60

    def _rates(self) -> str:
        return f"evenly spaced at {format_rate(self.rate_per_min)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisson(OpenArrivals):
    """Independent exponential gaps, the first one included."""

    rate_per_min: float

    def arrivals_s(self, seed: int) -> Iterator[float]:
        random_ = random.Random(f"arrivals:{seed}")
        now_s = 0.0
        while True:
            now_s += random_.expovariate(self.rate_per_min / 60.0)
            yield now_s

    def calls_in(self, seconds: float) -> float:
        return self.rate_per_min * seconds / 60

    def _rates(self) -> str:
        return f"at random (Poisson) at {format_rate(self.rate_per_min)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(OpenArrivals):
    """A rate that is constant between steps of (from, rate per minute); the last step goes on for ever.

    The n-th arrival is where the integral of the rate reaches n, so that a change of rate neither loses nor doubles the
    arrival under way. A last rate of 0 ends the sequence.
    """

    steps: tuple[tuple[float, float], ...]

    def arrivals_s(self, seed: int) -> Iterator[float]:
        arrived, done = 0, 0.0
        for place, (from_s, rate_per_min) in enumerate(self.steps):
            end_s = self.steps[place + 1][0] if place + 1 < len(self.steps) else float("inf")
            per_s = rate_per_min / 60.0
            if per_s <= 0:
                continue
            while (at_s := from_s + (arrived - done) / per_s) < end_s:
                yield at_s
                arrived += 1
            done += per_s * (end_s - from_s)

    def calls_in(self, seconds: float) -> float:
        ends = [from_s for from_s, _ in self.steps[1:]] + [float("inf")]
        pieces = zip(self.steps, ends, strict=True)
        return sum(max(0.0, min(end, seconds) - start) * rate / 60 for (start, rate), end in pieces)

    def _rates(self) -> str:
        more = len(self.steps) - MOST_RATES
        named = [
            f"{format_rate(rate_per_min)} from {duration_text(from_s) if from_s else 'the start'}"
            for from_s, rate_per_min in self.steps[:MOST_RATES]
        ]
        return f"at {', then '.join(named)}{f' and {more} more steps' if more > 0 else ''}"


LoadShape = ClosedPool | Constant | Poisson | Schedule | PhasedPool | PhasedArrivals


def shape_of(load: LoadConfig) -> LoadShape:
    """The shape that the `load:` block asks for; of a search, that of its highest level."""
    if load.search is not None:
        return shape_of(level_load(load, load.search.highest(load.planned_peak), load.search.settle_ms or 0))
    if load.phases:
        return _phased(load)
    if load.arrival == "closed":
        return ClosedPool(load.callers, load.ramp_ms / 1000)
    sessions, duration_s, cap = total_sessions(load), admission_s(load), load.max_open
    if load.arrival == "schedule":
        steps = tuple((step.at_ms / 1000, step.rate_per_min) for step in load.schedule)
        return Schedule(steps=steps, sessions=sessions, duration_s=duration_s, max_open=cap)
    if load.rate_per_min is None:
        raise ValueError(f"arrival {load.arrival!r} needs a rate")
    kind = Poisson if load.arrival == "poisson" else Constant
    return kind(rate_per_min=load.rate_per_min, sessions=sessions, duration_s=duration_s, max_open=cap)


def _phased(load: LoadConfig) -> PhasedPool | PhasedArrivals:
    phases = planned(load.phases)
    if load.arrival == "closed":
        return PhasedPool(phases)
    return PhasedArrivals(
        phases=phases,
        at_random=load.arrival == "poisson",
        duration_s=phases[-1].end_ms / 1000,
        max_open=load.max_open,
    )


def pool_size(load: LoadConfig) -> int | None:
    """Callers of a closed pool at its largest; None for open arrivals."""
    shape = shape_of(load)
    return shape.callers if isinstance(shape, ClosedPool | PhasedPool) else None


def expected_calls(load: LoadConfig) -> float | None:
    """How many calls open arrivals plan, at most or on average; None for a closed pool."""
    shape = shape_of(load)
    if not isinstance(shape, OpenArrivals):
        return None
    bounds = [float("inf") if shape.sessions is None else float(shape.sessions)]
    if shape.duration_s is not None:
        bounds.append(shape.calls_in(shape.duration_s))
    return min(bounds)


def total_sessions(load: LoadConfig) -> int | None:
    """Calls of the whole run, warm-up included; None when time alone bounds it."""
    return None if load.sessions is None else load.sessions + load.warmup_sessions


def admission_s(load: LoadConfig) -> float | None:
    """How long new calls are begun, warm-up included; None when a number of calls bounds the run."""
    if load.phases:
        return planned(load.phases)[-1].end_ms / 1000
    return None if load.duration_ms is None else (load.duration_ms + load.warmup_ms) / 1000


def sessions_of_caller(caller: int, load: LoadConfig) -> Iterator[int]:
    """The run-wide session indices that `caller` of a closed pool plays, in order; endless when time bounds the run."""
    indices, sessions = count(caller, pool_size(load) or 1), total_sessions(load)
    return indices if sessions is None else takewhile(lambda index: index < sessions, indices)


def is_warmup(load: LoadConfig, index: int, offset_s: float) -> bool:
    """Whether session `index` of a load without phases, meant to start `offset_s` after the run's start, is kept out of
    the results."""
    return index < load.warmup_sessions or offset_s * 1000 < load.warmup_ms


# phases


def planned_phases(load: LoadConfig) -> tuple[PlannedPhase, ...]:
    """The named phases of the load in time; none where it has none."""
    return planned(load.phases)


def phase_names(load: LoadConfig) -> list[str]:
    """Every value that the column `phase` may have."""
    if load.phases:
        return [name for name, _ in with_what_follows(planned(load.phases))]
    return ["main", "warmup"]


def phases_of_call(load: LoadConfig, index: int, offset_s: float, start_ns: int) -> Phases:
    """The phases of a run that began at `start_ns`, for session `index`, meant to start `offset_s` after that.

    Without named phases, a whole call is warm-up or not.
    """
    if load.phases:
        return phases_from(planned(load.phases), start_ns)
    return WARMUP if is_warmup(load, index, offset_s) else MAIN
