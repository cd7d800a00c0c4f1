"""From a stored run to its `Summary`: every number that any report prints is computed here or below.

In: a `Run` read from its folder. Out: a `Summary`, the same one each time the same folder is read.
Trap: nothing may depend on the moment of rendering or on the machine that renders; and warm-up rows are counted,
shown and kept out of every statistic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bench.measure.metrics import METRICS
from bench.report.chartdata import charts
from bench.report.latency import continuity, error_rates, metric_rows
from bench.report.model import (
    CallCounts,
    Cost,
    ErrorRow,
    Health,
    Load,
    MetricRow,
    Summary,
    TurnCounts,
    VerdictInfo,
    Words,
)
from bench.report.money import cost
from bench.report.stats import supported
from bench.report.verdict import CLIENT_LATE_BOUND, Facts, decide
from bench.report.view import View, counts, floats, text, total, truth, view_of
from bench.report.words import words
from bench.store.reader import Run

MOST_ERRORS = 20
MOST_COST_NOTES = 3
TABLES = ("turns.parquet", "sessions.parquet")
FILES = ("report.html", "report.md", "summary.json", "turns.parquet", "sessions.parquet", "turns.csv", "junit.xml")


def summarise(run: Run) -> Summary:
    """Everything a report of `run` says, verdict included."""
    view = view_of(run)
    metrics = metric_rows(view)
    errors = _errors(view)
    turn_counts, call_counts = _turn_counts(view), _call_counts(view)
    heard, money = words(view), cost(view)
    warnings = _warnings(view, turn_counts, metrics, heard, money)
    return Summary(
        run=run.manifest,
        started_at=run.manifest.started_at,
        elapsed_s=_elapsed_s(view),
        verdict=_verdict(view, turn_counts, call_counts, errors, warnings),
        turns=turn_counts,
        calls=call_counts,
        rates=error_rates(view),
        errors=errors,
        metrics=metrics,
        continuity=continuity(view),
        words=heard,
        cost=money,
        load=_load(view),
        health=_health(view),
        charts=charts(view),
        definitions={metric.name: metric.definition for metric in METRICS.values()},
        files=[name for name in FILES if name not in TABLES or run.manifest.state == "finished"],
    )


def _turn_counts(view: View) -> TurnCounts:
    return TurnCounts(
        total=len(view.turns),
        warmup=int(view.warmup.sum()),
        client_late=int((view.late & ~view.warmup).sum()),
        measured=int(view.measured.sum()),
        answered=int(view.answered.sum()),
        by_status=counts(view.turns["status"][view.measured]),
    )


def _call_counts(view: View) -> CallCounts:
    ready = ~np.isnan(floats(view.sessions, "session_ready_ms"))
    return CallCounts(
        total=len(view.sessions),
        warmup=int(view.calls_warmup.sum()),
        measured=int(view.calls_measured.sum()),
        ready=int((ready & view.calls_measured).sum()),
        by_status=counts(view.sessions["status"][view.calls_measured]),
    )


def _errors(view: View) -> list[ErrorRow]:
    """Failures by kind, most frequent first, each with one message of the server's."""
    rows = []
    parts = (
        ("turn", view.turns[view.measured & ~view.answered]),
        ("call", view.sessions[view.calls_measured & view.sessions["error_kind"].notna().to_numpy(dtype=np.bool_)]),
    )
    keys = ["status", "error_kind", "error_code", "stage"]
    for level, frame in parts:
        for values, group in frame.groupby(keys, dropna=False, sort=False, observed=True):
            messages = group["error_message"].dropna()
            status, kind, code, stage = (text(value) for value in values)
            rows.append(
                ErrorRow(
                    level="turn" if level == "turn" else "call",
                    status=status or "-",
                    error_kind=kind,
                    error_code=code,
                    stage=stage,
                    count=len(group),
                    message=str(messages.iloc[0])[:300] if len(messages) else None,
                )
            )
    return sorted(rows, key=lambda row: (-row.count, row.level, row.status, row.error_kind or ""))[:MOST_ERRORS]


def _verdict(
    view: View, turns: TurnCounts, calls: CallCounts, errors: list[ErrorRow], warnings: list[str]
) -> VerdictInfo:
    # A run that was killed in its warm-up has calls and no measured ones: whether the target answered is then
    # judged by all of them.
    every = calls.measured == 0
    ready = int((~np.isnan(floats(view.sessions, "session_ready_ms"))).sum()) if every else calls.ready
    found = decide(
        Facts(
            stop_reason=view.run.manifest.stop_reason,
            losses=tuple(view.run.reasons),
            calls=calls.total if every else calls.measured,
            calls_ready=ready,
            late_bound=_late_bound(view),
            commonest_call_error=_commonest(errors, "call"),
            turns=turns.total - turns.warmup,
            answered=turns.answered,
            late_turns=turns.client_late,
            commonest_turn_error=_commonest(errors, "turn"),
            warnings=tuple(warnings),
        )
    )
    return VerdictInfo(
        name=found.name, exit_code=int(found.exit_code), reasons=list(found.reasons), warnings=list(found.warnings)
    )


def _commonest(errors: list[ErrorRow], level: str) -> str | None:
    """The most frequent failure in words: kind, code, stage, and the server's message."""
    row = next((row for row in errors if row.level == level), None)
    if row is None:
        return None
    kind = row.error_kind or row.status.replace("_", " ")
    said = kind + (f" ({row.error_code})" if row.error_code else "") + (f" at {row.stage}" if row.stage else "")
    return f"{said}: {row.message}" if row.message else said


