"""Conditions and cells side by side: the numbers of each part are those of its rows alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.findings_groups import Groups
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.store.manifest import CalledTarget
from tests.report import build


def made(folder: Path, *, by_cell: bool = False) -> list[Groups]:
    turns, calls = build.rows(calls=40, fails=0)
    for row in turns:
        noisy = row.session_index % 2 == 1
        row.condition = "cafe 0dB" if noisy else "clean"
        row.cell = f"{row.condition} / {row.accent}" if by_cell else row.condition
        row.expect_pass = not noisy
        if noisy and row.first_audible_ms is not None:
            row.first_audible_ms += 1000
            row.substitutions, row.hits = (row.hits or 0) + (row.substitutions or 0), 0
    summary = summarise(build.finished(folder, turns, calls))
    for text in (render_terminal(summary), render_markdown(summary), render_html(summary)):
        assert "cafe 0dB" in text
    return summary.groups


def test_one_table_shows_words_speed_and_success_by_condition(tmp_path: Path) -> None:
    (found,) = made(tmp_path)
    assert (found.column, found.title) == ("condition", "Conditions")
    rows = {row.name: row for row in found.rows}
    clean, noisy = rows["clean"], rows["cafe 0dB"]
    assert clean.calls + noisy.calls == 36, "without the calls of warm-up"
    assert noisy.p50.value is not None
    assert clean.p50.value is not None
    assert noisy.p50.value - clean.p50.value == pytest.approx(1000, abs=300)
    assert noisy.wer.value is not None
    assert clean.wer.value is not None
    assert noisy.wer.value > 0.9 > 0.4 > clean.wer.value
    assert (clean.task_success.value, noisy.task_success.value) == (1.0, 0.0)


def test_cells_are_shown_beside_conditions_when_they_are_more(tmp_path: Path) -> None:
    assert [each.column for each in made(tmp_path, by_cell=True)] == ["condition", "cell"]


def test_a_run_of_one_part_has_no_table(tmp_path: Path) -> None:
    assert summarise(build.finished(tmp_path, *build.rows(calls=8, fails=0))).groups == []


def test_targets_that_were_called_in_turn_have_rows_of_their_own(tmp_path: Path) -> None:
    turns, calls = build.rows(calls=40, fails=0)
    for row in [*turns, *calls]:
        row.target = ("fast", "slow")[row.session_index % 2]
        row.cell = ("20ms frames", "100ms frames")[row.session_index // 2 % 2]
    for row in turns:
        row.first_audible_ms = 1000.0 * (row.target == "slow") + 100 * (row.cell == "100ms frames") + 500
    targets = [CalledTarget(name=name, url="ws://voice.example") for name in ("slow", "fast")]
    (found,) = summarise(build.finished(tmp_path, turns, calls, targets=targets)).groups
    assert {row.name: row.p50.value for row in found.rows} == {
        "20ms frames / slow": 1500,
        "20ms frames / fast": 500,
        "100ms frames / slow": 1600,
        "100ms frames / fast": 600,
    }
    assert sum(row.turns for row in found.rows) == 36 * 5
