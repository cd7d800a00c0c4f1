"""The load of one level of a search, as an ordinary load.

In: the `load:` block with its search, and a level. Out: a `LoadConfig` for that level alone, and its name in the rows.
Trap: a level ends when it is decided, so the time here is only the longest that it may take.
"""

from __future__ import annotations

from bench.config.units import format_rate
from bench.scenario.run_config import LoadConfig
from bench.scenario.search_config import SearchConfig

JOINING = 0.8
"""Part of the settling time over which callers join."""
SETTLE_S = (5.0, 20.0)
"""Shortest and longest time in which a level settles where the scenario does not say."""
CONFIRMING = 4
"""How many times as long a level may take that is to be made sure."""
_SPARE_MS = 600_000
"""Calls are planned beyond the end of a level, so that its last seconds are as loaded as its first."""


def judged_ms(load: LoadConfig, *, confirm: bool = False) -> int:
    """How long a level is judged for at most, after it has settled."""
    assert load.search is not None
    return load.search.level_ms * (CONFIRMING if confirm else 1)


def settling_ms(search: SearchConfig, call_s: float) -> int:
    """How long a level settles, if a call lasts `call_s`.

    Callers of a pool who all begin at once stay in step and load the target in bursts, so they join over a call's
    length, within `SETTLE_S`. A rate of calls settles for a whole call at least, for only then as many are open as
    there will be.
    """
    call_ms = round(1000 * call_s)
    if search.rated:
        return max(search.settle_ms or 0, call_ms)
    low, high = (round(1000 * bound_s) for bound_s in SETTLE_S)
    return search.settle_ms if search.settle_ms is not None else min(max(call_ms, low), high)


def level_load(load: LoadConfig, level: float, settle_ms: int) -> LoadConfig:
    """So many callers at a time, joining while the level settles; or calls arriving at so many per minute."""
    search = load.search
    assert search is not None
    most_ms = settle_ms + judged_ms(load, confirm=True) + _SPARE_MS
    if not search.rated:
        ramp_ms = round(settle_ms * JOINING)
        return LoadConfig.model_construct(callers=int(level), ramp_ms=ramp_ms, duration_ms=most_ms, graceful_stop_ms=0)
    return LoadConfig.model_construct(
        arrival="constant",
        rate_per_min=level,
        duration_ms=most_ms,
        max_open=load.max_open,
        most_calls=load.most_calls,
        graceful_stop_ms=0,
    )


def level_name(load: LoadConfig, level: float) -> str:
    """`36-callers`, `12.5-per-min`: the `phase` of its rows."""
    assert load.search is not None
    return f"{level:g}-per-min" if load.search.rated else f"{int(level)}-callers"


def level_text(level: float, *, rated: bool) -> str:
    """`36 calls at a time`, `12.5 calls/min`, for reading."""
    if rated:
        return f"{level:,.4g} calls/min"
    return f"{int(level):,} call{'' if level == 1 else 's'} at a time"


def search_sentence(load: LoadConfig) -> str:
    """`a search for the most calls at a time, from 4 to 256`."""
    search = load.search
    assert search is not None
    shown = [
        format_rate(level) if isinstance(level, float) else str(level)
        for level in (search.start, search.highest(load.planned_peak))
    ]
    what = "calls per minute" if search.rated else "calls at a time"
    return f"a search for the most {what} that are carried, from {shown[0]} to {shown[1]}"
