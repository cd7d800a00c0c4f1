"""Targets that were called in turn, side by side: the same figures for each, the best first.

In: a `View` of a run with several targets. Out: a `TargetsReport`; None for a run with one.
Trap: the rank counts a turn that nobody answered as never, or a target that drops its slow turns would come first.
"""

from __future__ import annotations

import math

import numpy as np

from bench.measure.metrics import Metric
from bench.report.chartdata import headline
from bench.report.findings_targets import Figure, TargetRow, TargetsReport
from bench.report.money import cost_per_minute
from bench.report.shares import share
from bench.report.stats import Estimate, percentile, percentiles
from bench.report.view import Mask, View, equals
from bench.report.wer_tables import pooled_rate
from bench.store.manifest import CalledTarget


def targets_report(view: View) -> TargetsReport | None:
    """Every target of the run, also one that never answered."""
    if not view.run.manifest.interleaved:
        return None
    metric = headline(view)
    found = [_row(view, target, metric) for target in view.run.manifest.targets]
    found.sort(key=lambda each: (each[0], each[1].name))
    rows = [row.model_copy(update={"rank": place}) for place, (_, row) in enumerate(found, start=1)]
    return TargetsReport(
        metric=metric.name if metric else None, title=metric.title if metric else "first audible", rows=rows
    )


def turns_of(view: View, name: str) -> Mask:
    """The turns of one target."""
    return equals(view.turns, "target", name)


def calls_of(view: View, name: str) -> Mask:
    """The calls of one target."""
    return equals(view.sessions, "target", name)


def _row(view: View, target: CalledTarget, metric: Metric | None) -> tuple[tuple[float, float], TargetRow]:
    """The row of a target, and what it is sorted by."""
    name = target.name or "-"
    turns, calls = turns_of(view, name), calls_of(view, name)
    measured, answered = view.measured & turns, view.answered & turns
    rate = share(view, "error_rate").rate(turns)
    p50, p95, key = Figure(), Figure(), (math.inf, math.inf)
    if metric is not None:
        values = view.turn[metric.name]
        known = answered & ~np.isnan(values)
        middle, bad = percentiles(values[known], view.calls_of_turns[known], (50.0, 95.0)).estimates
        p50, p95 = _figure(middle), _figure(bad)
        lost = measured & ~view.answered
        waits = np.sort(np.where(lost, np.inf, values)[known | lost])
        if len(waits):
            key = (percentile(waits, 50), 1.0 - len(values[known]) / len(waits))
    return key, TargetRow(
        name=name,
        rank=0,
        url=target.url,
        model=target.model,
        calls=int((view.calls_measured & calls).sum()),
        ready=int((view.calls_measured & view.calls_ready & calls).sum()),
        turns=int(measured.sum()),
        answered=int(answered.sum()),
        p50=p50,
        p95=p95,
        error_rate=Figure(
            value=rate.rate,
            low=rate.interval.low if rate.interval else None,
            high=rate.interval.high if rate.interval else None,
        ),
        errors=rate.events,
        wer=_figure(pooled_rate(view, "wer", turns)[0]),
        cost_per_minute_usd=_figure(cost_per_minute(view, calls)[0]),
    )


def _figure(estimate: Estimate) -> Figure:
    low, high = estimate.limits or (None, None)
    return Figure(value=estimate.value, low=low, high=high)
