"""A run over time, slice by slice: latency, turns, errors, open calls.

In: a `View` and what was seen of open calls while the run went on. Out: lists of one value per slice, for the charts
of the live page.
Trap: the latency and the error of a turn belong to the slice in which it began, as in the report; turns per minute
count it where it ended, or the rate of a run under way would always seem to fall. A p95 needs 20 turns: where a slice
has fewer, as many before it count too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bench.measure.metrics import METRICS
from bench.report.chartdata import headline
from bench.report.latency import rows_of
from bench.report.stats import Codes, Floats, percentile, supported
from bench.report.view import View

MOST_SLICES = 60
TURNS_PER_SLICE = 8
TURNS_OF_P95 = 20
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)

Point = tuple[float, int, int]
"""Seconds since the first call was due, calls open, callers talking."""


def width_of(elapsed_s: float, turns: int) -> int:
    """Seconds in a slice: so many that most have some turns, few enough for a chart, and a number that reads well."""
    least_s = max(elapsed_s / MOST_SLICES, elapsed_s * TURNS_PER_SLICE / turns if turns else 0.0)
    most_s = max(elapsed_s / MOST_SLICES, elapsed_s / 4)
    return next((width for width in WIDTHS_S if width >= min(least_s, most_s)), WIDTHS_S[-1])


def slices(view: View, elapsed_s: float, points: Sequence[Point] = ()) -> dict[str, Any]:
    """The run in slices of `width_s`; without `points` the open calls are those that left a row."""
    width = width_of(elapsed_s, len(view.turns))
    count = max(1, int(np.ceil(elapsed_s / width)))
    edges: Floats = np.arange(count + 1, dtype=np.float64) * width
    begun = view.turn["started_at"] - began_s(view)
    ended = np.fmax(view.turn["ended_at"] - began_s(view), begun)
    slots = _slots(begun, width, count)
    failed = view.measured & ~view.answered
    # The last slice has just begun: its turns are counted over the part of it that has passed.
    lasted = np.minimum(edges[1:], max(elapsed_s, 1e-9)) - edges[:-1]
    found: dict[str, Any] = {
        "width_s": width,
        "turns_per_min": [
            round(60 * turns / seconds, 1) if seconds > width / 2 else None
            for turns, seconds in zip(_counted(_slots(ended, width, count), count), lasted.tolist(), strict=True)
        ],
        "errors": _counted(slots[failed], count),
    }
    first = headline(view) or METRICS["first_audible_ms"]
    found["headline"] = first.title
    for name, metric in (("headline", first), ("ttft", METRICS["ttft_ms"])):
        values = view.turn[metric.name]
        here, _ = rows_of(view, metric, values)
        found[f"{name}_p50"], found[f"{name}_p95"] = _latency(values[here], begun[here], edges[1:])
    found["open"], found["talking"] = (
        _of_points(points, width, count) if points else (_open_from_rows(view, edges), [None] * count)
    )
    return found


def _latency(values: Floats, begun: Floats, ends: Floats) -> tuple[list[float | None], list[float | None]]:
    """p50 of the turns of each slice, and p95 of these and of as many before them as a p95 needs."""
    order = np.argsort(begun, kind="stable")
    values, until = values[order], np.searchsorted(begun[order], ends, side="left")
    until[-1] = len(values)
    middles: list[float | None] = []
    tails: list[float | None] = []
    for first, last in zip([0, *until[:-1].tolist()], until.tolist(), strict=True):
        enough = values[min(first, max(0, last - TURNS_OF_P95)) : last]
        middles.append(_percentile(values[first:last], 50))
        tails.append(_percentile(enough, 95) if last > first else None)
    return middles, tails


def _percentile(values: Floats, percent: float) -> float | None:
    return round(percentile(np.sort(values), percent), 1) if supported(len(values), percent) else None


def began_s(view: View) -> float:
    """Wall-clock seconds at which the first call was due; of an older run, at which it began."""
    manifest = view.run.manifest
    return (manifest.calls_began_at or manifest.started_at).timestamp()


def _slots(at_s: Floats, width: int, count: int) -> Codes:
    """The slice of each moment, -1 where it is not known."""
    return np.where(np.isnan(at_s), -1, np.clip(np.nan_to_num(at_s) // width, 0, count - 1)).astype(np.intp)


def _counted(slots: Codes, count: int) -> list[int]:
    counted: list[int] = np.bincount(slots[slots >= 0], minlength=count).tolist()
    return counted


def _of_points(points: Sequence[Point], width: int, count: int) -> tuple[list[int | None], list[int | None]]:
    """The most calls open, and callers talking, that were seen in each slice."""
    most: tuple[list[int | None], list[int | None]] = ([None] * count, [None] * count)
    for at_s, *seen in points:
        slot = min(count - 1, int(at_s // width))
        for values, value in zip(most, seen, strict=True):
            before = values[slot]
            values[slot] = value if before is None else max(before, value)
    return most


def _open_from_rows(view: View, edges: Floats) -> list[int]:
    """The most calls open at a time in each slice; a call without an end is open until the last slice."""
    opened = view.call["started_at"] - began_s(view)
    closed = np.where(np.isnan(view.call["ended_at"]), np.inf, view.call["ended_at"] - began_s(view))
    known = ~np.isnan(opened)
    opened, closed = opened[known], closed[known]
    moments = np.concatenate([opened, closed[np.isfinite(closed)]])
    order = np.lexsort((np.repeat([1, 0], [len(opened), len(moments) - len(opened)]), moments))
    steps = np.where(order < len(opened), 1, -1)
    at, level = moments[order], np.cumsum(steps)
    most = []
    for low, high in pairwise(edges.tolist()):
        before = level[np.searchsorted(at, low, side="right") - 1] if len(at) and at[0] <= low else 0
        inside = level[(at > low) & (at < high)]
        most.append(int(max(before, inside.max(initial=0))))
    return most