def _warnings(view: View, turns: TurnCounts, metrics: list[MetricRow], heard: Words, money: Cost) -> list[str]:
    said = []
    if 0 < turns.answered < turns.measured:
        lost = turns.measured - turns.answered
        said.append(f"{lost} of {turns.measured} turns were not answered ({100 * lost / turns.measured:.1f} %)")
    if turns.client_late:
        said.append(f"{turns.client_late} turns are left out of the statistics: their audio was sent late")
    headline = next((row for row in metrics if row.name == "first_audible_ms"), None)
    if headline is not None and headline.n and not supported(headline.n, 95):
        said.append(f"p95 is blank: it needs 20 answered turns, and there are {headline.n}")
    if turns.answered:
        said += _coverage(heard, money, turns)
    unstamped = [name for name, anchor in view.run.manifest.workers.items() if anchor.kernel_stamps is False]
    if unstamped:
        said.append(f"no kernel arrival times in {', '.join(unstamped)}: latencies include the harness's own delay")
    return said + [note for note in view.run.manifest.notes if note not in said]


def _coverage(heard: Words, money: Cost, turns: TurnCounts) -> list[str]:
    said = []
    if heard.scored == 0:
        said.append("WER was not measured: no turn has a transcription of the caller")
    elif heard.scored < heard.expected:
        said.append(f"WER covers {heard.scored} of {heard.expected} turns: the others have no transcription")
    if money.unpriced_answered == turns.answered:
        said.append("cost is unknown: no answered turn has a known price")
    elif money.unpriced_answered:
        said.append(f"cost is a lower bound: {money.unpriced_answered} answered turns have no known price")
    said += [f"{note} ({number} turns)" for note, number in list(money.notes.items())[:MOST_COST_NOTES]]
    return said


def _load(view: View) -> Load:
    sessions = view.sessions
    elapsed = _elapsed_s(view)
    minutes = elapsed / 60 if elapsed else None
    open_calls = [_peak_open(view), _peak(view.turns, "open_sessions")]
    caller, reply = total(floats(sessions, "caller_audio_ms")), total(floats(sessions, "reply_audio_ms"))
    return Load(
        offered=dict(_flat(view.run.manifest.scenario.get("load") or {})),
        callers_seen=int(sessions["caller"].nunique()),
        calls=len(sessions),
        peak_open_calls=max((peak for peak in open_calls if peak is not None), default=None),
        peak_talking=_peak(view.turns, "talking_sessions"),
        elapsed_s=elapsed,
        calls_per_min=len(sessions) / minutes if minutes else None,
        turns_per_min=len(view.turns) / minutes if minutes else None,
        caller_audio_min=None if caller is None else caller / 60_000,
        reply_audio_min=None if reply is None else reply / 60_000,
    )


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Settings of the scenario's load, nested ones dotted, absent ones left out."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flat(item, f"{name}.{key}" if name else str(key))]
    return [] if value is None or value in ([], "") else [(name, str(value))]


def _elapsed_s(view: View) -> float | None:
    """From the first row's beginning to the last row's end; the run's own clock where rows do not say."""
    starts = [floats(frame, "started_at") for frame in (view.turns, view.sessions)]
    ends = [floats(frame, "ended_at") for frame in (view.turns, view.sessions)]
    begun, ended = np.concatenate(starts), np.concatenate(ends + starts)
    if not len(begun) or np.isnan(begun).all():
        return None
    return round(float(np.nanmax(ended) - np.nanmin(begun)), 3)


def _peak_open(view: View) -> int | None:
    """The most calls that were open at one moment, from their own beginnings and ends."""
    begun, ended = floats(view.sessions, "started_at"), floats(view.sessions, "ended_at")
    known = ~np.isnan(begun) & ~np.isnan(ended)
    if not known.any():
        return None
    moments = np.concatenate([begun[known], ended[known]])
    steps = np.concatenate([np.ones(known.sum()), -np.ones(known.sum())])
    # At one instant an end comes before a beginning: a call that replaces another was never beside it.
    return int(np.cumsum(steps[np.lexsort((steps, moments))]).max())


def _peak(frame: pd.DataFrame, name: str) -> int | None:
    values = floats(frame, name)
    return None if np.isnan(values).all() else int(np.nanmax(values))


def _late_bound(view: View) -> float:
    """The scenario's own bound on late turns, the default where an older run has none."""
    health = view.run.manifest.scenario.get("health")
    bound = health.get("max_client_late") if isinstance(health, dict) else None
    return float(bound) if isinstance(bound, int | float) else CLIENT_LATE_BOUND


def _health(view: View) -> Health:
    late = view.late & ~view.warmup
    asked = int((~view.warmup).sum())
    stamps: dict[str, bool | None] = {name: anchor.kernel_stamps for name, anchor in view.run.manifest.workers.items()}
    if not stamps and len(view.sessions):
        stamps = {"all": bool(truth(view.sessions, "kernel_stamps").all())}
    return Health(
        client_late_turns=int(late.sum()),
        client_late_share=int(late.sum()) / asked if asked else None,
        client_late_bound=_late_bound(view),
        kernel_stamps=stamps,
        facts=view.run.manifest.health,
    )
