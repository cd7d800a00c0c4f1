"""The bounds on errors that hold where a scenario says nothing, in the form of `objectives` of summary.json.

In: the thresholds of a report and its rates. Out: one `ObjectiveResult` for each default bound. The thresholds decide;
this is the older form of the same, which scripts read.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.report.findings import ObjectiveResult
from bench.report.findings_parts import Rate
from bench.report.findings_thresholds import ThresholdResult
from bench.report.phrases import of


def objectives(thresholds: Iterable[ThresholdResult], rates: Iterable[Rate]) -> list[ObjectiveResult]:
    """Every default bound with what was observed."""
    by_name = {rate.name: rate for rate in rates}
    return [
        ObjectiveResult(
            metric=each.metric,
            title=f"{each.title}{''.join(f' of {value}' for value in each.tags.values())}",
            observed=each.observed,
            count=f"{each.events or 0:,} of {each.n:,}" if each.tags else of(by_name[each.metric]),
            bound=each.bound,
            default=True,
            ok=each.ok,
        )
        for each in thresholds
        if each.default and each.metric in by_name
    ]
