"""Good turns: those that were answered and kept every objective.

In: a `View` and objectives. Out: masks over the turns. Trap: a value that was not measured keeps no objective
but `task_success`, as in `bench.scenario.thresholds.broken_objective`, which says the same of a single row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from bench.report.view import Mask, View, equals
from bench.scenario.threshold_grammar import Objective


def good_turns(view: View, objectives: Sequence[Objective]) -> Mask:
    """Which turns are good, of all turns; look only at those in `view.measured`."""
    good = view.answered.copy()
    for objective in objectives:
        good &= kept(view, objective)
    return good


def kept(view: View, objective: Objective) -> Mask:
    """Which turns have the value and keep the bound; those of phases that it is not about do."""
    values = view.turn[objective.column]
    missing: Mask = np.isnan(values)
    inside: Mask = np.where(missing, objective.kept_without, objective.within(np.nan_to_num(values)))
    return inside if objective.phase is None else inside | ~equals(view.turns, "phase", objective.phase)


def broken_counts(view: View, objectives: Sequence[Objective]) -> dict[str, int]:
    """Why turns are not good: `not answered` or the first objective that was not kept, most frequent first."""
    left = view.measured.copy()
    found: Counter[str] = Counter({"not answered": int((left & ~view.answered).sum())})
    left &= view.answered
    for objective in objectives:
        inside = kept(view, objective)
        found[objective.text] += int((left & ~inside).sum())
        left &= inside
    return {why: count for why, count in found.most_common() if count}
