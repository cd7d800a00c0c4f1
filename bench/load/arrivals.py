"""When sessions start: pure functions of the scenario's load and its seed, tested in a table with no clock.

Closed pool: `callers` people, each calling again as soon as the last call ended. Open arrivals: calls come at
planned instants whether or not earlier ones have ended. Trap: "constant" means equal gaps; exponential gaps are
"poisson". Every plan is computed before the run, so the same seed gives the same sessions on any number of workers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, takewhile


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_s` on, sessions arrive at `rate_per_min`."""

    at_s: float
    rate_per_min: float


def ramp_offsets_s(callers: int, ramp_s: float) -> list[float]:
    """When each caller of a closed pool joins: evenly over the ramp, the first at once."""
    return [caller * ramp_s / callers for caller in range(callers)]


def sessions_of_caller(caller: int, callers: int, sessions: int | None) -> Iterator[int]:
    """The run-wide session indices that `caller` plays, in order; endless when only time bounds the run."""
    indices = count(caller, callers)
    return indices if sessions is None else takewhile(lambda index: index < sessions, indices)


def constant(rate_per_min: float) -> Iterator[float]:
    """Arrival times in seconds with equal gaps, the first at 0."""
    gap_s = 60.0 / rate_per_min
    return (index * gap_s for index in count())


def poisson(rate_per_min: float, seed: int) -> Iterator[float]:
    """Arrival times in seconds of a Poisson process: independent exponential gaps, the first one included."""
    random_ = random.Random(f"arrivals:{seed}")
    now_s = 0.0
    while True:
        now_s += random_.expovariate(rate_per_min / 60.0)
        yield now_s


def schedule(steps: Sequence[Step]) -> Iterator[float]:
    """Arrival times in seconds where the rate is constant between steps and the last step goes on for ever.

    The n-th arrival is where the integral of the rate reaches n, so that a change of rate neither loses nor
    doubles the arrival under way. A last rate of 0 ends the sequence.
    """
    arrived = 0
    done = 0.0
    for place, step in enumerate(steps):
        end_s = steps[place + 1].at_s if place + 1 < len(steps) else float("inf")
        per_s = step.rate_per_min / 60.0
        if per_s <= 0:
            continue
        while (at_s := step.at_s + (arrived - done) / per_s) < end_s:
            yield at_s
            arrived += 1
        done += per_s * (end_s - step.at_s)


def bounded(times_s: Iterator[float], *, duration_s: float | None, sessions: int | None) -> list[float]:
    """The arrivals of one run: at most `sessions`, none at or after `duration_s`. One of the bounds must be given."""
    if duration_s is None and sessions is None:
        raise ValueError("open arrivals need a duration or a number of sessions")
    if duration_s is not None:
        times_s = takewhile(lambda at_s: at_s < duration_s, times_s)
    return list(islice(times_s, sessions))
