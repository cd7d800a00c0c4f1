"""What two runs are compared in: the usual measures, and the values of one of them with the call of each.

In: a `View` and a `Measure`. Out: a `Sample`, ready for `difference`.
Trap: a turn that nobody answered waits for ever in a percentile, as in thresholds, or a server that drops its slow
turns would look faster. A mean is over answered turns alone: one turn that waits for ever would make it infinite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.report.differences import COUNTS, RATIO, SHARE, Statistic
from bench.report.latency import rows_of
from bench.report.money import priced_minutes
from bench.report.shares import share
from bench.report.stats import Codes, Floats
from bench.report.thresholds import POOLED, chosen, objectives_of
from bench.report.view import Mask, View
from bench.report.wer_tables import scored_words
from bench.scenario.threshold_grammar import Measure, parse_measure

LATENCIES = (
    "first_audible_ms",
    "first_audio_ms",
    "ttft_ms",
    "endpoint_ms",
    "barge_in_stop_ms",
    "tool_resume_ms",
    "session_ready_ms",
    "greeting_ms",
)
SPEEDS = ("text_tokens_per_s",)
WHOLE = (
    "error_rate",
    "session_error_rate",
    "early_rate",
    "split_turn",
    "stall_rate",
    "false_barge_in",
    "task_success",
    "goodput",
    "wer",
    "cer",
    "cost_per_minute_usd",
)
USUAL = (
    *(f"{name}: {fold}" for name in LATENCIES for fold in ("p50", "p95", "mean")),
    *(f"{name}: {fold}" for name in SPEEDS for fold in ("p50", "p5", "mean")),
    *WHOLE,
)
"""The family of `bench compare`: those of them that both runs have values of."""
FOLDS = ("percentile", "mean", "whole")


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of a measure in one run: shape (rows,), or (rows, 2) for a ratio of sums; and the call of each row."""

    values: Floats
    calls: Codes
    """The number of the call in its plan, which is the same in another run of the same plan."""
    statistic: Statistic
    lost: int = 0
    """Rows that wait for ever: nobody answered."""

    @property
    def n(self) -> int:
        return len(self.values)


def measures(texts: Sequence[str] = ()) -> list[Measure]:
    """The measures that `texts` say, or the usual ones. Raises `BenchError`."""
    found = []
    for text in texts or USUAL:
        try:
            measure = parse_measure(text)
        except ValueError as error:
            raise BenchError(
                f"--metric '{text}': {error}", hint="such as --metric wer or --metric 'first_audible_ms: p95'"
            ) from error
        if measure.fold not in FOLDS:
            raise BenchError(
                f"--metric '{text}': a {measure.fold} has no interval that whole calls could give",
                hint="allowed: a percentile such as p95, mean, or a metric that is one number of a run, such as wer",
            )
        found.append(measure)
    return found


def sample(view: View, measure: Measure) -> Sample:
    """The rows of `view` that `measure` is taken of; none where the run has no value of it."""
    name, part = measure.metric.name, chosen(view, measure)
    if name in POOLED:
        pairs, rows = scored_words(view, part, name)
        return Sample(pairs, _calls(view.turns, rows), COUNTS)
    if name == "cost_per_minute_usd":
        pairs, rows = priced_minutes(view, part)
        return Sample(pairs, _calls(view.sessions, rows), RATIO)
    if name == "goodput" and not objectives_of(view.run.manifest):
        return Sample(_pairs([]), np.zeros(0, dtype=np.intp), SHARE)
    if measure.fold == "whole":
        found = share(view, name, objectives_of(view.run.manifest))
        rows = found.rows & part
        frame = view.sessions if len(rows) == len(view.sessions) and measure.of_calls else view.turns
        return Sample(_pairs(found.events[rows]), _calls(frame, rows), SHARE)
    return _folded(view, measure, part)


def _folded(view: View, measure: Measure, part: Mask) -> Sample:
    metric = measure.metric
    frame = view.sessions if measure.of_calls else view.turns
    values = (view.call if measure.of_calls else view.turn)[metric.name]
    here, missing = (rows & part for rows in rows_of(view, metric, values))
    if measure.fold == "mean":
        return Sample(_pairs(values[here]), _calls(frame, here), RATIO)
    rows = here | missing
    waits = np.where(missing, np.inf, values)[rows]
    return Sample(waits, _calls(frame, rows), Statistic("percentile", measure.percent or 50.0), int(missing.sum()))


def _pairs(numerators: Iterable[float] | Floats | Mask) -> Floats:
    """Numerators with a denominator of 1 each, so that the ratio of the sums is their mean."""
    tops = np.asarray(numerators, dtype=np.float64)
    return np.column_stack([tops, np.ones(len(tops))])


def _calls(frame: pd.DataFrame, rows: Mask) -> Codes:
    return np.asarray(frame["session_index"].to_numpy(dtype=np.int64)[rows], dtype=np.intp)
