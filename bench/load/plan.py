"""Which part of a run each worker plays, and when the run stops taking new calls. Pure.

In: the scenario's load and the number of workers; out: shares that together are the whole run. A caller or an
arrival belongs to worker `index % workers`, so the set of sessions is the same however many workers there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.load.arrivals import Step, bounded, constant, poisson, ramp_offsets_s, schedule
from bench.scenario.model import Load


@dataclass(slots=True)
class Share:
    """One worker's callers (closed pool) or arrivals (open), with their offsets in seconds from the start."""

    offsets_s: list[float] = field(default_factory=list)
    callers: list[int] = field(default_factory=list)
    """Closed pool: the caller of each offset; empty for open arrivals."""
    indices: list[int] = field(default_factory=list)
    """Open arrivals: the run-wide session index of each offset; empty for a closed pool."""
    max_open: int | None = None
    """Open arrivals: this worker's part of the cap; the parts of all workers are the cap."""


def total_sessions(load: Load) -> int | None:
    """Calls of the whole run, warm-up included; None when time alone bounds it."""
    return None if load.sessions is None else load.sessions + load.warmup_sessions


def admission_s(load: Load) -> float | None:
    """How long new calls are begun, warm-up included; None when a number of calls bounds the run."""
    return None if load.duration_ms is None else (load.duration_ms + load.warmup_ms) / 1000


def arrival_offsets_s(load: Load, seed: int) -> list[float]:
    """Every arrival of an open run, in seconds from its start."""
    if load.arrival == "schedule":
        times = schedule([Step(step.at_ms / 1000, step.rate_per_min) for step in load.schedule])
    elif load.rate_per_min is None:
        raise ValueError(f"arrival {load.arrival!r} needs a rate")
    else:
        times = poisson(load.rate_per_min, seed) if load.arrival == "poisson" else constant(load.rate_per_min)
    return bounded(times, duration_s=admission_s(load), sessions=total_sessions(load))


def share_of(load: Load, seed: int, *, worker: int, workers: int) -> Share:
    """The part of worker number `worker` of `workers`."""
    if load.arrival == "closed":
        offsets = ramp_offsets_s(load.callers, load.ramp_ms / 1000)
        mine = range(worker, load.callers, workers)
        return Share(offsets_s=[offsets[caller] for caller in mine], callers=list(mine))
    offsets = arrival_offsets_s(load, seed)
    mine = range(worker, len(offsets), workers)
    cap = load.max_open
    part = None if cap is None else cap // workers + (worker < cap % workers)
    return Share(offsets_s=[offsets[index] for index in mine], indices=list(mine), max_open=part)


def is_warmup(load: Load, index: int, offset_s: float) -> bool:
    """Whether session `index`, meant to start `offset_s` after the run's start, is kept out of the results."""
    return index < load.warmup_sessions or offset_s * 1000 < load.warmup_ms


def describe(load: Load, turns: int) -> str:
    """The load as a sentence."""
    each = f"{turns} turn{'s' if turns != 1 else ''} each"
    calls = total_sessions(load)
    extent = f"{calls} calls" if calls is not None else f"calls begun for {admission_s(load):g} s"
    if load.arrival == "closed":
        how = f"{load.callers} caller{'s' if load.callers != 1 else ''} at a time, ramp {load.ramp_ms / 1000:g} s"
    elif load.arrival == "schedule":
        how = f"arriving on a schedule of {len(load.schedule)} rates"
    else:
        how = f"arriving {load.arrival} at {load.rate_per_min:g}/min"
    cap = f", at most {load.max_open} open" if load.max_open is not None else ""
    return f"{extent}, {each}, {how}{cap}"
