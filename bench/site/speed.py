"""The speed page: all targets of a scenario side by side, by region and frame size.

In: series. Out: `SpeedTable`s. Trap: two regions or two frame sizes of one target are two rows; their nights are never
put together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.measure.metrics import METRICS
from bench.site.recent import Recent, getter, last_nights, recent_of
from bench.site.windows import Key, Night, Series

MEASURES = (
    "first_audible_ms: p50",
    "first_audible_ms: p95",
    "first_audio_ms: p50",
    "first_audio_ms: p95",
    "ttft_ms: p50",
    "ttft_ms: p95",
    "caption_final_ms: p50",
    "caption_final_ms: p95",
    "endpoint_ms: p50",
    "barge_in_stop_ms: p50",
    "session_ready_ms: p50",
    "text_tokens_per_s: p50",
)


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """A target in one region with one frame size."""

    key: Key
    region: str
    frame: str
    transport: str
    figures: dict[str, Recent]
    newest: Night
    behind: tuple[Night, ...] = ()
    """The runs that the figures are made of, oldest first."""
    bar: float | None = None
    """Its first median as a share of the longest of the table."""


@dataclass(frozen=True, slots=True)
class SpeedTable:
    """All targets of one scenario, the fastest first. `measures` are those that any of them has."""

    scenario: str
    description: str
    measures: tuple[str, ...]
    rows: tuple[SpeedRow, ...]


def speed(every: Sequence[Series]) -> list[SpeedTable]:
    """A table for each scenario that has a latency."""
    by_scenario: dict[str, list[Series]] = {}
    for series in every:
        by_scenario.setdefault(series.scenario, []).append(series)
    found = []
    for scenario, members in by_scenario.items():
        rows = [row for series in members for row in _rows(series)]
        measures = tuple(each for each in MEASURES if any(each in row.figures for row in rows))
        if not measures:
            continue
        first = measures[0]
        values = [value for row in rows if (value := _value(row, first)) is not None and value != math.inf]
        longest = max(values, default=0.0)
        rows.sort(key=lambda row: (_value(row, first) or math.inf, row.key))
        placed = [replace(row, bar=_bar(_value(row, first), longest)) for row in rows]
        description = max((n.run for s in members for n in s.nights), key=lambda run: run.started_at).description
        found.append(SpeedTable(scenario, description, measures, tuple(placed)))
    return found


def _bar(value: float | None, longest: float) -> float | None:
    return value / longest if value is not None and longest > 0 and value != math.inf else None


def _value(row: SpeedRow, measure: str) -> float | None:
    found = row.figures.get(measure)
    return found.value if found is not None else None


def _rows(series: Series) -> list[SpeedRow]:
    places: dict[tuple[str, str], list[Night]] = {}
    for night in series.nights:
        places.setdefault((night.run.region, night.run.frame), []).append(night)
    found = []
    for (region, frame), nights in places.items():
        part = Series(series.scenario, series.key, nights)
        last = last_nights(part)
        figures = {measure: figure for measure in MEASURES if (figure := recent_of(last, getter(measure))).nights}
        if last and figures:
            found.append(SpeedRow(series.key, region, frame, last[-1].target.transport, figures, last[-1], tuple(last)))
    return found


def title_of(measure: str) -> tuple[str, str]:
    """`First audible, ms` and `median`."""
    name, _, fold = measure.partition(": ")
    metric = METRICS[name]
    title = metric.title[0].upper() + metric.title[1:]
    unit = "" if metric.unit in metric.title else f", {metric.unit}"
    return f"{title}{unit}", "median" if fold == "p50" else fold
