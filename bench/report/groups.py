"""Parts of a run side by side: for each value of a column, how fast, how well understood and how good its turns were.

In: a `View` and a column of turns, such as `condition`. Out: rows in the order in which the values first came.
Targets that were called in turn have rows of their own, next to each other in each part.
Trap: each part has its own denominators; a part with few turns says "-" for a percentile, like the whole run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.measure.metrics import Metric
from bench.report.chartdata import headline
from bench.report.findings_groups import GroupRow, Groups
from bench.report.findings_parts import Figure
from bench.report.parts import figure_of, figure_of_rate, middle_and_tail
from bench.report.shares import share
from bench.report.view import Mask, View, codes_of, equals
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
        rows = [group_row(view, metric, name, part, objectives) for name, part in _by_target(view, parts).items()]
        found.append(Groups(column=column, title=title, metric=metric.name, metric_title=metric.title, rows=rows))
    return found


def _by_target(view: View, parts: dict[str, Mask]) -> dict[str, Mask]:
    """The parts, or those of each target: turns of several targets together would be those of none."""
    targets = view.run.manifest.interleaved
    if not targets:
        return parts
    of = {target: equals(view.turns, "target", target) for target in targets}
    found = {f"{name} / {target}": part & of[target] for name, part in parts.items() for target in targets}
    return {name: part for name, part in found.items() if part[~view.warmup].any()}


def _same(view: View, parts: dict[str, Mask]) -> bool:
    """Whether the cells are the conditions and nothing else, which are shown already."""
    conditions, names = codes_of(view.turns["condition"])
    return len(names) == len(parts) and all(len(set(conditions[part])) == 1 for part in parts.values())


def group_row(view: View, metric: Metric, name: str, part: Mask, objectives: Sequence[Objective]) -> GroupRow:
    """What the turns of `part` say."""
    measured = view.measured & part
    p50, p95 = middle_and_tail(view, metric, part)
    errors = share(view, "error_rate").rate(part)
    words, scored, _ = pooled_rate(view, "wer", part)
    return GroupRow(
        name=name,
        calls=len(np.unique(view.calls_of_turns[measured])),
        turns=int(measured.sum()),
        answered=int((view.answered & part).sum()),
        p50=p50,
        p95=p95,
        error_rate=figure_of_rate(errors),
        errors=errors.events,
        words=scored,
        wer=figure_of(words),
        task_success=figure_of_rate(share(view, "task_success").rate(part)),
        goodput=figure_of_rate(share(view, "goodput", objectives).rate(part)) if objectives else Figure(),
    )
