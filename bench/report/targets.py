"""Targets that were called in turn, side by side: the same figures for each, the best first, and how sure that is.

In: a `View` of a run with several targets. Out: a `TargetsReport`; None for a run with one.
Trap: a turn that nobody answered counts as never, or a target that drops its slow turns would come first. And a target
whose difference from the best cannot be told is not second: it is first as well.
"""

from __future__ import annotations

import math

import numpy as np

from bench.measure.metrics import METRICS, Metric
from bench.report.chartdata import headline
from bench.report.differences import COUNTS, LEVEL, P50, P95, RATIO, SHARE, Difference, Statistic, difference
from bench.report.findings_targets import TargetDifference, TargetRow, TargetsReport
from bench.report.money import cost_per_minute, priced_minutes
from bench.report.parts import figure_of, figure_of_rate, middle_and_tail, waits_in
from bench.report.shares import share
from bench.report.stats import Codes, Floats, percentile, pooled
from bench.report.target_phrases import targets_sentence
from bench.report.view import Mask, View, equals
from bench.report.wer_tables import scored_words
from bench.store.manifest import CalledTarget

Sample = tuple[Floats, Codes]
"""Values of a target, and the round of calls that each belongs to."""


def targets_report(view: View) -> TargetsReport | None:
    """Every target of the run, also one that never answered."""
    if not view.run.manifest.interleaved:
        return None
    metric = headline(view)
    rows = sorted((_row(view, each, metric) for each in view.run.manifest.targets), key=lambda row: _order(view, row))
    pairs = len(rows) * (len(rows) - 1) / 2
    level = 1 - (1 - LEVEL) / pairs
    ranked = [rows[0].model_copy(update={"rank": 1 if rows[0].answered and rows[0].p50.value is not None else None})]
    for place, row in enumerate(rows[1:], start=2):
        found = row.model_copy(update={"differences": _differences(view, rows[0].name, row.name, metric, level)})
        middle = found.median_difference
        told = middle is not None and middle.judged != "cannot tell"
        ranked.append(found.model_copy(update={"rank": _rank(row, place if told else 1)}))
    title = metric.title if metric else "first audible"
    return TargetsReport(
        metric=metric.name if metric else None,
        title=title,
        rows=ranked,
        level=level,
        sentence=targets_sentence(title, ranked),
    )


def _rank(row: TargetRow, place: int) -> int | None:
    """Its place; none without a median, and where it would be first with one that never came."""
    never = not row.answered or row.p50.value == math.inf
    return None if row.p50.value is None or (never and place == 1) else place


def _row(view: View, target: CalledTarget, metric: Metric | None) -> TargetRow:
    name = target.name or "-"
    turns, calls = equals(view.turns, "target", name), equals(view.sessions, "target", name)
    p50, p95 = middle_and_tail(view, metric, turns)
    rate = share(view, "error_rate").rate(turns)
    words, scored = scored_words(view, turns)
    return TargetRow(
        name=name,
        rank=None,
        url=target.url,
        model=target.model,
        calls=int((view.calls_measured & calls).sum()),
        ready=int((view.calls_measured & view.calls_ready & calls).sum()),
        turns=int((view.measured & turns).sum()),
        answered=int((view.answered & turns).sum()),
        p50=p50,
        p95=p95,
        error_rate=figure_of_rate(rate),
        errors=rate.events,
        wer=figure_of(pooled(words[:, 0], words[:, 1], view.calls_of_turns[scored])[0]),
        cost_per_minute_usd=figure_of(cost_per_minute(view, calls)[0]),
    )


def _order(view: View, row: TargetRow) -> tuple[float, float, str]:
    """The median, then the share that was not answered, then the name; what has too few turns for one comes last."""
    metric = headline(view)
    if metric is None or not row.turns:
        return math.inf, math.inf, row.name
    if row.p50.value is None:
        return math.inf, 1 + 1 / row.turns, row.name
    waits, _ = waits_in(view, metric, equals(view.turns, "target", row.name))
    middle = percentile(np.sort(waits), 50) if len(waits) else math.inf
    return middle, 1 - row.answered / row.turns, row.name


def _differences(view: View, best: str, name: str, metric: Metric | None, level: float) -> list[TargetDifference]:
    """How `name` differs from `best` in each figure that both have."""
    found = []
    if metric is not None:
        a, b = (_waits_of(view, metric, each) for each in (best, name))
        found += [_judged(metric, statistic, _between(a, b, statistic, level)) for statistic in (P50, P95)]
    for which, statistic, sample in (
        ("error_rate", SHARE, _errors_of),
        ("wer", COUNTS, _words_of),
        ("cost_per_minute_usd", RATIO, _cost_of),
    ):
        a, b = sample(view, best), sample(view, name)
        found.append(_judged(METRICS[which], statistic, _between(a, b, statistic, level)))
    return [each for each in found if each.value is not None]


def _between(a: Sample, b: Sample, statistic: Statistic, level: float) -> Difference:
    # Calls of one round were made side by side: what both had in common is no difference of theirs.
    return difference(*a, *b, statistic, level=level, paired=True)


def _judged(metric: Metric, statistic: Statistic, found: Difference) -> TargetDifference:
    return TargetDifference(
        metric=metric.name,
        statistic=statistic.label,
        title=metric.title,
        unit=metric.unit,
        value=found.value,
        low=found.low,
        high=found.high,
        detectable=found.detectable,
        judged=found.judged(metric.worse or "higher"),
    )


def _rounds(view: View, rows: Mask, *, of_calls: bool = False) -> Codes:
    """The round of calls, one to each target, that each row belongs to."""
    table = view.call if of_calls else view.turn
    rounds: Codes = (table["session_index"][rows] // len(view.run.manifest.interleaved)).astype(np.intp)
    return rounds


def _waits_of(view: View, metric: Metric, name: str) -> Sample:
    waits, rows = waits_in(view, metric, equals(view.turns, "target", name))
    return waits, _rounds(view, rows)


def _errors_of(view: View, name: str) -> Sample:
    found = share(view, "error_rate")
    rows = found.rows & equals(view.turns, "target", name)
    return np.column_stack([found.events[rows], np.ones(int(rows.sum()))]).astype(np.float64), _rounds(view, rows)


def _words_of(view: View, name: str) -> Sample:
    pairs, rows = scored_words(view, equals(view.turns, "target", name))
    return pairs, _rounds(view, rows)


def _cost_of(view: View, name: str) -> Sample:
    pairs, rows = priced_minutes(view, equals(view.sessions, "target", name))
    return pairs, _rounds(view, rows, of_calls=True)
