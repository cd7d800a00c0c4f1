"""The load of a scenario as one sentence, for `--dry-run`, the manifest and the report.

In: a checked `load:` block and the number of turns of a call. Out: how many calls, of how many turns, started when.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.config.units import format_duration, spaced
from bench.scenario.load_shapes import shape_of
from bench.scenario.run_config import LoadConfig
from bench.scenario.search_levels import search_sentence


def load_sentence(load: LoadConfig, turns: int, targets: Sequence[str] = ()) -> str:
    """`12 calls of 2 turns each, 6 at a time, ramped up over 3 s`; `targets`: names of those that are interleaved."""
    each = f" of {_count(turns, 'turn')} each"
    if load.search is not None:
        return f"{search_sentence(load)}, calls{each}"
    if load.phases:
        calls = f"calls{each}"
    elif load.sessions is not None:
        calls = f"{_count(load.sessions, 'call')}{each}"
    else:
        calls = f"calls{each}, begun for {spaced(format_duration(load.duration_ms or 0))}"
    among = f", to {', '.join(targets[:-1])} and {targets[-1]} in random turn" if len(targets) > 1 else ""
    return f"{calls}, {shape_of(load).describe()}{among}{_warmup(load)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _warmup(load: LoadConfig) -> str:
    """Warm-up comes on top of the bound of its own kind, and is the first part of the other one."""
    if not load.warmup_sessions and not load.warmup_ms:
        return ""
    shown = _count(load.warmup_sessions, "call") if load.warmup_sessions else spaced(format_duration(load.warmup_ms))
    bound = load.sessions if load.warmup_sessions else load.duration_ms
    if bound is not None:
        return f"; before that {shown} of warm-up"
    return f"; the first {shown} {'is' if load.warmup_sessions == 1 else 'are'} warm-up"
