"""The load of one level of a search, as an ordinary load.

In: the `load:` block with its search, and a level. Out: a `LoadConfig` for that level alone, and its name in the rows.
Trap: a level ends when it is decided, so the time here is only the longest that it may take.
"""

from __future__ import annotations

from bench.config.units import format_rate
from bench.scenario.run_config import LoadConfig

JOINING = 0.8
"""Part of the settling time over which callers join."""
CONFIRMING = 4
"""How many times as long a level may take that is to be made sure."""
_SPARE_MS = 600_000
"""Calls are planned beyond the end of a level, so that its last seconds are as loaded as its first."""


def judged_ms(load: LoadConfig, *, confirm: bool = False) -> int:
    """How long a level is judged for at most, after it has settled."""
    assert load.search is not None
    return load.search.level_ms * (CONFIRMING if confirm else 1)


def level_load(load: LoadConfig, level: float) -> LoadConfig:
    """So many callers at a time, joining while the level settles; or calls arriving at so many per minute."""
    search = load.search
    assert search is not None
    most_ms = search.settle_ms + judged_ms(load, confirm=True) + _SPARE_MS
    if not search.rated:
        ramp_ms = round(search.settle_ms * JOINING)
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
