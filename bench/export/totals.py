"""Counters and histograms of rows: the part of an export that only grows.

In: a `View` of any rows of a run. Out: `Totals`, which can be added to those of other rows of it. Trap: what counts is
decided by the report's own functions, row by row, so the sums over a run are the numbers of its `summary.json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.export import declared
from bench.export.family import Family, Histogram, Labels, Series
from bench.measure.metrics import METRICS, Metric
from bench.report.latency import rows_of
from bench.report.money import priced_minutes
from bench.report.shares import share
from bench.report.stats import Floats
from bench.report.view import Mask, View, view_of
from bench.report.wer_tables import scored_words
from bench.scenario.threshold_grammar import Objective

NO_NAME = "-"
MOST_PHASES = 30
OTHER = "other"


@dataclass(slots=True)
class Totals:
    """Sums by family and labels."""

    series: dict[str, Series] = field(default_factory=dict)

    def count(self, family: Family, labels: Labels, amount: float, *, measured: bool = False) -> None:
        """Add to a counter; nothing is entered for nothing, unless it was `measured` to be nothing."""
        if amount or measured:
            values = self._values(family)
            before = values.get(labels, 0.0)
            assert not isinstance(before, Histogram)
            values[labels] = before + amount

    def observe(self, family: Family, labels: Labels, values: Floats) -> None:
        """Add values to a histogram."""
        if not len(values):
            return
        # A value on a bound is in the bucket that it closes.
        places = np.searchsorted(np.asarray(family.bounds), values, side="left")
        counted = np.bincount(places, minlength=len(family.bounds) + 1).tolist()
        self._add(family, labels, Histogram(counted, float(values.sum())))

    def add(self, other: Totals) -> None:
        """Take in the sums of other rows."""
        for series in other.series.values():
            for labels, value in series.values.items():
                if isinstance(value, Histogram):
                    self._add(series.family, labels, value)
                else:
                    self.count(series.family, labels, value, measured=True)

    def _add(self, family: Family, labels: Labels, more: Histogram) -> None:
        values = self._values(family)
        if labels not in values:
            values[labels] = Histogram([0] * (len(family.bounds) + 1))
        held = values[labels]
        assert isinstance(held, Histogram)
        held.add(more)

    def _values(self, family: Family) -> dict[Labels, float | Histogram]:
        return self.series.setdefault(family.name, Series(family)).values


def totals_of(view: View, objectives: Sequence[Objective] = (), *, whole: bool = False) -> Totals:
    """What the rows of `view` add up to. `whole`: they are all of a run, so turns without the row of a call are known.

    `objectives` are what `goodput` asks for.
    """
    found = Totals()
    scenario = view.run.manifest.scenario_name
    for target, part in _targets(view):
        labels: Labels = (("scenario", scenario), ("target", target))
        _count_rows(found, part, labels)
        for name, family in declared.HISTOGRAMS.items():
            metric = METRICS[name]
            values = _column(part, metric)
            here, _ = rows_of(part, metric, values)
            found.observe(family, labels, values[here] * declared.SCALES.get(metric.unit, 1.0))
        for name in declared.SHARES:
            if name != "goodput" or objectives:
                rate = share(part, name, objectives)
                cases, events = int(rate.rows.sum()), int((rate.rows & rate.events).sum())
                found.count(declared.SHARE_CASES, (*labels, ("share", name)), cases)
                found.count(declared.SHARE_EVENTS, (*labels, ("share", name)), events, measured=cases > 0)
        _count_words(found, part, labels)
        _count_money(found, part, labels, whole=whole)
    return found


def _targets(view: View) -> Iterator[tuple[str, View]]:
    """The rows of each target, as a view of its own."""
    turns, sessions = view.turns["target"].fillna(NO_NAME), view.sessions["target"].fillna(NO_NAME)
    names = sorted({*turns.unique(), *sessions.unique()})
    if len(names) == 1:
        yield str(names[0]), view
        return
    for name in names:
        run = view.run
        parts = (run.turns[turns == name].reset_index(drop=True), run.sessions[sessions == name].reset_index(drop=True))
        yield str(name), view_of(replace(run, turns=parts[0], sessions=parts[1]))


def _column(view: View, metric: Metric) -> Floats:
    return (view.turn if metric.scope == "turn" else view.call)[metric.name]


def _count_rows(found: Totals, view: View, labels: Labels) -> None:
    phases = _phases(view)
    for family, frame, masks in (
        (declared.TURNS, view.turns, {"warmup": view.warmup, "harness": view.own_turns, "late": view.late}),
        (declared.CALLS, view.sessions, {"warmup": view.calls_warmup, "harness": view.own_calls}),
    ):
        counted = np.select(list(masks.values()), list(masks), "measured")
        keys = zip(
            frame["phase"].fillna(NO_NAME), counted, frame["status"], frame["error_kind"].fillna(""), strict=True
        )
        for phase, *rest in keys:
            names = (phase if phase in phases else OTHER, *map(str, rest))
            found.count(family, (*labels, *zip(family.labels, names, strict=True)), 1)


def _phases(view: View) -> set[str]:
    """The phases that have a label of their own: the first of the scenario. A search has as many as it needs levels."""
    manifest = view.run.manifest
    named = [str(each.get("name")) for each in (manifest.scenario.get("load") or {}).get("phases") or []]
    return {NO_NAME, *({"main", "warmup"} if manifest.search is None else ()), *named[:MOST_PHASES]}


def _count_words(found: Totals, view: View, labels: Labels) -> None:
    everyone = np.ones(len(view.turns), dtype=np.bool_)
    _, scored = scored_words(view, everyone)
    for name in declared.meters("words"):
        words = _sum(view.turn[name][scored])
        found.count(declared.WORDS, (*labels, ("outcome", name)), words, measured=bool(scored.any()))
    for name in declared.POOLED:
        pairs, _ = scored_words(view, everyone, name)
        errors, units = pairs.sum(axis=0) if len(pairs) else (0.0, 0.0)
        found.count(declared.POOLED_ERRORS, (*labels, ("metric", name)), float(errors), measured=bool(units))
        found.count(declared.POOLED_UNITS, (*labels, ("metric", name)), float(units))


def _count_money(found: Totals, view: View, labels: Labels, *, whole: bool) -> None:
    for family, unit in ((declared.TOKENS, "tokens"), (declared.METERS, "USD")):
        for name in declared.meters(unit):
            if name not in ("cost_usd", "cost_partial_usd"):
                found.count(family, (*labels, ("meter", name)), _everywhere(view, name))
    for name, family in declared.SPOKEN.items():
        found.count(family, labels, _everywhere(view, name))
    stalls, _ = rows_of(view, METRICS["stalls"], view.turn["stalls"])
    found.count(declared.STALLS, labels, _sum(view.turn["stalls"][stalls]), measured=bool(stalls.any()))
    for name, family in declared.CAPTION_COUNTS.items():
        captioned = view.measured & ~np.isnan(view.turn[name])
        found.count(family, labels, _sum(view.turn[name][captioned]), measured=bool(captioned.any()))
    found.count(declared.COST, labels, _sum(_known(view.call["cost_usd"], view.call["cost_partial_usd"])))
    if whole:
        alone: Mask = ~view.turns["session_id"].isin(view.sessions["session_id"]).to_numpy(dtype=np.bool_)
        found.count(declared.COST, labels, _sum(_known(view.turn["cost_usd"], view.turn["cost_partial_usd"])[alone]))
    pairs, _ = priced_minutes(view)
    found.count(declared.PRICED_USD, labels, float(pairs[:, 0].sum()))
    found.count(declared.PRICED_S, labels, float(pairs[:, 1].sum()) * 60)


def _everywhere(view: View, name: str) -> float:
    """Of all turns, and of what calls were billed besides."""
    return _sum(view.turn[name]) + _sum(view.call[f"other_{name}"])


def _known(whole: Floats, partial: Floats) -> Floats:
    return np.where(np.isnan(whole), partial, whole)


def _sum(values: Floats) -> float:
    return float(np.nansum(values))
