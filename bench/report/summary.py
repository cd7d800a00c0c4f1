"""From a stored run to its `Summary`: every number that any report prints is computed here or below.

In: a `Run` read from its folder. Out: a `Summary`, the same one each time the same folder is read.
Trap: nothing may depend on the moment of rendering or on the machine that renders; and warm-up rows are counted,
shown and kept out of every statistic.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.measure.metrics import METRICS
from bench.report.chartdata import charts, headline
from bench.report.health import calibration_of, health, peak_open
from bench.report.latency import continuity, error_rates, latency_cuts, metric_rows
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
from bench.report.phrases import amount, failure, no_words
from bench.report.planned import load_sentence, settings
from bench.report.stats import supported
from bench.report.verdict import Facts, decide
from bench.report.view import View, counts, floats, text, total, view_of
from bench.report.wer_tables import words
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
    calibration, unreadable = calibration_of(view)
    certificate = health(view, calibration, unreadable)
    warnings = _warnings(view, turn_counts, metrics, heard, money)
    return Summary(
        run=run.manifest,
        started_at=run.manifest.started_at,
        elapsed_s=_elapsed_s(view),
        verdict=_verdict(view, turn_counts, call_counts, errors, certificate, warnings),
        turns=turn_counts,
        calls=call_counts,
        rates=error_rates(view),
        errors=errors,
        metrics=metrics,
        continuity=continuity(view),
        latency_cuts=latency_cuts(view, headline(view)),
        words=heard,
        cost=money,
        load=_load(view),
        health=certificate,
        calibration=calibration,
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
    view: View,
    turns: TurnCounts,
    calls: CallCounts,
    errors: list[ErrorRow],
    certificate: Health,
    warnings: list[str],
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
            late_bound=certificate.client_late_bound,
            commonest_call_error=_commonest(errors, "call"),
            turns=turns.total - turns.warmup,
            answered=turns.answered,
            late_turns=turns.client_late,
            commonest_turn_error=_commonest(errors, "turn"),
            overload=tuple(certificate.overload),
            latest_frame_ms=certificate.frame_late.max_ms if certificate.frame_late else None,
            warnings=(*certificate.cautions, *warnings),
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
    return f"{said}: {failure(row)}" if row.message or row.error_kind is None else said


def _warnings(view: View, turns: TurnCounts, metrics: list[MetricRow], heard: Words, money: Cost) -> list[str]:
    said = []
    if 0 < turns.answered < turns.measured:
        lost = turns.measured - turns.answered
        share = 100 * lost / turns.measured
        said.append(f"{lost:,} of {amount(turns.measured, 'turn')} {_were(lost)} not answered ({share:.1f} %)")
    if turns.client_late:
        late = turns.client_late
        said.append(f"{amount(late, 'turn')} {_were(late)} left out of the statistics: the audio was sent late")
    first = next((row for row in metrics if row.name == headline(view)), None)
    if first is not None and first.n and not supported(first.n, 95):
        said.append(f"p95 is blank: it needs 20 answered turns, and there {'is' if first.n == 1 else 'are'} {first.n}")
    if turns.answered:
        said += _coverage(view, heard, money, turns)
    return said + [note for note in view.run.manifest.notes if note not in said]


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _coverage(view: View, heard: Words, money: Cost, turns: TurnCounts) -> list[str]:
    said = []
    if heard.scored == 0:
        said.append(f"WER was not measured: {no_words(view.run.manifest.scenario, heard.expected)}")
    elif heard.scored < heard.expected:
        said.append(
            f"WER covers {heard.scored:,} of {amount(heard.expected, 'turn')}: the others have no transcription"
        )
    if money.unpriced_answered == turns.answered:
        said.append("cost is unknown: no answered turn has a known price")
    elif money.unpriced_answered:
        said.append(f"cost is a lower bound: {amount(money.unpriced_answered, 'answered turn')} without a known price")
    said += [f"{note} ({amount(number, 'turn')})" for note, number in list(money.notes.items())[:MOST_COST_NOTES]]
    return said


def _load(view: View) -> Load:
    sessions = view.sessions
    elapsed = _elapsed_s(view)
    minutes = elapsed / 60 if elapsed else None
    open_calls = [
        peak_open(floats(sessions, "started_at"), floats(sessions, "ended_at")),
        _peak(view.turns, "open_sessions"),
    ]
    caller, reply = total(floats(sessions, "caller_audio_ms")), total(floats(sessions, "reply_audio_ms"))
    return Load(
        sentence=load_sentence(view.run.manifest.scenario),
        offered=dict(settings(view.run.manifest.scenario.get("load") or {})),
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


def _elapsed_s(view: View) -> float | None:
    """From the first row's beginning to the last row's end; the run's own clock where rows do not say."""
    starts = [floats(frame, "started_at") for frame in (view.turns, view.sessions)]
    ends = [floats(frame, "ended_at") for frame in (view.turns, view.sessions)]
    begun, ended = np.concatenate(starts), np.concatenate(ends + starts)
    if not len(begun) or np.isnan(begun).all():
        return None
    return round(float(np.nanmax(ended) - np.nanmin(begun)), 3)


def _peak(frame: pd.DataFrame, name: str) -> int | None:
    values = floats(frame, name)
    return None if np.isnan(values).all() else int(np.nanmax(values))
