"""Task success in a report: shares, parts beside the word error rate, and what was missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.scenario.threshold_grammar import parse_objective
from bench.scenario.thresholds import broken_objective
from tests.report import build


def test_shares_by_accent_condition_and_load_and_what_was_missed(tmp_path: Path) -> None:
    turns, calls = build.rows(calls=40, fails=0)
    for row in turns:
        noisy = row.session_index % 2 == 1
        row.condition = "cafe 0dB" if noisy else "clean"
        if row.turn:
            row.expect_pass = not noisy
            row.expect_failed = "contains: 'a; b' is not in 'c; d'; latency: 9 ms, more than 1 ms" if noisy else None
    summary = summarise(build.finished(tmp_path, turns, calls))
    found = summary.tasks
    measured = [row for row in turns if not row.warmup and not row.client_late and row.expect_pass is not None]
    assert found.overall is not None
    assert (found.overall.met, found.overall.turns) == (sum(bool(row.expect_pass) for row in measured), len(measured))
    assert {"scenario", "accent", "condition", "open calls"} <= set(found.cuts)
    by_condition = {row.name: row for row in found.cuts["condition"]}
    assert by_condition["clean"].success.value == 1
    assert by_condition["cafe 0dB"].success.value == 0
    assert by_condition["cafe 0dB"].wer.value is not None
    assert sum(row.turns for row in found.cuts["open calls"]) == len(measured)
    half = len(measured) - found.overall.met
    assert {each.expectation: each.turns for each in found.missed} == {"contains": half, "latency": half}
    for text in (render_terminal(summary), render_markdown(summary), render_html(summary)):
        assert "more than 1 ms" in text


@pytest.mark.parametrize("graded", [False, True])
def test_a_run_without_expectations_says_nothing_of_tasks(graded: bool, tmp_path: Path) -> None:
    turns, calls = build.rows(calls=10, fails=0)
    if graded:
        turns[-1].expect_pass = True
    summary = summarise(build.finished(tmp_path, turns, calls))
    assert (summary.tasks.overall is not None) == graded
    assert ("TASK SUCCESS" in render_terminal(summary)) == graded


def test_goodput_counts_turns_whose_task_failed_and_not_those_without_one(tmp_path: Path) -> None:
    """Three turns in a row: met, not met, nothing expected; rows and the single-row rule say the same."""
    turns, calls = build.rows(calls=12, turns=3, fails=0.0, warm=0)
    for place, row in enumerate(turns):
        row.expect_pass = (True, False, None)[place % 3]
    body = {"name": "t", "conversation": [{"say": "balance-rms"}], "objectives": ["task_success >= 100%"]}
    summary = summarise(build.finished(tmp_path, turns, calls, scenario=body))
    good = next(rate for rate in summary.rates if rate.name == "goodput")
    assert (good.events, good.n) == (24, 36)
    kept = [broken_objective(row, (parse_objective("task_success >= 100%"),)) is None for row in turns]
    assert sum(kept) == 24
