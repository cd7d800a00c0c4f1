"""The report on terminals of several widths: no line is longer, no word is broken, the verdict is first and last."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.document import Column, Table, row
from bench.report.findings import Summary
from bench.report.summary import summarise
from bench.report.terminal import render_tables, render_terminal
from tests.report import build


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    turns, sessions = build.rows(fails=0.15)
    return summarise(build.finished(tmp_path_factory.mktemp("width") / "run", turns, sessions))


@pytest.mark.parametrize("width", [60, 80, 100, 150])
def test_no_line_is_longer_and_the_verdict_is_first_and_last(summary: Summary, width: int) -> None:
    text = render_terminal(summary, None, width)
    assert max(map(len, text.splitlines())) <= width
    lines = text.strip().splitlines()
    assert lines[0] == lines[-1]
    assert lines[0].startswith("sample: ")


def test_a_narrow_terminal_keeps_the_median_and_the_tail(summary: Summary) -> None:
    def first(width: int) -> list[str]:
        line = next(each for each in render_terminal(summary, None, width).splitlines() if each.startswith("LATENCY"))
        return line.split()

    assert first(80)[1:4] == ["n", "p50", "p95"]
    assert "interval" not in first(80)
    assert first(150)[1:6] == ["n", "p50", "p90", "p95", "p99"]
    assert "interval" in first(150)


def test_words_are_whole(summary: Summary) -> None:
    wide = set(render_terminal(summary, None, 400).split())
    cut = {word.rstrip("…") for word in render_terminal(summary, None, 80).split()}
    assert {word for word in cut if word.isalpha()} <= {word.rstrip("…") for word in wide}


def test_where_files_are_is_never_cut(summary: Summary) -> None:
    folder = Path("/".join(["a-long-name"] * 12))
    assert f"{folder / 'report.html'}\n" in render_terminal(summary, folder, 80)


def test_a_column_of_dashes_goes_before_one_that_says_something() -> None:
    columns = tuple(map(Column, ("p50", "p95", "errors", "WER", "$/min", "turns")))
    cells = ("706", "-", "0.0 %", "0.6 %", "-", "17/17")
    table = Table("Targets", columns, (row("north", *cells),), "Target", "TARGETS", quoted=0)
    said = render_tables([table], 72)
    assert "0.0 %" in said
    assert "17/17" in said
    assert "p95" not in said
    assert all(each.title in render_tables([table], 120) for each in columns)


def test_one_of_a_thing_is_no_plural() -> None:
    columns = (Column("heard", text=True), Column("times", "times"), Column("turns", "turns"))
    table = Table("Words", columns, (row("my", "velvet", "1", "1"), row("a", "b", "2", "1")), "Said", "WORDS")
    lines = render_tables([table], 80).splitlines()
    assert lines[1].endswith("1 time  1 turn")
    assert lines[2].endswith("2 times  1 turn")
