"""Parts of a run side by side: for each value of a column, how fast, how well understood and how good its turns were.

In: a `View` and a column of turns, such as `condition`. Out: rows in the order in which the values first came.
Trap: each part has its own denominators; a part with few turns says "-" for a percentile, like the whole run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.measure.metrics import Metric
from bench.report.chartdata import headline
from bench.report.findings_groups import GroupRow, Groups
from bench.report.latency import interval, rows_of
from bench.report.shares import share
from bench.report.stats import percentiles
from bench.report.view import Mask, View, codes_of
from bench.report.wer_tables import pooled_rate
from bench.scenario.threshold_grammar import Objective

PARTS = {"condition": "Conditions", "cell": "Cells of the matrix"}
"""Columns by which a run is shown in parts, each with its title."""


def groups(view: View, objectives: Sequence[Objective]) -> list[Groups]:
    """One table for each column that has more than one value."""
    found: list[Groups] = []
    metric = headline(view)
    if metric is None:
        return found
    for column, title in PARTS.items():
        if column not in view.turns:
            continue
        codes, names = codes_of(view.turns[column])
        parts = {name: codes == code for code, name in enumerate(names) if (codes == code)[~view.warmup].any()}
        if len(parts) < 2 or (column == "cell" and _same(view, parts)):
            continue
        rows = [group_row(view, metric, name, part, objectives) for name, part in parts.items()]
        found.append(Groups(column=column, title=title, metric=metric.name, metric_title=metric.title, rows=rows))
    return found


def _same(view: View, parts: dict[str, Mask]) -> bool:
    """Whether the cells are the conditions and nothing else, which are shown already."""
    conditions, names = codes_of(view.turns["condition"])
    return len(names) == len(parts) and all(len(set(conditions[part])) == 1 for part in parts.values())


def group_row(view: View, metric: Metric, name: str, part: Mask, objectives: Sequence[Objective]) -> GroupRow:
    """What the turns of `part` say."""
    values = view.turn[metric.name]
    here, missing = rows_of(view, metric, values)
    here, missing = here & part, missing & part
    measured = view.measured & part
    known = percentiles(values[here], view.calls_of_turns[here], (50.0, 95.0))
    errors, tasks = share(view, "error_rate").rate(part), share(view, "task_success").rate(part)
    good = share(view, "goodput", objectives).rate(part) if objectives else None
    words, scored, _ = pooled_rate(view, "wer", part)
    return GroupRow(
        name=name,
        calls=len(np.unique(view.calls_of_turns[measured])),
        turns=int(measured.sum()),
        answered=int((view.answered & part).sum()),
        unanswered=int(missing.sum()),
        p50=known.estimates[0].value,
        p50_interval=interval(known.estimates[0]),
        p95=known.estimates[1].value,
        p95_interval=interval(known.estimates[1]),
        errors=errors,
        words=scored,
        wer=words.value,
        wer_interval=interval(words),
        task_success=tasks if tasks.n else None,
        goodput=good,
    )
