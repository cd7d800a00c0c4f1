"""Judging the thresholds of a run: one observed value for each, from the rows that it chooses.

In: a `View` and the bounds in force. Out: `ThresholdResult`s. Trap: in a percentile of a wait, a turn that nobody
answered counts as +infinity, or a server that drops its slow turns would pass; and too few samples are no data, which
is neither kept nor broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.measure.metrics import METRICS
from bench.report.findings_thresholds import ThresholdResult
from bench.report.latency import rows_of
from bench.report.money import cost, cost_per_minute
from bench.report.phrases import amount
from bench.report.planned_phases import phase_blocks
from bench.report.shares import OF_CALLS, share
from bench.report.stats import MIN_VALUES, Floats, Limits, percentile, percentiles
from bench.report.view import Mask, View
from bench.report.wer_tables import pooled_rate
from bench.scenario.phase_config import objectives_by_phase
from bench.scenario.threshold_grammar import Measure, Objective, Threshold, parse_objective, show_value
from bench.scenario.thresholds import ThresholdBlock, bounds_in_force
from bench.store.manifest import Manifest

_FOLDS: dict[str, Callable[[Floats], float]] = {"mean": np.mean, "min": np.min, "max": np.max, "sum": np.sum}
POOLED = ("wer", "wer_raw", "wer_whisper", "cer", "reply_wer")


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen: a value or None, its limits, and the rows behind it."""

    value: float | None
    n: int
    limits: Limits | None = None
    notes: list[str] = field(default_factory=list)
    at_least: bool = False
    """Some of it is unknown: `value` is a lower bound."""
    events: int | None = None
    """Rows in which it happened, for a share."""


def bounds_of(manifest: Manifest) -> list[tuple[ThresholdBlock, bool]]:
    """The bounds in force of a stored run, each with whether it is a default."""
    given = manifest.scenario.get("thresholds") or []
    whole = [each if isinstance(each, Mapping) else {"threshold": each} for each in given]
    return bounds_in_force(tuple(map(ThresholdBlock.model_validate, whole)), manifest.interleaved)


def objectives_of(manifest: Manifest) -> tuple[Objective, ...]:
    """What a good turn of a stored run keeps, each in its phase; empty where the scenario says nothing."""
    common = tuple(map(parse_objective, manifest.scenario.get("objectives") or []))
    return objectives_by_phase(common, phase_blocks(manifest))


def judge(
    view: View, bounds: Sequence[tuple[ThresholdBlock, bool]], objectives: Sequence[Objective]
) -> list[ThresholdResult]:
    """Every bound with what was observed."""
    return [_judge(view, block, default, objectives) for block, default in bounds]


def _judge(view: View, block: ThresholdBlock, default: bool, objectives: Sequence[Objective]) -> ThresholdResult:
    threshold = block.parsed
    needed = block.min_samples or least_samples(threshold)
    seen = observe(view, threshold, objectives)
    enough = seen.n >= needed and seen.value is not None
    value, notes = seen.value if enough else None, list(seen.notes)
    ok = threshold.kept(value) if value is not None else None
    if ok and seen.at_least:
        ok, notes = None, [*notes, "a part of it is unknown, so that the sum is a lower bound"]
    elif ok is not None and seen.limits is not None and len(set(map(threshold.kept, seen.limits))) == 2:
        notes.append("the bound lies inside the 95 % interval, so that chance may decide")
    metric = threshold.metric
    return ThresholdResult(
        threshold=block.threshold,
        metric=metric.name,
        title=metric.title,
        unit=metric.unit,
        tags=dict(threshold.tags),
        default=default,
        observed=value,
        observed_text=_observed_text(threshold, value),
        low=seen.limits[0] if enough and seen.limits else None,
        high=seen.limits[1] if enough and seen.limits else None,
        op=threshold.op,
        bound=threshold.bound,
        bound_text=f"{threshold.op} {show_value(threshold.bound, metric)}",
        events=seen.events,
        n=seen.n,
        per="call" if threshold.of_calls else "turn",
        needed=needed,
        ok=ok,
        notes=notes,
    )


