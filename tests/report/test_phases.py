"""Phases side by side, against made-up rows that belong to them by the time at which they began."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.measure.records import SessionRecord, TurnRecord
from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.scenario.load_phases import PlannedPhase, planned
from bench.scenario.phase_config import PhaseConfig
from tests.report import build

Rows = tuple[list[TurnRecord], list[SessionRecord]]
PHASES = [
    {"name": "warm-up", "callers": 5, "duration": "10s", "warmup": True},
    {"name": "ramp", "callers": 20, "duration": "20s", "ramp": True},
    {"name": "hold", "callers": 20, "duration": "40s", "objectives": ["first_audible_ms < 900ms"]},
    {"name": "cool-down", "callers": 5, "duration": "30s", "ramp": "10s"},
]


def plan() -> tuple[PlannedPhase, ...]:
    return planned([PhaseConfig.model_validate(each) for each in PHASES])


def phase_of(at_s: float) -> str:
    offset_ms = 1000 * (at_s - build.START.timestamp())
    return next((each.name for each in plan() if offset_ms < each.end_ms), "finishing")


def in_phases(rows: Rows) -> Rows:
    """The rows with the phases in which they began and ended."""
    turns, calls = rows
    for turn in turns:
        turn.phase, turn.phase_ended = phase_of(turn.started_at), phase_of(turn.ended_at or turn.started_at)
        turn.warmup = turn.phase == "warm-up"
    return turns, [
        replace(
            call,
            phase=phase_of(call.started_at),
            phase_ended=phase_of(call.ended_at or call.started_at),
            warmup=phase_of(call.started_at) == "warm-up",
        )
        for call in calls
    ]


def summary_of(root: Path, rows: Rows, phases: list[dict[str, Any]] | None = None, **scenario: Any) -> Summary:
    load = {"phases": PHASES if phases is None else phases}
    body = {"name": "sample", "conversation": [{"say": "balance-rms"}], "load": load, **scenario}
    return summarise(build.finished(root, *rows, scenario=body, calls_began_at=build.START))


def test_a_run_without_phases_has_no_table_of_them(tmp_path: Path) -> None:
    found = summarise(build.finished(tmp_path, *build.rows(calls=12)))
    assert found.phases is None
    assert "PHASES" not in render_terminal(found)


def test_the_figures_of_each_phase_are_those_of_the_turns_that_began_in_it(tmp_path: Path) -> None:
    turns, calls = in_phases(build.rows(calls=70, fails=0.1, warm=0))
    found = summary_of(tmp_path, (turns, calls), objectives=["stalls < 1"]).phases
    assert found is not None
    assert [row.name for row in found.rows] == ["warm-up", "ramp", "hold", "cool-down", "finishing"]
    assert [row.load for row in found.rows] == [
        "5 callers", "5 to 20 callers over 20 s", "20 callers", "20 to 5 callers over 10 s", "",
    ]  # fmt: skip
    assert [(row.begin_s, row.end_s) for row in found.rows] == [(0, 10), (10, 30), (30, 70), (70, 100), (100, None)]
    for row in found.rows:
        own = [each for each in turns if each.phase == row.name]
        within = [each for each in own if each.phase_ended == row.name]
        assert (row.calls, row.turns) == (sum(each.phase == row.name for each in calls), len(own))
        assert (row.within, row.over) == (len(within), len(own) - len(within))
        if row.warmup:
            assert (row.p50.value, row.error_rate.value, row.goodput.value, row.measured) == (None, None, None, 0)
            continue
        waits = [np.inf if each.first_audible_ms is None else each.first_audible_ms for each in own]
        assert row.p50.value == pytest.approx(np.percentile(waits, 50))
        waits = [np.inf if each.first_audible_ms is None else each.first_audible_ms for each in within]
        assert row.p50_within.value == pytest.approx(np.percentile(waits, 50))
        assert row.errors == sum(each.status in {"failed", "no_reply"} for each in own)
        wanted = "first_audible_ms < 900ms" if row.name == "hold" else "stalls < 1"
        assert row.objectives == [wanted]
        answered = [each for each in own if each.status == "ok"]
        good = [(e.first_audible_ms or 0) < 900 if row.name == "hold" else e.stalls == 0 for e in answered]
        assert row.good == sum(good)
        assert row.goodput.value == pytest.approx(sum(good) / len(own))


def test_goodput_of_the_run_judges_each_turn_by_its_own_phase(tmp_path: Path) -> None:
    thresholds = ["goodput{phase=hold} > 1%", "goodput > 1%", "first_audible_ms{phase=ramp}: p50 < 9s"]
    rows = in_phases(build.rows(calls=70, warm=0))
    found = summary_of(tmp_path, rows, objectives=["stalls < 1"], thresholds=thresholds)
    assert found.phases is not None
    whole = next(rate for rate in found.rates if rate.name == "goodput")
    assert whole.events == sum(row.good or 0 for row in found.phases.rows)
    hold = next(row for row in found.phases.rows if row.name == "hold")
    first, overall, ramp = found.thresholds[:3]
    assert (first.events, first.n, overall.events) == (hold.good, hold.measured, whole.events)
    assert ramp.observed == found.phases.rows[1].p50.value
    assert set(found.broken_objectives) <= {"not answered", "first_audible_ms < 900ms", "stalls < 1"}


def test_phases_without_objectives_have_no_goodput(tmp_path: Path) -> None:
    plain = [{key: value for key, value in each.items() if key != "objectives"} for each in PHASES]
    found = summary_of(tmp_path, in_phases(build.rows(calls=70, warm=0)), plain)
    assert found.phases is not None
    assert all(row.good is None for row in found.phases.rows)
    assert "goodput" not in render_terminal(found).split("PHASES")[1].split("\n\n")[0]


def test_planned_turns_are_counted_by_the_phase_in_which_they_begin(tmp_path: Path) -> None:
    turns, calls = in_phases(build.rows(calls=40, fails=0, warm=0))
    found = summary_of(tmp_path, (turns, calls)).turns
    moved = {call.session_id for call in calls if call.warmup}
    assert any(each.session_id in moved and not each.warmup for each in turns), "a call went on after the warm-up"
    assert found.planned == found.begun == sum(not each.warmup for each in turns)


def test_turns_that_the_end_cut_off_stand_in_the_phase_of_their_call(tmp_path: Path) -> None:
    turns, calls = in_phases(build.rows(calls=40, warm=0))
    last = calls[-1]
    calls[-1] = replace(last, status="stopped", turns_ended=3)
    kept = [each for each in turns if each.session_id != last.session_id or each.turn < 3]
    found = summary_of(tmp_path, (kept, calls))
    assert found.phases is not None
    assert {row.name: row.cut_off for row in found.phases.rows if row.cut_off} == {last.phase: 2}
    assert "cut off" in render_terminal(found)


def test_every_report_shows_the_phases(tmp_path: Path) -> None:
    found = summary_of(tmp_path, in_phases(build.rows(calls=70, fails=0.1, warm=0)))
    text, markdown, page = render_terminal(found), render_markdown(found), render_html(found)
    assert "PHASES (FIRST AUDIBLE, MS)" in text
    for said in ("warm-up: 5 callers (left out)", "ramp: 5→20 callers", "hold: 20 callers", "finishing"):
        assert said in text
        assert said in markdown
        assert said in page
    assert "hold: first_audible_ms &lt; 900ms" in page
    chart = found.charts.over_time
    assert chart is not None
    assert chart.warmup_until_s is None
    assert [(each.name, each.from_s) for each in chart.phases] == [
        ("warm-up", 0.0), ("ramp", 10.0), ("hold", 30.0), ("cool-down", 70.0),
    ]  # fmt: skip
    assert '<text class="phase-name"' in page
