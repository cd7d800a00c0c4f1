"""A run judged by the runs before it: every measure against what nights differ by, all of them together.

In: a run and a window. Out: a `GateReport`.
Trap: a regression is a change that is both unlikely by chance and large enough to matter. Either alone alarms for
nothing: with many calls any trifle is unlikely, with few of them any large change is likely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench import __version__
from bench.errors import ExitCode
from bench.measure.metrics import METRICS, Metric
from bench.report.chartdata import headline
from bench.report.compare.comparison import card_of, titled
from bench.report.compare.findings import RunCard
from bench.report.compare.matters import Matters
from bench.report.compare.measures import Sample, measures, sample
from bench.report.differences import worth
from bench.report.gate.findings import BaselineRun, GateReport, GateRow, GateVerdict, not_back
from bench.report.gate.nights import LEAST_NIGHTS, Judged, Night, Scale, false_alarms, holm, judge
from bench.report.gate.phrases import not_back_sentence, regression_sentence, row_why
from bench.report.gate.window import JUDGED_RUNS, Baseline, Window
from bench.report.phrases import amount
from bench.report.stats import Codes, Estimate, percentiles, pooled
from bench.report.verdict import EXIT_CODES
from bench.report.view import View, equals
from bench.scenario.threshold_grammar import Measure

ALPHA, POWER = 0.05, 0.8
Z95 = 1.959963984540054
TARGET = "target"
USUAL = ("error_rate", "session_error_rate", "stall_rate", "task_success", "goodput", "wer", "cost_per_minute_usd")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is judged, and how."""

    measures: Sequence[Measure]
    matters: Matters
    alpha: float = ALPHA
    power: float = POWER
    least: int = LEAST_NIGHTS
    """The fewest runs that a window may have."""
    accept: bool = False


def usual_measures(view: View) -> list[Measure]:
    """The family of the gate: few measures, since each more makes the others blunter; of several targets for each."""
    names = [target.name for target in view.run.manifest.targets if target.name is not None]
    if len(names) < 2:
        return _usual(headline(view))
    return [
        replace(measure, tags=((TARGET, name),))
        for name in names
        for measure in _usual(headline(view, equals(view.turns, TARGET, name)))
    ]


def _usual(metric: Metric | None) -> list[Measure]:
    latency = [f"{metric.name}: p50", f"{metric.name}: p95"] if metric is not None else []
    return measures([*latency, *USUAL])


def gate(run: View, window: Window, baseline: str, settings: Settings) -> GateReport:
    """`run` against the runs of `window`; `baseline` is how it was asked for."""
    card = card_of("NEW", run)
    report = GateReport(
        bench_version=__version__,
        run=card,
        baseline=baseline,
        window=[_named(each.view) for each in window.runs],
        skipped=window.skipped,
        verdict="no data",
        exit_code=int(ExitCode.NO_DATA),
        alpha=settings.alpha,
        power=settings.power,
        accepted=settings.accept,
    )
    if card.verdict not in JUDGED_RUNS:
        return report.model_copy(update=_not_usable(card))
    pairs = [_row(measure, run, window.runs, settings) for measure in settings.measures]
    rows, judged = [row for row, _ in pairs], [found for _, found in pairs]
    if len(window.runs) >= settings.least:
        rows = together(rows, judged, settings)
    else:
        rows = [row.model_copy(update={"why": "too few runs to judge by"}) for row in rows]
    report.rows = [row for row in rows if row.value is not None or row.judged]
    report.not_back = [row.measure for row in report.rows if not_back(row, row.measure in window.worse)]
    report.false_alarms = (
        false_alarms([each for each in judged if each is not None], settings.alpha) if report.family else None
    )
    return report.model_copy(update={**_decided(report, settings), "warnings": _warnings(report, run, settings)})


