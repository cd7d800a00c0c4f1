"""The load of a scenario as one sentence, for `--dry-run`, the manifest and the report.

In: a checked `load:` block and the number of turns of a call. Out: how many calls, of how many turns, started when.
"""

from __future__ import annotations

import re

from bench.config.units import format_duration, format_rate
from bench.scenario.run_config import LoadConfig, RateStep

MOST_RATES = 6
_UNITS = {"ms": "ms", "s": "s", "m": "min", "h": "h"}
_HOW = {"constant": "evenly spaced", "poisson": "at random (Poisson)"}


def load_sentence(load: LoadConfig, turns: int) -> str:
    """`12 calls of 2 turns each, 6 at a time, ramped up over 3 s`."""
    each = f" of {_count(turns, 'turn')} each"
    if load.sessions is not None:
        calls = f"{_count(load.sessions, 'call')}{each}"
    else:
        calls = f"calls{each}, begun for {_duration(load.duration_ms or 0)}"
    return f"{calls}, {_pool(load) if load.arrival == 'closed' else _arrivals(load)}{_warmup(load)}"


def spaced(duration: object) -> str:
    """A duration as scenarios write it, for reading: `1m30s` as `1 min 30 s`."""
    return re.sub(r"(\d)(ms|s|m|h)", lambda part: f"{part[1]} {_UNITS[part[2]]} ", str(duration)).rstrip()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _duration(ms: int) -> str:
    return spaced(format_duration(ms))


def _pool(load: LoadConfig) -> str:
    ramp = f", ramped up over {_duration(load.ramp_ms)}" if load.callers > 1 and load.ramp_ms else ""
    return f"{load.callers:,} at a time{ramp}"


def _arrivals(load: LoadConfig) -> str:
    cap = "" if load.max_open is None else f", at most {load.max_open:,} open at once"
    if load.rate_per_min is not None:
        return f"arriving {_HOW[load.arrival]} at {format_rate(load.rate_per_min)}{cap}"
    more = len(load.schedule) - MOST_RATES
    rates = ", then ".join(_rate(step) for step in load.schedule[:MOST_RATES])
    return f"arriving at {rates}{f' and {more} more steps' if more > 0 else ''}{cap}"


def _rate(step: RateStep) -> str:
    return f"{format_rate(step.rate_per_min)} from {_duration(step.at_ms) if step.at_ms else 'the start'}"


def _warmup(load: LoadConfig) -> str:
    """Warm-up comes on top of the bound of its own kind, and is the first part of the other one."""
    if not load.warmup_sessions and not load.warmup_ms:
        return ""
    shown = _count(load.warmup_sessions, "call") if load.warmup_sessions else _duration(load.warmup_ms)
    bound = load.sessions if load.warmup_sessions else load.duration_ms
    if bound is not None:
        return f"; before that {shown} of warm-up"
    return f"; the first {shown} {'is' if load.warmup_sessions == 1 else 'are'} warm-up"
