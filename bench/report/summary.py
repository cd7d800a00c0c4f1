"""From a stored run to its `Summary`: every number that any report prints is computed here or below.

In: a `Run` read from its folder. Out: a `Summary`, the same one each time the same folder is read.
Trap: nothing may depend on the moment of rendering or on the machine that renders; and warm-up rows are counted,
shown and kept out of every statistic.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.measure.metrics import METRICS
from bench.measure.outcome import ANSWERED
from bench.report.bill import bill
from bench.report.captions import captions
from bench.report.ceiling import carried_phases, ceiling
from bench.report.chartdata import charts, headline
from bench.report.findings import CallCounts, CrossTalkTurn, ErrorRow, Findings, Summary, TurnCounts, VerdictInfo
from bench.report.findings_health import Health, LoadReport
from bench.report.goodput import broken_counts
from bench.report.groups import groups
from bench.report.headroom import headroom
from bench.report.health import calibration_of, health, peak_open
from bench.report.heat import heat_maps
from bench.report.latency import latency_cuts, metric_rows
from bench.report.long_calls import long_calls
from bench.report.money import cost
from bench.report.objectives import objectives
from bench.report.phases import phases_report
from bench.report.phrases import capital
from bench.report.previous import previous
from bench.report.protocol import protocol
from bench.report.recorded_section import recorded
from bench.report.recordings import recordings_report
from bench.report.reply_words import reply_words
from bench.report.reprice import Repriced
from bench.report.shares import continuity, error_rates, share, turn_taking
from bench.report.stats import Floats
from bench.report.targets import targets_report
from bench.report.tasks import tasks
from bench.report.thresholds import bounds_of, judge, objectives_of
from bench.report.verdict import decide
from bench.report.view import View, counts, text, total, view_of
from bench.report.wer_tables import words
from bench.scenario.load_sentence import load_sentence
from bench.scenario.read import scenario_from_dict
from bench.store.manifest import Manifest
from bench.store.reader import Run

MOST_ERRORS = 20
MOST_CROSS_TALK = 6
LEAST_S = 5.0
"""A shorter run says nothing of how much happens in a minute."""
TABLES = ("turns.parquet", "sessions.parquet")
FILES = (
    "report.html",
    "report.md",
    "summary.json",
    "turns.parquet",
    "sessions.parquet",
    "turns.csv",
    "junit.xml",
    "step-summary.md",
)


def summarise(run: Run, again: Repriced | None = None) -> Summary:
    """Everything a report of `run` says, verdict included. `again`: `run` is its run, at other prices."""
    view = view_of(run)
    calibration, unreadable = calibration_of(view)
    rates = error_rates(view)
    good = objectives_of(run.manifest)
    if good:
        rates.append(share(view, "goodput", good).rate())
    thresholds = judge(judged(view), bounds_of(run.manifest), good)
    found = Findings(
        run=run.manifest,
        started_at=run.manifest.started_at,
        elapsed_s=_elapsed_s(view),
        losses=run.reasons,
        turns=turn_counts(view),
        calls=call_counts(view),
        rates=rates,
        objectives=objectives(thresholds, rates),
        thresholds=thresholds,
        broken_objectives=broken_counts(view, good) if good else {},
        errors=_errors(view),
        protocol=protocol(view),
        metrics=metric_rows(view),
        continuity=continuity(view),
        taking=turn_taking(view),
        **_cross_talk(view),
        **recorded(view),
        reply_words=reply_words(view),
        latency_cuts=latency_cuts(view, headline(view)),
        previous=None if again is not None else previous(run),
        groups=groups(view, good),
        heat_maps=heat_maps(view),
        tasks=tasks(view),
        long_calls=long_calls(view),
        captions=captions(view),
        targets=targets_report(view),
        phases=phases_report(view, good),
        ceiling=ceiling(view),
        words=words(view),
        cost=cost(view),
        bill=bill(view, again),
        headroom=headroom(view),
        load=load_of(view),
        health=health(view, calibration, unreadable),
        recordings=recordings_report(view),
        calibration=calibration,
        charts=charts(view),
        definitions={metric.name: metric.definition for metric in METRICS.values()},
        files=[name for name in FILES if name not in TABLES or (run.manifest.state == "finished" and again is None)],
    )
    verdict = decide(found)
    if found.ceiling is None:
        _agree(found.health, verdict)
    return Summary(**dict(found), verdict=verdict)


def _agree(health: Health, verdict: VerdictInfo) -> None:
    """The answer to "can these numbers be trusted?" never says another thing than the verdict."""
    if verdict.name == "invalid" and health.trust != "no":
        health.trust = "no"
        health.conclusion = [*(f"{capital(each)}." for each in verdict.reasons), *health.conclusion]
    elif verdict.name != "invalid" and health.trust == "no":
        # A share beyond the bound that stands on too few turns to decide anything.
        health.trust = "with care"


def judged(view: View) -> View:
    """What thresholds are about: every row, but of a search those of levels that the target was found to carry."""
    run = view.run
    if run.manifest.search is None:
        return view
    names = carried_phases(run.manifest.search)
    turns, sessions = (frame[frame["phase"].isin(names)].reset_index(drop=True) for frame in (run.turns, run.sessions))
    return view_of(replace(run, turns=turns, sessions=sessions))


def turn_counts(view: View) -> TurnCounts:
    return TurnCounts(
        total=len(view.turns),
        warmup=int(view.warmup.sum()),
        client_late=int((view.late & ~view.warmup).sum()),
        measured=int(view.measured.sum()),
        answered=int(view.answered.sum()),
        by_status=counts(view.turns["status"][view.measured]),
        **_planned(view),
        harness=int(view.own_turns.sum()),
    )


def _planned(view: View) -> dict[str, Any]:
    """From planned to begun to answered, over the calls after warm-up."""
    sessions = view.sessions[["turns_planned", "turns_ended", "status"]][~view.calls_warmup]
    own = view.turns["status"][~view.warmup]
    # In a run with phases a call may begin in warm-up and go on after it, or the other way round.
    of_warm_call = view.turns["session_id"].isin(view.sessions["session_id"][view.calls_warmup]).to_numpy()
    moved = int((of_warm_call & ~view.warmup).sum()) - int((~of_warm_call & view.warmup).sum())
    left = (sessions["turns_planned"] - sessions["turns_ended"]).clip(lower=0)
    return {
        "planned": int(sessions["turns_planned"].sum()) + moved if len(sessions) else None,
        "begun": len(own),
        "answered_of_begun": int(own.isin(ANSWERED).sum()),
        "cut_off": int(left[sessions["status"] == "stopped"].sum()),
    }


def call_counts(view: View) -> CallCounts:
    return CallCounts(
        total=len(view.sessions),
        warmup=int(view.calls_warmup.sum()),
        measured=int(view.calls_measured.sum()),
        ready=int((view.calls_ready & view.calls_measured).sum()),
        ready_in_warmup=int((view.calls_ready & view.calls_warmup).sum()),
        by_status=counts(view.sessions["status"][view.calls_measured]),
        harness=int(view.own_calls.sum()),
    )


def _errors(view: View) -> list[ErrorRow]:
    """Failures by kind, most frequent first, each with one message of the server's."""
    rows = []
    failed_calls = view.sessions["error_kind"].notna().to_numpy(dtype=np.bool_)
    parts = (
        ("turn", view.turns, (view.measured & ~view.answered) | view.own_turns),
        ("call", view.sessions, (view.calls_measured | view.own_calls) & failed_calls),
    )
    several = bool(view.run.manifest.interleaved)
    keys = ["status", "error_kind", "error_code", "stage", "close_code"]
    for level, table, failed in parts:
        by = [*keys, *(["http_status"] if level == "call" else []), *(["target"] if several else [])]
        frame = table[[*by, "error_message"]][failed]
        for values, group in frame.groupby(by, dropna=False, sort=False, observed=True):
            messages = group["error_message"].dropna()
            found = dict(zip(by, values, strict=True))
            status, kind, code, stage = (text(found[name]) for name in keys[:4])
            rows.append(
                ErrorRow(
                    level="turn" if level == "turn" else "call",
                    status=status or "-",
                    error_kind=kind,
                    error_code=code,
                    stage=stage,
                    count=len(group),
                    http_status=_code(found.get("http_status")),
                    close_code=_code(found["close_code"]),
                    target=text(found.get("target")),
                    message=str(messages.iloc[0])[:300] if len(messages) else None,
                )
            )
    return sorted(rows, key=lambda row: (-row.count, row.level, row.status, row.error_kind or ""))[:MOST_ERRORS]


