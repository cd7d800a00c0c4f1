"""The points of the charts, few enough for a page whatever the size of the run.

In: a `View`. Out: `Charts`.
Trap: dots are a sample of a large run, and the chart says so; medians, distributions and failures counted beside them
are over every row. Nothing here is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bench.measure.metrics import Metric, headline_latencies, milestones
from bench.report.findings_charts import Charts, Curve, LoadBin, LoadChart, PhaseBand, Reached, SlowTurn, TimeChart
from bench.report.latency import interval
from bench.report.planned_phases import phases_of
from bench.report.stats import Floats, percentiles
from bench.report.traffic import traffic
from bench.report.view import Mask, View, equals, load_bins, text

MIN_DOTS = 3
MOST_DOTS = 1500
MOST_FAILURES = 400
MOST_SLICES = 60
CURVE_POINTS = 160
SLOWEST = 15
_SEED = 7


def charts(view: View) -> Charts:
    """Everything that is drawn. A chart without any point is None or empty."""
    metric = headline(view)
    if metric is None:
        return Charts(over_time=None, distribution=[], by_load=None, traffic=traffic(view), slowest=[])
    return Charts(
        metric_title=metric.title,
        over_time=_over_time(view, metric),
        distribution=[
            curve for shown, mark in milestones() if mark.curve and (curve := curve_of(view, shown)) is not None
        ],
        by_target=[
            curve.model_copy(update={"title": name})
            for name in view.run.manifest.interleaved
            if (curve := curve_of(view, metric, equals(view.turns, "target", name))) is not None
        ],
        by_load=_by_load(view, metric),
        traffic=traffic(view),
        slowest=_slowest(view, metric),
    )


def headline(view: View, part: Mask | None = None) -> Metric | None:
    """The latency that stands for the run, or for a part of its turns: first audible, or the nearest thing that was
    measured."""
    preferred = headline_latencies()
    answered = view.answered if part is None else view.answered & part
    measured = (metric for metric in preferred if (answered & ~np.isnan(view.turn[metric.name])).any())
    return next(measured, preferred[0] if len(view.turns) else None)


def _over_time(view: View, metric: Metric) -> TimeChart | None:
    values = view.turn[metric.name]
    begun = view.turn["started_at"] - view.origin_s
    shown = view.answered & ~np.isnan(values) & ~np.isnan(begun)
    failed = view.measured & ~view.answered & ~np.isnan(begun)
    if int(shown.sum()) < MIN_DOTS:
        return None
    at, ms = begun[shown], values[shown]
    dots = _sample(len(at), MOST_DOTS)
    end = float(np.nanmax(begun))
    medians = _medians(at, ms, end)
    warm = begun[view.warmup & ~np.isnan(begun)]
    bands = _bands(view, end)
    lost = np.sort(begun[failed])
    return TimeChart(
        metric=metric.name,
        title=metric.title,
        n=len(at),
        shown=len(dots),
        at_s=_rounded(at[dots], 2),
        ms=_rounded(ms[dots], 1),
        median_at_s=[at_s for at_s, _ in medians],
        median_ms=[value for _, value in medians],
        failed_at_s=_rounded(lost[_sample(len(lost), MOST_FAILURES)], 2),
        failed_n=len(lost),
        warmup_until_s=round(float(warm.max()), 2) if len(warm) and not bands else None,
        end_s=round(end, 2),
        phases=bands,
    )


def _bands(view: View, end_s: float) -> list[PhaseBand]:
    """Where the phases lie on the axis; none where the run has none, or did not keep when its first call was due."""
    manifest = view.run.manifest
    if manifest.calls_began_at is None:
        return []
    began_s = (manifest.calls_began_at - manifest.started_at).total_seconds()
    spans = [(each.name, began_s + each.begin_ms / 1000, began_s + each.end_ms / 1000) for each in phases_of(manifest)]
    return [
        PhaseBand(name=name, from_s=round(from_s, 2), until_s=round(min(until_s, end_s), 2))
        for name, from_s, until_s in spans
        if from_s < end_s
    ]


def _medians(at: Floats, ms: Floats, end: float) -> list[tuple[float, float]]:
    """The median of each slice of the run that holds at least three turns, at the middle of the slice."""
    slices = int(np.clip(len(at) // 8, 1, MOST_SLICES))
    width = max(end, 1e-9) / slices
    codes = np.clip((at / width).astype(np.intp), 0, slices - 1)
    order = np.argsort(codes, kind="stable")
    parts = np.split(ms[order], np.cumsum(np.bincount(codes, minlength=slices))[:-1])
    return [
        (round((number + 0.5) * width, 2), round(float(np.median(part)), 1))
        for number, part in enumerate(parts)
        if len(part) >= 3
    ]


def curve_of(view: View, metric: Metric, part: Mask | None = None) -> Curve | None:
    """The share of turns of `part` that had reached `metric`, over time, answered in the end or not.

    Answered turns without a value are left out: their protocol or kind of turn has no such milestone. None where too
    few turns have one.
    """
    values = view.turn[metric.name]
    here = np.ones(len(values), dtype=np.bool_) if part is None else part
    # A turn that failed later may have reached this milestone; one that never did stays in the denominator.
    known = view.measured & ~np.isnan(values) & here
    asked = int((known | (view.measured & ~view.answered & here)).sum())
    if int(known.sum()) < MIN_DOTS:
        return None
    ordered = np.sort(values[known])
    ranks = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), CURVE_POINTS)).round().astype(np.intp))
    return Curve(
        name=metric.name,
        title=metric.title,
        n=len(ordered),
        ms=_rounded(ordered[ranks], 1),
        share=_rounded((ranks + 1) / asked, 5),
    )


def _by_load(view: View, metric: Metric) -> LoadChart | None:
    values, load = view.turn[metric.name], view.turn["open_sessions"]
    known = view.answered & ~np.isnan(values) & ~np.isnan(load)
    if not known.any():
        return None
    values, load, calls = values[known], load[known], view.calls_of_turns[known]
    low, high, width = load_bins(load)
    codes = ((load - low) // width).astype(np.intp)
    bins = []
    for code in np.unique(codes):
        here = codes == code
        first = low + int(code) * width
        p50, p95 = percentiles(values[here], calls[here], (50, 95)).estimates
        bins.append(
            LoadBin(
                low=first,
                high=min(high, first + width - 1),
                n=int(here.sum()),
                p50=None if p50.value is None else round(p50.value, 1),
                p95=None if p95.value is None else round(p95.value, 1),
                p50_interval=interval(p50),
                p95_interval=interval(p95),
            )
        )
    return LoadChart(metric=metric.name, title=metric.title, bins=bins)


def _slowest(view: View, metric: Metric) -> list[SlowTurn]:
    values = view.turn[metric.name]
    rows = np.flatnonzero(view.answered & ~np.isnan(values))
    return slow_turns(view, metric, rows[np.lexsort((rows, -values[rows]))][:SLOWEST])


def slow_turns(view: View, metric: Metric, rows: Iterable[int]) -> list[SlowTurn]:
    """The milestones of the turns at `rows`, which all have the value of `metric`."""
    values = view.turn[metric.name]
    passed = [(metric.name, mark.title, view.turn[metric.name]) for metric, mark in milestones()]
    load = view.turn["open_sessions"]
    slow = []
    shown = view.turns[["session_id", "turn", "fixture"]]  # a row of all columns takes many times as long
    for at in rows:
        row = shown.iloc[int(at)]
        marks = [
            Reached(name=name, title=title, at_ms=round(float(reached[at]), 1))
            for name, title, reached in passed
            if not np.isnan(reached[at])
        ]
        slow.append(
            SlowTurn(
                session_id=str(row["session_id"]),
                turn=int(row["turn"]),
                fixture=text(row["fixture"]) or "-",
                open_sessions=None if np.isnan(load[at]) else int(load[at]),
                first_audible_ms=round(float(values[at]), 1),
                marks=sorted(marks, key=lambda mark: mark.at_ms),
            )
        )
    return slow


def _sample(n: int, most: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Indices of at most `most` of `n` rows, the same ones every time."""
    if n <= most:
        return np.arange(n, dtype=np.intp)
    return np.sort(np.random.default_rng(_SEED).choice(n, most, replace=False)).astype(np.intp)


def _rounded(values: Floats, decimals: int) -> list[float]:
    rounded: list[float] = np.round(values, decimals).tolist()
    return rounded
