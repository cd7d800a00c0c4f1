"""The percentile table: one row per metric that the run has any value of.

In: a `View` and the metric declarations of `bench.measure.metrics`. Out: `MetricRow`s.
Trap: for a latency, a turn that nobody answered is +infinity, not absent, or a server that drops its slow turns
would look fast; for tokens per second the bad tail is the low one, so p95 gives way to p5.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bench.measure.metrics import GROUPS, METRICS, Group, Metric
from bench.report.findings import LatencyCut, LatencyCuts, MetricRow, Percentile
from bench.report.findings_parts import Interval
from bench.report.stats import Codes, Estimate, Floats, Percentiles, percentiles
from bench.report.view import Mask, View, codes_of, equals, truth

HIGH_TAIL: Final = (50.0, 90.0, 95.0, 99.0)
LOW_TAIL: Final = (50.0, 10.0, 5.0, 1.0)
CUTS = ("step", "target", "accent", "voice", "caller_kind", "language", "condition")
IN_ORDER = ("step",)
"""Cuts whose rows stand in their own order; others begin with the slowest."""
MOST_CUT_ROWS = 20


def metric_rows(view: View) -> list[MetricRow]:
    """A row for each metric of a group that has a value, or should have had one and nobody answered."""
    unasked = unasked_groups(view)
    groups = [group for group in GROUPS if group not in unasked]
    rows = [_row(view, metric, group) for group in groups for metric in METRICS.values() if metric.group == group]
    return [row for row in rows if row is not None]


def unasked_groups(view: View) -> frozenset[str]:
    """Groups of metrics that say nothing of this run: none waits for a reply where nobody asked for one."""
    return frozenset({"latency", "taking", "delivery", "rates"}) if only_transcribes(view) else frozenset()


def only_transcribes(view: View) -> bool:
    """Whether no turn of the run had a reply to wait for: its sessions only write down what they hear."""
    return bool(len(view.turns)) and bool(equals(view.turns, "session_type", "transcription").all())


def latency_cuts(view: View, metric: Metric | None) -> LatencyCuts | None:
    """The headline latency by what was said and by whom, slowest first; None where it was not measured."""
    if metric is None:
        return None
    values = view.turn[metric.name]
    known = view.answered & ~np.isnan(values)
    if not known.any():
        return None
    found = LatencyCuts(metric=metric.name, title=metric.title, cuts={})
    for cut in CUTS:
        codes, names = codes_of(view.turns[cut])
        if cut == "step":
            names = [step_name(view.run.manifest.scenario, name) for name in names]
        asked = np.bincount(codes[view.measured], minlength=len(names))
        if int((asked > 0).sum()) < 2:
            continue
        rows = []
        for code in np.flatnonzero(asked):
            part = known & (codes == code)
            middle, bad = percentiles(values[part], view.calls_of_turns[part], (50.0, 95.0)).estimates
            rows.append(
                LatencyCut(
                    name=names[code],
                    n=int(part.sum()),
                    unanswered=int((view.measured & ~view.answered & (codes == code)).sum()),
                    p50=middle.value,
                    p95=bad.value,
                    p50_interval=interval(middle),
                    p95_interval=interval(bad),
                )
            )
        if cut in IN_ORDER:
            places = {name: place for place, name in zip(view.turns[cut], [names[code] for code in codes], strict=True)}
            rows.sort(key=lambda row: places[row.name])
        else:
            rows.sort(key=lambda row: (row.p50 is None, -(row.p50 or 0.0), row.name))
        found.cuts[cut] = rows[:MOST_CUT_ROWS]
        if len(rows) > MOST_CUT_ROWS:
            found.not_shown[cut] = len(rows) - MOST_CUT_ROWS
    return found if found.cuts else None


def step_name(scenario: dict[str, Any], place: str) -> str:
    """`3. ask-balance`: the step at `place` (from 0) by its own `id`, or its kind, and its place from 1 on."""
    steps = scenario.get("conversation") or []
    if not place.isdigit() or int(place) >= len(steps):
        return place
    step = steps[int(place)]
    named = step.get("id") or next(iter(step), "step")
    if isinstance(step.get("say"), str) and not step.get("id"):
        named = f"say {step['say']}"
    return f"{int(place) + 1}. {named}"


def interval(estimate: Estimate) -> Interval | None:
    """The limits as the report's own type."""
    return Interval(low=estimate.limits[0], high=estimate.limits[1]) if estimate.limits else None


def _row(view: View, metric: Metric, group: Group) -> MetricRow | None:
    per_turn = metric.scope == "turn"
    values = (view.turn if per_turn else view.call)[metric.name]
    clusters = view.calls_of_turns if per_turn else np.arange(len(values), dtype=np.intp)
    here, missing = rows_of(view, metric, values)
    if not here.any() and not (metric.always_shown and (missing.any() or (~np.isnan(values)).any())):
        return None
    percents = LOW_TAIL if metric.worse == "lower" else HIGH_TAIL
    plain = percentiles(values[here], clusters[here], percents)
    inflated = None
    if metric.waits:
        inflated = _inflated(values, clusters, here, missing, percents) if missing.any() else plain
    known = values[here]
    return MetricRow(
        name=metric.name,
        title=metric.title,
        unit=metric.unit,
        definition=metric.definition,
        decimals=metric.decimals,
        worse=metric.worse or "none",
        group=group,
        per="turn" if per_turn else "call",
        n=len(known),
        unanswered=int(missing.sum()),
        percentiles=_paired(percents, plain, inflated),
        worst=None if not len(known) else float(known.min() if metric.worse == "lower" else known.max()),
        mean=float(known.mean()) if len(known) else None,
        method=plain.method or (inflated.method if inflated else None),
    )


def rows_of(view: View, metric: Metric, values: Floats) -> tuple[Mask, Mask]:
    """Rows with a value that counts, and rows that wait for ever."""
    known = ~np.isnan(values)
    nothing = np.zeros(len(values), dtype=np.bool_)
    if metric.scope == "session":
        unanswered = view.calls_timed & ~known & ~equals(view.sessions, "status", "stopped")
        if metric.expected is not None:
            unanswered &= truth(view.sessions, metric.expected)
        return view.calls_timed & known, unanswered if metric.waits else nothing
    if metric.group == "harness":
        # The harness's own delay is shown for the very turns that it spoiled.
        return ~view.warmup & known, nothing
    if not metric.of_answered:
        return view.measured & known, nothing
    return view.answered & known, view.measured & ~view.answered if metric.waits else nothing


def _inflated(values: Floats, clusters: Codes, here: Mask, missing: Mask, percents: tuple[float, ...]) -> Percentiles:
    rows = here | missing
    return percentiles(np.where(missing, np.inf, values)[rows], clusters[rows], percents)


def _paired(percents: tuple[float, ...], plain: Percentiles, inflated: Percentiles | None) -> list[Percentile]:
    others = inflated.estimates if inflated else (Estimate(None),) * len(percents)
    return [
        Percentile(
            percent=percent,
            value=own.value,
            interval=interval(own),
            with_unanswered=other.value,
            with_unanswered_interval=interval(other),
        )
        for percent, own, other in zip(percents, plain.estimates, others, strict=True)
    ]