def night_of(found: Sample) -> Night | None:
    """The figure of a run with its error; None where it has none."""
    calls = np.unique(found.calls, return_inverse=True)[1]
    if found.statistic.kind == "percentile":
        estimate = percentiles(found.values, calls, [found.statistic.percent]).estimates[0]
        return None if estimate.value is None else percentile_night(found, calls, estimate.value, _error(estimate))
    bottom = float(found.values[:, 1].sum()) if found.n else 0.0
    if bottom <= 0:
        return None
    if found.statistic.kind == "ratio":
        estimate = pooled(found.values[:, 0], found.values[:, 1], calls)[0]
        return None if estimate.value is None else Night(estimate.value, _error(estimate))
    events = float(found.values[:, 0].sum())
    rows = worth(found.values, calls)
    # Where nearly all of the rows have the event, those without it are what is rare.
    return Night(events / bottom, events=min(events, max(0.0, bottom - events)), rows=rows)


def percentile_night(found: Sample, calls: Codes, value: float, error: float) -> Night:
    """A percentile with the turns that have no value, which are what an infinite one tells of."""
    if not found.lost:
        return Night(value, error, rows=float(found.n))
    lost = np.isinf(found.values).astype(np.float64)
    both = np.column_stack([lost, np.ones(len(lost))])
    rows = worth(both, calls)
    return Night(value, error, events=float(lost.mean()) * rows, rows=rows)


def scale_of(found: Sample) -> Scale:
    """Shares and rates of counts are judged as arcsines."""
    return "share" if found.statistic.kind in {"share", "counts"} else "plain"


def _error(estimate: Estimate) -> float:
    if estimate.limits is None or not all(map(math.isfinite, estimate.limits)):
        return 0.0
    return (estimate.limits[1] - estimate.limits[0]) / (2 * Z95)


def _named(view: View) -> BaselineRun:
    return BaselineRun(
        folder=str(view.run.folder.root),
        run_id=view.run.manifest.run_id,
        started_at=view.run.manifest.started_at,
        turns=int(view.measured.sum()),
        answered=int(view.answered.sum()),
    )


def _row(
    measure: Measure, run: View, baseline: Sequence[Baseline], settings: Settings
) -> tuple[GateRow, Judged | None]:
    """A measure with what each night gave; judged by itself, not yet as one of many."""
    metric, found = measure.metric, sample(run, measure)
    new = night_of(found)
    nights: list[Night | None] = []
    whys = []
    for each in baseline:
        differs = each.differs(metric.name)
        night = None if differs is not None else night_of(sample(each.view, measure))
        nights.append(night)
        whys += [f"not the same {differs.title}"] if differs is not None else []
    known = [night for night in nights if night is not None]
    least = settings.matters.of(metric, float(np.mean([night.value for night in known]))) if known else None
    judged = None
    if new is not None and metric.worse is not None and least is not None:
        judged = judge(known, new, metric.worse, least, scale_of(found))
    row = GateRow(
        measure=measure.named,
        metric=metric.name,
        title=titled(measure),
        fold="" if measure.fold == "whole" else measure.observed_name,
        unit=metric.unit,
        decimals=metric.decimals,
        worse=metric.worse or "higher",
        nights=[None if night is None else night.value for night in nights],
        value=None if new is None else new.value,
        n=found.n,
        matters=least,
        why="" if judged is not None else _unjudged(metric.name, new, len(known), whys),
    )
    return row, judged


def _unjudged(metric: str, new: Night | None, known: int, whys: Sequence[str]) -> str:
    if METRICS[metric].worse is None:
        return "more of it is neither better nor worse"
    if new is None:
        return "too few rows in this run"
    if whys:
        return whys[0]
    return "infinite in the window too" if math.isinf(new.value) else f"{amount(known, 'run')} of the window have it"


