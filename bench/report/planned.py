"""The load that a scenario asks for, as one sentence.

In: the scenario as the manifest keeps it, plain data with durations and rates as text. Out: a sentence.
Trap: a manifest of an older or newer version may lack keys or hold unknown ones; what cannot be said as a sentence is
listed as it stands, never left out.
"""

from __future__ import annotations

import re
from typing import Any

_UNITS = {"ms": "ms", "s": "s", "m": "min", "h": "h"}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def load_sentence(scenario: dict[str, Any]) -> str:
    """How many calls, of how many turns, begun when; "-" when the scenario says nothing about load."""
    load = scenario.get("load")
    if not isinstance(load, dict) or not load:
        return "-"
    how = _pool(load) if load.get("arrival", "closed") == "closed" else _arrivals(load)
    if how is None:
        return ", ".join(f"{name} {value}" for name, value in settings(load)) or "-"
    return "".join([_calls(scenario, load), ", ", how, _warmup(load)])


def settings(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Settings of a scenario's block, nested ones dotted, absent ones left out."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in settings(item, f"{name}.{key}" if name else str(key))]
    return [] if value is None or value in ([], "") else [(name, str(value))]


def spaced(duration: object) -> str:
    """`1m30s` as `1 min 30 s`; anything else as it is."""
    parts = _PART.findall(str(duration))
    if "".join(count + unit for count, unit in parts) != str(duration):
        return str(duration)
    return " ".join(f"{count} {_UNITS[unit]}" for count, unit in parts)


def _calls(scenario: dict[str, Any], load: dict[str, Any]) -> str:
    steps = scenario.get("conversation")
    turns = sum(isinstance(step, dict) and "say" in step for step in steps) if isinstance(steps, list) else 0
    each = f" of {turns} turn{'' if turns == 1 else 's'} each" if turns else ""
    if load.get("sessions") is not None:
        sessions = load["sessions"]
        shown = f"{sessions:,}" if isinstance(sessions, int) else str(sessions)
        return f"{shown} call{'' if sessions == 1 else 's'}{each}"
    if load.get("duration") is not None:
        return f"calls{each}, begun for {spaced(load['duration'])}"
    return f"calls{each}"


def _pool(load: dict[str, Any]) -> str | None:
    callers = load.get("callers")
    if not isinstance(callers, int):
        return None
    ramp = load.get("ramp")
    return f"{callers:,} at a time" + (f", ramped up over {spaced(ramp)}" if callers > 1 and not _none(ramp) else "")


def _arrivals(load: dict[str, Any]) -> str | None:
    kinds = {"constant": "evenly spaced", "poisson": "at random (Poisson)"}
    cap = load.get("max_open")
    bound = f", at most {cap:,} open at once" if isinstance(cap, int) else ""
    if load["arrival"] in kinds and load.get("rate") is not None:
        return f"arriving {kinds[load['arrival']]} at {load['rate']}{bound}"
    steps = load.get("schedule")
    if load["arrival"] == "schedule" and isinstance(steps, list) and all(isinstance(step, dict) for step in steps):
        rates = ", then ".join(f"{step.get('rate')} from {_instant(step.get('at'))}" for step in steps[:6])
        more = f" and {len(steps) - 6} more steps" if len(steps) > 6 else ""
        return f"arriving at {rates}{more}{bound}"
    return None


def _instant(at: object) -> str:
    return "the start" if _none(at) else spaced(at)


def _none(duration: object) -> bool:
    return not duration or str(duration) in {"0", "0ms"}


def _warmup(load: dict[str, Any]) -> str:
    """Warm-up comes on top of the bound of its own kind, and is the first part of the other one."""
    warmup = load.get("warmup")
    if _none(warmup):
        return ""
    counted = isinstance(warmup, int)
    shown = f"{warmup:,} call{'' if warmup == 1 else 's'}" if isinstance(warmup, int) else spaced(warmup)
    on_top = load.get("sessions" if counted else "duration") is not None
    return (
        f"; before that {shown} of warm-up"
        if on_top
        else f"; the first {shown} {'is' if warmup == 1 else 'are'} warm-up"
    )
