"""What a run must keep to pass where its scenario says nothing: the default bounds, and how the run did on them.

In: rates of a report. Out: one `ObjectiveResult` for each bound. A rate without a single case has no data and decides
nothing here: the verdict has words of its own for a run in which nothing happened.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.report.findings import ObjectiveResult, Rate
from bench.report.phrases import of, percent

DEFAULT_BOUNDS = {"error_rate": 0.05, "session_error_rate": 0.05}
"""The most that a rate may be, by metric: one turn and one call of twenty."""


def objectives(rates: Iterable[Rate]) -> list[ObjectiveResult]:
    """Every default bound with what was observed."""
    by_name = {rate.name: rate for rate in rates}
    return [
        ObjectiveResult(
            metric=name,
            title=by_name[name].title,
            observed=by_name[name].rate,
            count=of(by_name[name]),
            bound=most,
            default=True,
            ok=None if by_name[name].rate is None else (by_name[name].rate or 0.0) <= most,
        )
        for name, most in DEFAULT_BOUNDS.items()
        if name in by_name
    ]


def sentence(found: ObjectiveResult) -> str:
    """`turn errors 28.6 % (8 of 28); the default bound is 5 %`."""
    which = "default bound" if found.default else "bound"
    return f"{found.title} {percent(found.observed)} ({found.count}); the {which} is {percent(found.bound)}"
