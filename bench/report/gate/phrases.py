"""The outcome of the gate in words.

In: a `GateReport`. Out: short texts. Trap: a pass says little by itself; what would have been seen stands beside it.
"""

from __future__ import annotations

import math

from bench.report.compare.phrases import name_of, relative, value_text
from bench.report.findings_differences import MetricDifference
from bench.report.gate.findings import GateReport, GateRow
from bench.report.phrases import MISSING, amount, percent, signed

MARKS = {"pass": "✅", "regression": "❌", "no data": "⚠️", "not usable": "⚠️"}
NEVER_P = 0.0005


def as_difference(row: GateRow) -> MetricDifference:
    """The row as the difference between baseline and run, which the words of comparisons can say."""
    return MetricDifference(
        measure=row.measure,
        metric=row.metric,
        title=row.title,
        fold=row.fold,
        unit=row.unit,
        decimals=row.decimals,
        a=row.baseline,
        b=row.value,
        value=row.change,
    )


def title_of(row: GateRow) -> str:
    """`First audible p50, ms`."""
    return name_of(as_difference(row))


def shown(row: GateRow, value: float | None) -> str:
    """A figure in the unit of the measure, without it where the title has it."""
    return value_text(as_difference(row), value)


def size(row: GateRow, value: float | None) -> str:
    """A difference without a sign, with its share of the baseline: `34 ms (4.6 %)`."""
    if value is None:
        return MISSING
    said = signed(value, row.unit, row.decimals).lstrip("+-")
    share = relative(as_difference(row), value).lstrip("+-")
    return said if share in {MISSING, ""} else f"{said} ({share})"


def change(row: GateRow) -> str:
    """`+46 ms (+6.5 %)`."""
    if row.change is None:
        return MISSING
    share = relative(as_difference(row), row.change)
    said = signed(row.change, row.unit, row.decimals)
    return said if share == MISSING else f"{said} ({share})"


def probability(value: float | None) -> str:
    """`0.012`; what is smaller than chance can say is `< 0.001`."""
    if value is None:
        return MISSING
    return "< 0.001" if value < NEVER_P else f"{value:.3f}"


def _equal(said: str) -> str:
    return said if said.startswith("<") else f"= {said}"


def named(row: GateRow) -> str:
    """`first audible p50`."""
    return f"{row.title}{f' {row.fold}' if row.fold else ''}"


def with_unit(row: GateRow, value: float | None) -> str:
    """`743 ms`."""
    return f"{shown(row, value)}{f' {row.unit}' if row.unit in {'ms', 's', 'tokens/s', 'words/min', 'x'} else ''}"


def regression_sentence(row: GateRow) -> str:
    """What was seen, against what is usual: the first thing that a reader of a failed job needs."""
    usual = with_unit(row, row.baseline)
    if row.value is not None and math.isinf(row.value):
        return f"{named(row)} = never: so many turns were not answered; usual is {usual}"
    beyond = "over" if row.worse == "higher" else "under"
    return (
        f"{named(row)} = {with_unit(row, row.value)}, {change(row)} against {usual}; "
        f"alarm {beyond} {with_unit(row, row.bound)}; p {_equal(probability(row.p_adjusted))}"
    )


def not_back_sentence(row: GateRow) -> str:
    """Of a measure that was a regression in an earlier run."""
    return (
        f"{named(row)} was a regression and is not back: {with_unit(row, row.value)}, worse than each of the runs to "
        f"judge by (usual: {with_unit(row, row.baseline)}); later runs are not judged by this one"
    )


def row_why(row: GateRow) -> str:
    return f"{named(row)}: {row.why or row.verdict}"


def head(report: GateReport) -> str:
    """`nightly: REGRESSION (exit code 7)`."""
    return f"{report.run.scenario}: {report.verdict.upper()} (exit code {report.exit_code})"


def power_sentence(report: GateReport) -> str:
    """What the gate would have seen, and how often it alarms for nothing."""
    if not report.family:
        return "Nothing was judged."
    first = report.family[0]
    return (
        f"A change of {named(first)} by {size(first, first.detectable)} for the worse is found in "
        f"{100 * report.power:g} of 100 runs. {alarm_sentence(report)}"
    )


def alarm_sentence(report: GateReport) -> str:
    """How often the gate alarms for nothing."""
    simulated = (
        "" if report.false_alarms is None else f" ({percent(report.false_alarms)} in a simulation of this window)"
    )
    return f"Where nothing changed, at most {percent(report.alpha, 0)} of runs raise an alarm{simulated}."


def how(report: GateReport) -> list[str]:
    """How the gate judges, for whoever asks."""
    return [
        "A regression is a change for the worse that is both unlikely by chance and large enough to matter.",
        f"Chance: the figures of the {amount(len(report.window), 'run')} differ by their spread, which holds what "
        "changes from night to night and the error of each night's calls; the run is one more draw of the same kind (a "
        "prediction interval of Student's t). Of it by calls: the part that the calls of a night alone would give.",
        f"{amount(len(report.family), 'measure')} are judged together by Holm's method. {alarm_sentence(report)} "
        "Beyond the alarm bound a measure alarms whatever the others do.",
        f"Would be found: the smallest true change that {100 * report.power:g} of 100 such runs show.",
        "Assumed: nights are independent and alike. A window that drifts is named.",
    ]


def drift_sentences(report: GateReport) -> list[str]:
    """Measures that moved within the window itself."""
    return [
        f"{named(row)}: a drift of {signed(row.drift, row.unit, row.decimals)} a run within the window"
        for row in report.family
        if row.drift is not None
    ]
