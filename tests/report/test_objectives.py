"""Default bounds, failures of the harness itself, and the chain from planned turns to answered ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.measure.records import SessionRecord, TurnRecord
from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from tests.report import build

Rows = tuple[list[TurnRecord], list[SessionRecord]]


def rows(calls: int = 20, warm: int = 0) -> Rows:
    turns, sessions = build.rows(calls=calls, fails=0, warm=warm)
    return list(turns), list(sessions)


def summary_of(folder: Path, made: Rows) -> Summary:
    return summarise(build.finished(folder, *made))


def with_failed(made: Rows, turns: int = 0, calls: int = 0, kind: str = "server", code: str | None = None) -> Rows:
    """The first `turns` turns and `calls` calls fail."""
    bad_turns = [replace(row, status="failed", error_kind=kind, error_code=code) for row in made[0][:turns]]
    bad_calls = [replace(row, status="failed", error_kind=kind, error_code=code) for row in made[1][:calls]]
    return bad_turns + made[0][turns:], bad_calls + made[1][calls:]


@pytest.mark.parametrize(
    "turns, calls, name, code, said",
    [
        (0, 0, "pass", 0, "100 of 100 turns answered"),
        (5, 1, "pass", 0, "95 of 100"),
        (6, 0, "failed", 1, "error_rate 6 % (6 of 100 turns); the default threshold is <= 5 %"),
        (0, 2, "failed", 1, "session_error_rate 10 % (2 of 20 calls); the default threshold is <= 5 %"),
    ],
)
def test_default_bounds(tmp_path: Path, turns: int, calls: int, name: str, code: int, said: str) -> None:
    summary = summary_of(tmp_path, with_failed(rows(), turns, calls))
    assert (summary.verdict.name, summary.verdict.exit_code) == (name, code), summary.verdict.reasons
    assert said in "; ".join(summary.verdict.reasons)
    assert [each.metric for each in summary.objectives] == ["error_rate", "session_error_rate"]
    for text in (render_terminal(summary), render_markdown(summary), render_html(summary)):
        assert "(default)" in text


def test_what_the_harness_failed_is_not_the_targets(tmp_path: Path) -> None:
    few = summary_of(tmp_path / "few", with_failed(rows(calls=200), calls=1, kind="harness"))
    assert few.verdict.name == "pass"
    assert few.calls.harness == 1
    rate = next(rate for rate in few.rates if rate.name == "session_error_rate")
    assert (rate.events, rate.n) == (0, 199)
    many = summary_of(tmp_path / "many", with_failed(rows(), calls=10, kind="harness", code="too_many_open_files"))
    assert (many.verdict.name, many.verdict.exit_code) == ("invalid", 4)
    said = "; ".join(many.verdict.reasons)
    assert "the harness itself failed 10 calls of 20 (50.0 %; the bound is 1 %)" in said
    assert "CAN THE NUMBERS BE TRUSTED? NO." in render_terminal(many).upper()
    assert "ulimit -n" in said
    every = summary_of(tmp_path / "every", with_failed(rows(), turns=100, calls=20, kind="harness"))
    assert every.verdict.name == "invalid", "not unreachable, and not without data"


def test_turns_that_never_began_are_counted(tmp_path: Path) -> None:
    turns, sessions = rows(calls=10)
    gone = {row.session_id for row in sessions[:4]}
    kept = [row for row in turns if row.session_id not in gone or row.turn < 2]
    cut = [
        replace(row, turns_ended=2, status="stopped" if place < 2 else row.status) if row.session_id in gone else row
        for place, row in enumerate(sessions)
    ]
    summary = summary_of(tmp_path, (kept, cut))
    found = summary.turns
    assert (found.planned, found.begun, found.answered_of_begun, found.cut_off) == (50, 38, 38, 6)
    assert "38 of 38 turns answered; of 44 planned, 38 were begun" in summary.verdict.reasons[0]
    for text in (render_terminal(summary), render_markdown(summary)):
        assert "50 planned, 38 begun, 38 answered" in text
    page = render_html(summary)
    assert "50 planned · 38 begun · 38 answered" in page
    assert "Failed calls" in page
