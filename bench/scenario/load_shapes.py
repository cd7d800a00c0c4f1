"""When calls begin: the shapes of a load, each a pure function of its numbers and the seed.

In: the `load:` block of a scenario. Out: a shape that knows its instants, the most calls it may hold open, each
worker's share of it, and how to say it in words. Every instant is computed before the run, so the same seed gives the
same calls on any number of workers: caller or arrival number `i` belongs to worker `i % workers`.
Trap: "constant" means equal gaps; exponential gaps are "poisson".
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice, takewhile
from typing import ClassVar

from bench.config.units import format_duration, format_rate, spaced
from bench.scenario.run_config import LoadConfig
from bench.scenario.search_levels import level_load

MOST_RATES = 6
"""Steps of a schedule that its description names."""


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """What one worker begins: callers (closed pool) or arrivals (open), and when, in seconds from the start."""

    offsets_s: list[float] = field(default_factory=list)
    callers: list[int] = field(default_factory=list)
    """Closed pool: the caller of each offset; empty for open arrivals."""
    indices: list[int] = field(default_factory=list)
    """Open arrivals: the run-wide session index of each offset; empty for a closed pool."""
    max_open: int | None = None
    """Open arrivals: this worker's part of the cap; the parts of all workers are the cap."""


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
        ramp = f", ramped up over {_duration(self.ramp_s)}" if self.callers > 1 and self.ramp_s else ""
        return f"{self.callers:,} at a time{ramp}"

    def share(self, seed: int, *, worker: int, workers: int) -> WorkerShare:
        mine = list(range(worker, self.callers, workers))
        offsets = self.offsets_s(seed)
        return WorkerShare(offsets_s=[offsets[caller] for caller in mine], callers=mine)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open(ABC):
    """Calls that arrive whether or not earlier ones have ended: at most `sessions`, none at or after `duration_s`."""

    is_open: ClassVar[bool] = True
    sessions: int | None = None
    duration_s: float | None = None
    max_open: int | None = None

    @abstractmethod
    def arrivals_s(self, seed: int) -> Iterator[float]:
        """Instants in seconds from the start, without the bounds."""

    def offsets_s(self, seed: int) -> list[float]:
        times_s, end_s = self.arrivals_s(seed), self.duration_s
        if end_s is None and self.sessions is None:
            raise ValueError("open arrivals need a duration or a number of sessions")
        if end_s is not None:
            times_s = takewhile(lambda at_s: at_s < end_s, times_s)
        return list(islice(times_s, self.sessions))

    @abstractmethod
    def calls_in(self, seconds: float) -> float:
        """How many calls arrive in the first `seconds`, on average."""

    @abstractmethod
    def _rates(self) -> str:
        """`at 30/min`, in the words of the shape."""

    def most_open(self) -> int | None:
        return self.max_open

    def describe(self) -> str:
        """`arriving evenly spaced at 30/min, at most 200 open at once`."""
        cap = "" if self.max_open is None else f", at most {self.max_open:,} open at once"
        return f"arriving {self._rates()}{cap}"

    def share(self, seed: int, *, worker: int, workers: int) -> WorkerShare:
        offsets, cap = self.offsets_s(seed), self.max_open
        mine = list(range(worker, len(offsets), workers))
        part = None if cap is None else cap // workers + (worker < cap % workers)
        return WorkerShare(offsets_s=[offsets[index] for index in mine], indices=mine, max_open=part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(_Open):
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
class Poisson(_Open):
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
class Schedule(_Open):
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
            f"{format_rate(rate_per_min)} from {_duration(from_s) if from_s else 'the start'}"
            for from_s, rate_per_min in self.steps[:MOST_RATES]
        ]
        return f"at {', then '.join(named)}{f' and {more} more steps' if more > 0 else ''}"


LoadShape = ClosedPool | Constant | Poisson | Schedule


def shape_of(load: LoadConfig) -> LoadShape:
    """The shape that the `load:` block asks for; of a search, that of its highest level."""
    if load.search is not None:
        return shape_of(level_load(load, load.search.highest(load.planned_peak)))
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


def expected_calls(load: LoadConfig) -> float | None:
    """How many calls open arrivals plan, at most or on average; None for a closed pool."""
    shape = shape_of(load)
    if not isinstance(shape, _Open):
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
    return None if load.duration_ms is None else (load.duration_ms + load.warmup_ms) / 1000


def sessions_of_caller(caller: int, load: LoadConfig) -> Iterator[int]:
    """The run-wide session indices that `caller` of a closed pool plays, in order; endless when time bounds the run."""
    indices, sessions = count(caller, load.callers), total_sessions(load)
    return indices if sessions is None else takewhile(lambda index: index < sessions, indices)


def is_warmup(load: LoadConfig, index: int, offset_s: float) -> bool:
    """Whether session `index`, meant to start `offset_s` after the run's start, is kept out of the results."""
    return index < load.warmup_sessions or offset_s * 1000 < load.warmup_ms


def _duration(seconds: float) -> str:
    return spaced(format_duration(round(seconds * 1000)))
