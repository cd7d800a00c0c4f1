"""A run on disk as series: all of them, as its report has it.

In: a stored `Run` and its `Summary`. Out: series in a fixed order.
"""

from __future__ import annotations

from bench.export.family import Series
from bench.export.now import end_series, run_series
from bench.export.totals import Totals, totals_of
from bench.report.findings import Summary
from bench.report.thresholds import objectives_of
from bench.report.view import view_of
from bench.store.reader import Run


def stored_series(run: Run, summary: Summary) -> list[Series]:
    """Everything that is exported of a run that ended."""
    totals = totals_of(view_of(run), objectives_of(run.manifest), whole=True)
    return [*run_series(run.manifest), *end_series(summary), *in_order(totals)]


def in_order(totals: Totals) -> list[Series]:
    """Its series by name, so that two exports of a run are the same."""
    return [totals.series[name] for name in sorted(totals.series)]
