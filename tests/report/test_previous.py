"""What changed since the previous run: the right one is found, and nothing beside a run can spoil its report."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.previous import previous
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.store.manifest import CalledTarget
from bench.store.reader import Run
from tests.report import build


def run(folder: Path, day: int = 0, slower_ms: float = 0.0, **changes: Any) -> Run:
    """The sample run of that day, its first audible later by that much."""
    turns, sessions = build.rows(fails=0.0, seed=day + 1)
    for row in turns:
        if row.first_audible_ms is not None:
            row.first_audible_ms += slower_ms
    name = f"night-{day}"
    for each in (*turns, *sessions):
        each.run_id = name
    values = {"run_id": name, "started_at": build.START + timedelta(days=day), **changes}
    return build.finished(folder, turns, sessions, **values)


def test_the_newest_earlier_run_is_compared_with_and_every_report_says_so(tmp_path: Path) -> None:
    run(tmp_path / "c", day=0)
    run(tmp_path / "b", day=1)
    now = run(tmp_path / "a", day=2, slower_ms=400)
    run(tmp_path / "d", day=3)
    summary = summarise(now)
    assert summary.previous is not None
    assert (summary.previous.run_id, summary.previous.folder) == ("night-1", "../b")
    verdicts = {row.measure: row.verdict for row in summary.previous.rows}
    assert verdicts["first_audible_ms: p50"] == "worse"
    assert verdicts["ttft_ms: p50"] != "worse"
    for text in (render_terminal(summary), render_markdown(summary), render_html(summary)):
        assert "since the previous run" in text.lower()
    assert "../b" in render_html(summary)


@pytest.mark.parametrize(
    "changes",
    [
        {"scenario_name": "another"},
        {"target": CalledTarget(url="ws://127.0.0.1:1/v1/realtime", model="another", dialect="openai")},
        {"started_at": build.START + timedelta(days=9)},
    ],
)
def test_another_scenario_or_target_and_a_later_run_are_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    run(tmp_path / "b", day=1, **changes)
    assert previous(run(tmp_path / "a", day=2)) is None


def test_a_run_alone_and_one_beside_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text('{"run_id": "x"')
    (tmp_path / "file").write_text("not a folder")
    now = run(tmp_path / "a", day=2)
    assert previous(now) is None
    assert "previous run" not in render_terminal(summarise(now)).lower()


def test_tables_that_went_away_are_no_reason_to_fail(tmp_path: Path) -> None:
    broken = run(tmp_path / "b", day=1)
    broken.folder.turns_parquet.write_bytes(b"no parquet")
    assert previous(run(tmp_path / "a", day=2)) is None
