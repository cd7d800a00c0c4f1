"""Conditions by accents: where the two meet in what nobody would see in either alone.

In: a `View` with at least two of each. Out: `HeatMap`s, one of words and one of latency, a row for each condition.
Trap: a field with few words or turns has a wide interval and may be the reddest of all; it stands beneath the value.
"""

from __future__ import annotations

import numpy as np

from bench.report.chartdata import headline
from bench.report.findings_groups import HeatField, HeatMap
from bench.report.parts import figure_of, middle_and_tail
from bench.report.view import Mask, View, codes_of
from bench.report.wer_tables import pooled_rate

MOST = 12
"""Rows and columns of a map; with more it is a table that nobody reads."""


def heat_maps(view: View) -> list[HeatMap]:
    """Empty where the run has one condition or one accent, or several targets, whose turns are not one thing."""
    metric = headline(view)
    if metric is None or view.run.manifest.interleaved:
        return []
    conditions, accents = (_parts(view, column) for column in ("condition", "accent"))
    if not (2 <= len(conditions) <= MOST and 2 <= len(accents) <= MOST):
        return []
    words, waits = [], []
    for condition in conditions.values():
        cells = [condition & accent for accent in accents.values()]
        words.append([_words(view, cell) for cell in cells])
        waits.append(
            [HeatField(figure=middle_and_tail(view, metric, cell)[0], turns=_turns(view, cell)) for cell in cells]
        )
    names = {"rows": list(conditions), "columns": list(accents)}
    found = [
        HeatMap(metric="wer", title="WER", unit="share", fields=words, **names),
        HeatMap(metric=metric.name, title=f"median {metric.title}", unit="ms", fields=waits, **names),
    ]
    return [each for each in found if any(field.figure.value is not None for row in each.fields for field in row)]


def _parts(view: View, column: str) -> dict[str, Mask]:
    codes, names = codes_of(view.turns[column])
    found = {name: codes == code for code, name in enumerate(names)}
    return {name: part for name, part in found.items() if part[~view.warmup].any()}


def _words(view: View, cell: Mask) -> HeatField:
    rate, _, _ = pooled_rate(view, "wer", cell)
    return HeatField(figure=figure_of(rate), turns=_turns(view, cell))


def _turns(view: View, cell: Mask) -> int:
    return int(np.count_nonzero(cell & view.measured))
