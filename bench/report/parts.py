"""Figures of a part of the turns, such as those of one target or of one phase.

In: a `View` and a mask. Out: waits, and `Figure`s. Trap: a turn that nobody answered waits for ever; left out, it would
make a server fast that drops its slow turns.
"""

from __future__ import annotations

import numpy as np

from bench.measure.metrics import Metric
from bench.report.findings_parts import Figure, Rate
from bench.report.stats import Estimate, Floats, percentiles
from bench.report.view import Mask, View


def waits_in(view: View, metric: Metric, part: Mask) -> tuple[Floats, Mask]:
    """The latency of the measured turns of `part`, infinite where nobody answered, and which turns those are."""
    values = view.turn[metric.name]
    lost = part & view.measured & ~view.answered
    rows = lost | (part & view.answered & ~np.isnan(values))
    return np.where(lost, np.inf, values)[rows], rows


def middle_and_tail(view: View, metric: Metric | None, part: Mask) -> tuple[Figure, Figure]:
    """The median and the 95th percentile of the waits of `part`, with limits that resample whole calls."""
    if metric is None:
        return Figure(), Figure()
    waits, rows = waits_in(view, metric, part)
    middle, bad = percentiles(waits, view.calls_of_turns[rows], (50.0, 95.0)).estimates
    return figure_of(middle), figure_of(bad)


def figure_of(estimate: Estimate) -> Figure:
    """An estimate as data."""
    low, high = estimate.limits or (None, None)
    return Figure(value=estimate.value, low=low, high=high)


def figure_of_rate(rate: Rate) -> Figure:
    """A share as data."""
    low, high = (rate.interval.low, rate.interval.high) if rate.interval else (None, None)
    return Figure(value=rate.rate, low=low, high=high)