def together(
    rows: Sequence[GateRow], judged: Sequence[Judged | None], settings: Settings, *, powered: bool = True
) -> list[GateRow]:
    """The rows with their verdicts: Holm's method over those that can be judged, for the worse and for the better.

    Without `powered`, what would have been found is left out: it takes longer than all the rest.
    """
    places = [place for place, found in enumerate(judged) if found is not None]
    known = [found for found in judged if found is not None]
    worse, better = holm([each.p_worse for each in known]), holm([each.p_better for each in known])
    first = settings.alpha / max(1, len(known))
    done = list(rows)
    for place, found, p, p_better in zip(places, known, worse, better, strict=True):
        if p <= settings.alpha and found.moved >= found.least:
            verdict = "regression"
        elif p_better <= settings.alpha and -found.moved >= found.least:
            verdict = "better"
        else:
            verdict = "same" if found.ruled_out(settings.alpha) else "cannot tell"
        done[place] = rows[place].model_copy(
            update={
                "baseline": found.baseline,
                "spread": found.spread,
                "within": found.within,
                "change": found.change,
                "p": found.p_worse,
                "p_adjusted": p,
                "bound": found.bound(first),
                "detectable": found.seen(first, settings.power) if powered else None,
                "drift": found.drift,
                "verdict": verdict,
            }
        )
    return done


def _not_usable(card: RunCard) -> dict[str, object]:
    """A run that says nothing of its target has the exit code that `bench run` had for it."""
    code = next((code for name, code in EXIT_CODES.items() if name == card.verdict), ExitCode.INCOMPLETE)
    verdict: GateVerdict = "no data" if card.verdict == "no data" else "not usable"
    return {
        "verdict": verdict,
        "exit_code": int(code),
        "reasons": [f"the run is {card.verdict}, so there is nothing to judge", *card.reasons],
    }


def _decided(report: GateReport, settings: Settings) -> dict[str, object]:
    regressed = [row for row in report.family if row.verdict == "regression"]
    verdict: GateVerdict = "pass"
    code = ExitCode.PASS
    if len(report.window) < settings.least:
        verdict, code = "no data", ExitCode.NO_DATA
        reasons = [f"{amount(len(report.window), 'run')} to judge by, and at least {settings.least} are needed"]
    elif not report.family:
        verdict, code = "no data", ExitCode.NO_DATA
        reasons = ["no measure could be judged", *(row_why(row) for row in report.rows)]
    elif regressed:
        verdict, code = "regression", ExitCode.REGRESSION
        reasons = [regression_sentence(row) for row in regressed]
    else:
        reasons = [
            f"{amount(len(report.family), 'measure')} against {amount(len(report.window), 'run')}: none is worse"
        ]
    if settings.accept:
        code = ExitCode.PASS
        reasons.append("accepted: later windows (last:N) begin with this run")
    return {"verdict": verdict, "exit_code": int(code), "reasons": reasons}


def _warnings(report: GateReport, run: View, settings: Settings) -> list[str]:
    said = [
        not_back_sentence(row)
        for row in report.family
        if row.measure in report.not_back and row.verdict != "regression"
    ]
    if report.run.verdict == "failed":
        said.append(f"the run itself failed a threshold: {report.run.reasons[0] if report.run.reasons else '-'}")
    if report.run.verdict == "budget":
        said.append("the run was ended by its budget, so its calls are not all of the plan")
    if report.run.trust == "no":
        said.append("the machine that placed the calls was at its limit")
    usual = np.median([each.turns for each in report.window]) if report.window else 0
    measured = int(run.measured.sum())
    if measured < usual / 2:
        said.append(f"the run has {amount(measured, 'turn')}, less than half of the usual {usual:,.0f}")
    targets = len(run.run.manifest.targets)
    pooled_names = [each.named for each in settings.measures if TARGET not in dict(each.tags)]
    if targets > 1 and pooled_names:
        said.append(
            f"{', '.join(pooled_names)}: the {targets} targets of the run are judged together, so that a change of one "
            "shows as a part of it; name one: --metric 'METRIC{target=NAME}'"
        )
    return said
