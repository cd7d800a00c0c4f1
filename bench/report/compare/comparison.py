"""Stored runs against the first of them: every measure of both, what differs, and what would have been seen.

In: two or more `Run`s, the measures, what matters, and the conditions that are meant to differ. Out: a `Comparison`.
Trap: an interval speaks of these calls alone. What else changed between the two runs (the hour, the network, the load
of a shared endpoint) is inside of the difference and not of the interval.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from string import ascii_uppercase

import numpy as np

from bench import __version__
from bench.config.block import nearest
from bench.errors import BenchError
from bench.report.chartdata import curve_of, headline
from bench.report.compare.conditions import condition_keys, conditions
from bench.report.compare.findings import Comparison, Pair, RunCard
from bench.report.compare.matters import Matters
from bench.report.compare.measures import Sample, sample
from bench.report.differences import LEVEL, POWER, RESAMPLES, SEED, Difference, difference
from bench.report.findings_differences import Condition, MetricDifference, Verdict
from bench.report.health import calibration_of, health
from bench.report.phrases import amount
from bench.report.view import View, view_of
from bench.scenario.threshold_grammar import Measure
from bench.store.manifest import Manifest
from bench.store.reader import Run

MOST_RUNS = 8
"""More runs than this have no letters and colours that a reader could tell apart."""
ALL = "all"


def compare(
    runs: Sequence[Run],
    asked: Sequence[Measure],
    matters: Matters,
    *,
    allow: Collection[str] = (),
    named: bool = False,
) -> Comparison:
    """`runs` against the first. `named`: the measures were asked for one by one, and one that has no value is shown.

    Raises `BenchError` when an allowed condition is not one, when a run stands there twice, or when nothing is left
    that may be compared.
    """
    check_allowed(allow)
    _refuse_twice(runs)
    views = [view_of(run) for run in runs]
    found = [each.model_copy(update={"allowed": allowed(each, allow)}) for each in conditions(views)]
    cards = [card_of(letter, view) for letter, view in zip(ascii_uppercase, views, strict=False)]
    pairs = [
        _pair(card.letter, views[0], view, asked, matters, found, place, named=named)
        for place, (card, view) in enumerate(zip(cards[1:], views[1:], strict=True), start=1)
    ]
    _refuse_nothing(pairs, found)
    metric = headline(views[0])
    curves = []
    for place, (card, view) in enumerate(zip(cards, views, strict=True), start=1):
        curve = curve_of(view, metric) if metric is not None else None
        if curve is not None:
            curves.append(curve.model_copy(update={"name": f"series-{place}", "title": card.letter}))
    return Comparison(
        bench_version=__version__,
        runs=cards,
        conditions=found,
        pairs=pairs,
        level=LEVEL,
        power=POWER,
        resamples=RESAMPLES,
        seed=SEED,
        headline=metric.name if metric else None,
        headline_title=metric.title if metric else "",
        curves=curves,
        warnings=_warnings(cards, found),
    )


def _refuse_twice(runs: Sequence[Run]) -> None:
    """A run against itself, or against a copy of itself, would show that nothing changed."""
    for place, run in enumerate(runs):
        for first in runs[:place]:
            here, there = run.folder.root.resolve(), first.folder.root.resolve()
            if here == there or (run.manifest == first.manifest and run.turns.equals(first.turns)):
                raise BenchError(
                    f"{run.folder.root}: this is the run {run.manifest.run_id} once more"
                    + ("" if here == there else f", as is {first.folder.root}"),
                    hint="name runs of their own; bench history list REPORTS shows what there is",
                )


def check_allowed(allow: Collection[str], *others: str) -> None:
    """Raises `BenchError` for a word that is no condition, and none of `others`."""
    keys = [*condition_keys(), *others]
    for word in allow:
        if word != ALL and word not in keys:
            raise BenchError(
                f"--allow '{word}': no such condition{nearest(word, keys)}",
                hint=f"allowed: {', '.join([*keys, ALL])}",
            )


def allowed(condition: Condition, allow: Collection[str]) -> bool:
    """Whether the user said that this condition is meant to differ."""
    return condition.level == "warn" and (ALL in allow or condition.key in allow)


def same_plan(a: Manifest, b: Manifest) -> bool:
    """Whether calls of the same number say the same in both runs."""
    keys = ("conversation", "load", "targets")
    same = all(a.scenario.get(key) == b.scenario.get(key) for key in keys)
    return same and a.seed is not None and a.seed == b.seed and a.fixtures == b.fixtures


def card_of(letter: str, view: View) -> RunCard:
    """What a comparison says of a run; its verdict is the stored one, unless rows are missing."""
    run = view.run
    target, verdict = run.manifest.target, run.manifest.verdict or "unknown"
    where = "embedded server" if target.embedded else target.url or "-"
    several = ", ".join(run.manifest.interleaved)
    return RunCard(
        letter=letter,
        folder=str(run.folder.root),
        run_id=run.manifest.run_id,
        scenario=run.manifest.scenario_name,
        started_at=run.manifest.started_at,
        target=several or f"{target.model or 'no model named'} at {where}",
        verdict="incomplete" if run.incomplete and verdict != "interrupted" else verdict,
        reasons=run.manifest.reasons or run.reasons,
        trust=health(view, *calibration_of(view)).trust,
        calls=int(view.calls_measured.sum()),
        turns=int(view.measured.sum()),
        answered=int(view.answered.sum()),
    )


def _pair(
    letter: str,
    base: View,
    other: View,
    asked: Sequence[Measure],
    matters: Matters,
    found: Sequence[Condition],
    place: int,
    *,
    named: bool,
) -> Pair:
    # What differs between this run and the first; others of the runs may differ in more.
    here = [each for each in found if each.values[0] != each.values[place]]
    paired = same_plan(base.run.manifest, other.run.manifest)
    rows = []
    for measure in asked:
        a, b = sample(base, measure), sample(other, measure)
        if (a.n and b.n) or named:
            touching = (each for each in here if each.touches(measure.metric.name))
            refused = next((each for each in touching if each.level == "refuse"), None)
            rows.append(_row(measure, a, b, matters, refused, paired=paired))
    return Pair(letter=letter, paired=paired, rows=rows)


def _row(
    measure: Measure, a: Sample, b: Sample, matters: Matters, refused: Condition | None, *, paired: bool
) -> MetricDifference:
    metric = measure.metric
    found = difference(a.values, a.calls, b.values, b.calls, a.statistic, paired=paired)
    verdict: Verdict = "not comparable"
    least = matters.of(metric, found.a)
    if refused is None:
        verdict = _verdict(found, measure, least)
    else:
        found = Difference(found.a, found.b)
    return MetricDifference(
        measure=measure.named,
        metric=metric.name,
        title=titled(measure),
        fold="" if measure.fold == "whole" else measure.observed_name,
        unit=metric.unit,
        decimals=metric.decimals,
        a=found.a,
        b=found.b,
        value=found.value,
        low=found.low,
        high=found.high,
        detectable=found.detectable,
        matters=least,
        verdict=verdict,
        n_a=a.n,
        n_b=b.n,
        calls_a=len(np.unique(a.calls)),
        calls_b=len(np.unique(b.calls)),
        lost_a=a.lost,
        lost_b=b.lost,
        refused=None if refused is None else f"not the same {refused.title}",
    )


def titled(measure: Measure) -> str:
    """The title of the metric, with the rows that were chosen."""
    tags = ", ".join(f"{tag} {value}" for tag, value in measure.tags)
    return f"{measure.metric.title} ({tags})" if tags else measure.metric.title


def _verdict(found: Difference, measure: Measure, least: float | None) -> Verdict:
    judged = found.judged(measure.metric.worse or "higher", same_within=least)
    if measure.metric.worse is None and judged in {"worse", "better"}:
        return "different"
    return judged


def _refuse_nothing(pairs: Sequence[Pair], found: Sequence[Condition]) -> None:
    """Raises `BenchError` when every measure means something else in each run."""
    rows = [row for pair in pairs for row in pair.rows]
    if rows and all(row.refused for row in rows):
        reasons = list(dict.fromkeys(row.refused or "" for row in rows))
        advice = next((each.advice for each in found if each.level == "refuse" and each.advice), None)
        raise BenchError(f"these runs must not be compared in {rows[0].metric}: {'; '.join(reasons)}", hint=advice)


def _warnings(cards: Sequence[RunCard], found: Sequence[Condition]) -> list[str]:
    said = []
    for card in cards:
        why = f": {card.reasons[0]}" if card.reasons else ""
        if not card.usable:
            said.append(f"run {card.letter} is {card.verdict}, and its numbers may not describe the target{why}")
        elif card.trust == "no":
            said.append(f"run {card.letter}: the machine that placed its calls was at its limit")
        if not card.answered:
            said.append(f"run {card.letter}: none of {amount(card.turns, 'turn')} was answered")
    for key in dict.fromkeys(each.key for each in found):
        said += _said_of(cards, [each for each in found if each.key == key and not each.allowed])
    return said


def _said_of(cards: Sequence[RunCard], group: Sequence[Condition]) -> list[str]:
    """A sentence for conditions of one key, none for those that are only worth knowing."""
    if not group or group[0].level == "note":
        return []
    first, more = group[0], len(group) - 1
    values = "; ".join(f"{' and '.join(letters)} {value}" for value, letters in _holders(cards, first).items())
    others = f", and {more} more" if more else ""
    if first.level == "refuse":
        advice = f"; {first.advice}" if first.advice else ""
        return [f"{', '.join(first.metrics)} not compared: {first.title}: {values}{others}{advice}"]
    return [f"not the same {first.title}: {values}{others}; if that is intended: --allow {first.key}"]


def _holders(cards: Sequence[RunCard], condition: Condition) -> dict[str, list[str]]:
    """Each value with the letters of the runs that have it."""
    found: dict[str, list[str]] = {}
    for card, value in zip(cards, condition.values, strict=True):
        found.setdefault(value or "not said", []).append(card.letter)
    return found