def _code(value: Any) -> int | None:
    shown = text(value)
    return None if shown is None else int(float(shown))


def _cross_talk(view: View) -> dict[str, Any]:
    """Also of warm-up: words of another call are a fault at any time."""
    columns = ["session_id", "turn", "cross_talk_with", "error_code"]
    rows = view.turns[columns][view.turns["cross_talk_with"].notna()]
    shown = [
        CrossTalkTurn(
            session_id=str(row["session_id"]),
            turn=int(row["turn"]),
            other=str(row["cross_talk_with"]),
            part=str(row["error_code"]),
        )
        for _, row in rows.head(MOST_CROSS_TALK).iterrows()
    ]
    return {"cross_talk": shown, "cross_talk_turns": len(rows)}


def load_of(view: View) -> LoadReport:
    call, manifest = view.call, view.run.manifest
    elapsed = _elapsed_s(view)
    minutes = elapsed / 60 if elapsed and elapsed >= LEAST_S else None
    open_calls = [peak_open(call["started_at"], call["ended_at"]), _peak(view.turn["open_sessions"])]
    caller, reply = total(call["caller_audio_ms"]), total(call["reply_audio_ms"])
    return LoadReport(
        sentence=_sentence(manifest),
        offered=dict(_settings(manifest.scenario.get("load") or {})),
        callers_seen=int(view.sessions["caller"].nunique()),
        calls=len(view.sessions),
        peak_open_calls=max((peak for peak in open_calls if peak is not None), default=None),
        peak_talking=_peak(view.turn["talking_sessions"]),
        elapsed_s=elapsed,
        calls_per_min=len(view.sessions) / minutes if minutes else None,
        turns_per_min=len(view.turns) / minutes if minutes else None,
        caller_audio_min=None if caller is None else caller / 60_000,
        reply_audio_min=None if reply is None else reply / 60_000,
    )


