"""The phases of a run side by side: what was planned, what came of it, and what ran over the end of its phase.

In: a `View` of a run whose load has phases, and the objectives in force. Out: a `PhasesReport`; None without phases.
Trap: turns that run over the end of their phase are the slow ones. They stay in the percentiles of the phase in which
they began, or a phase would look the faster the shorter it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.measure.metrics import Metric
from bench.report.chartdata import headline
from bench.report.findings_phases import PhaseRow, PhasesReport
from bench.report.parts import figure_of_rate, middle_and_tail
from bench.report.planned_phases import phases_of
from bench.report.shares import share
from bench.report.view import Mask, View, equals
from bench.scenario.load_phases import PlannedPhase, with_what_follows
from bench.scenario.threshold_grammar import Objective


def phases_report(view: View, objectives: Sequence[Objective]) -> PhasesReport | None:
    """Every planned phase, also one without a turn, and what followed the last one where anything did."""
    plan = phases_of(view.run.manifest)
    if not plan:
        return None
    metric = headline(view)
    rows = [
        _row(view, metric, objectives, name, warmup, phase)
        for (name, warmup), phase in zip(with_what_follows(plan), [*plan, None], strict=True)
    ]
    rows[-1].begin_s = plan[-1].end_ms / 1000
    return PhasesReport(
        metric=metric.name if metric else None,
        title=metric.title if metric else "first audible",
        rows=rows if rows[-1].turns else rows[:-1],
    )


def _row(
    view: View,
    metric: Metric | None,
    objectives: Sequence[Objective],
    name: str,
    warmup: bool,
    phase: PlannedPhase | None,
) -> PhaseRow:
    turns, calls = equals(view.turns, "phase", name), equals(view.sessions, "phase", name)
    within = turns & equals(view.turns, "phase_ended", name)
    left = (view.call["turns_planned"] - view.call["turns_ended"]).clip(min=0)
    stopped = calls & equals(view.sessions, "status", "stopped")
    row = PhaseRow(
        name=name,
        warmup=warmup,
        load=phase.load_text if phase else "",
        begin_s=phase.begin_ms / 1000 if phase else 0.0,
        end_s=phase.end_ms / 1000 if phase else None,
        calls=int(calls.sum()),
        calls_within=int((calls & equals(view.sessions, "phase_ended", name)).sum()),
        turns=int(turns.sum()),
        within=int(within.sum()),
        over=int((turns & ~within).sum()),
        cut_off=int(np.nansum(left[stopped])),
        measured=int((view.measured & turns).sum()),
        answered=int((view.answered & turns).sum()),
    )
    return row if warmup else row.model_copy(update=_figures(view, metric, objectives, name, turns, within))


def _figures(
    view: View, metric: Metric | None, objectives: Sequence[Objective], name: str, turns: Mask, within: Mask
) -> dict[str, object]:
    p50, p95 = middle_and_tail(view, metric, turns)
    p50_within, p95_within = middle_and_tail(view, metric, within)
    errors = share(view, "error_rate").rate(turns)
    own = [each for each in objectives if each.phase in {None, name}]
    found: dict[str, object] = {
        "p50": p50,
        "p95": p95,
        "p50_within": p50_within,
        "p95_within": p95_within,
        "error_rate": figure_of_rate(errors),
        "errors": errors.events,
    }
    if own:
        good = share(view, "goodput", own).rate(turns)
        found |= {"goodput": figure_of_rate(good), "good": good.events, "objectives": [each.text for each in own]}
    return found