def least_samples(threshold: Threshold) -> int:
    """How many rows a threshold needs: for a percentile one beyond it (p95: 20, p99: 100), and never fewer than 3."""
    if threshold.percent is None:
        return 1
    return max(MIN_VALUES, math.ceil(round(100 / min(threshold.percent, 100 - threshold.percent), 6)))


def observe(view: View, threshold: Threshold, objectives: Sequence[Objective] = ()) -> Observed:
    """What the rows that `threshold` chooses say."""
    name, part = threshold.metric.name, chosen(view, threshold)
    if name in POOLED:
        found, n, notes = pooled_rate(view, name, part)
        return Observed(found.value, n, found.limits, notes)
    if name == "cost_per_minute_usd":
        per_minute, n = cost_per_minute(view, part)
        return Observed(per_minute.value, n, per_minute.limits)
    if threshold.fold == "whole":
        rate = share(view, name, objectives).rate(part)
        limits = None if rate.interval is None else (rate.interval.low, rate.interval.high)
        return Observed(rate.rate, rate.n, limits, events=rate.events)
    if threshold.fold == "sum" and threshold.metric.unit in {"USD", "tokens", "s"}:
        return _billed(view, threshold, part)
    return _folded(view, threshold, part)


def chosen(view: View, measure: Measure) -> Mask:
    """The rows with the values of the tags, of the table of turns or of calls."""
    frame = view.sessions if measure.of_calls or measure.metric.name in OF_CALLS else view.turns
    part = np.ones(len(frame), dtype=np.bool_)
    for tag, value in measure.tags:
        if tag not in frame:
            return np.zeros(len(frame), dtype=np.bool_)
        part &= frame[tag].astype("string").eq(value).to_numpy(dtype=np.bool_, na_value=False)
    return part


def _folded(view: View, threshold: Threshold, part: Mask) -> Observed:
    metric = threshold.metric
    values = (view.call if threshold.of_calls else view.turn)[metric.name]
    clusters = np.arange(len(values), dtype=np.intp) if threshold.of_calls else view.calls_of_turns
    here, missing = rows_of(view, metric, values)
    here, missing = here & part, missing & part
    rows = here | missing
    n, lost = int(rows.sum()), int(missing.sum())
    if not n:
        return Observed(None, 0)
    waits = np.where(missing, np.inf, values)[rows]
    what = "call" if threshold.of_calls else "turn"
    notes = [f"{amount(lost, what)} without an answer count as never"] if lost else []
    if threshold.fold == "percentile":
        percent = threshold.percent or 50.0
        limits = percentiles(waits, clusters[rows], [percent]).estimates[0].limits
        return Observed(percentile(np.sort(waits), percent), n, limits, notes)
    return Observed(float(_FOLDS[threshold.fold](waits)), n, None, notes)


def _billed(view: View, threshold: Threshold, part: Mask) -> Observed:
    """A sum of what was billed: of every turn, warm-up too, and without tags of what calls were billed besides."""
    name = threshold.metric.name
    values = view.turn[name][part]
    n = len(values)
    if name == "cost_usd" and not threshold.tags:
        whole = cost(view)
        return Observed(whole.total_usd, n, at_least=whole.at_least)
    if not threshold.tags:
        values = np.concatenate([values, view.call[f"other_{name}"]])
    known = values[~np.isnan(values)]
    return Observed(float(known.sum()) if len(known) else None, n, at_least=name == "cost_usd" and len(known) < n)


def _observed_text(threshold: Threshold, value: float | None) -> str:
    if value is None:
        return "-"
    shown = "never" if math.isinf(value) else show_value(value, METRICS[threshold.metric.name])
    return shown if threshold.fold == "whole" else f"{threshold.observed_name} = {shown}"