def _sentence(manifest: Manifest) -> str:
    """The load in words: stored with the run, made from the scenario of an older one, or its settings as they are."""
    if manifest.load_sentence is not None:
        return manifest.load_sentence
    try:
        scenario = scenario_from_dict(manifest.scenario, source=Path("run.json"), check_fixtures=False)
    except BenchError:
        settings = _settings(manifest.scenario.get("load") or {})
        return ", ".join(f"{name} {value}" for name, value in settings) or "-"
    return load_sentence(scenario.load, scenario.turns, list(scenario.targets))


def _settings(value: object, name: str = "") -> list[tuple[str, str]]:
    """Settings of a scenario's block, nested ones dotted, absent ones left out."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _settings(item, f"{name}.{key}" if name else str(key))]
    return [] if value is None or value in ([], "") else [(name, str(value))]


def _elapsed_s(view: View) -> float | None:
    """From the first row's beginning to the last row's end; a row without an end counts as one moment."""
    begun = np.concatenate([table["started_at"] for table in (view.turn, view.call)])
    ended = np.concatenate([table["ended_at"] for table in (view.turn, view.call)])
    if np.isnan(begun).all():
        return None
    return round(float(np.nanmax(np.fmax(begun, ended)) - np.nanmin(begun)), 3)


def _peak(values: Floats) -> int | None:
    return None if np.isnan(values).all() else int(np.nanmax(values))
