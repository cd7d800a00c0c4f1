"""The report as sections: each figure stands in one table, and every renderer prints that table."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from bench.report.document import barred, row
from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.markdown import escape, render_markdown
from bench.report.sections import BRIEF_ROWS, _percentile_table, sections
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from tests.report import build


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    turns, sessions = build.rows(calls=40, fails=0.2)
    for number, each in enumerate(turns):
        each.voice = f"voice{number % 12:02d}"
    return summarise(build.finished(tmp_path_factory.mktemp("run"), turns, sessions))


def test_every_cell_is_in_the_reports_that_show_its_table(summary: Summary) -> None:
    page = re.sub("</?code>", "`", html.unescape(render_html(summary)))
    markdown, terminal = render_markdown(summary), render_terminal(summary)
    assert "<code>failed</code>" in render_html(summary)
    for section in sections(summary):
        for table in section.tables:
            shown = [each for each in table.rows if each.brief][: table.most]
            for each in shown if table.heading else ():
                assert each.title in terminal
            for each in table.rows if table.title else ():
                for text in (each.title, *(cell.value for cell in each.cells), *(cell.under for cell in each.cells)):
                    assert text in page
                    assert escape(text) in markdown


def test_rows_are_as_wide_as_their_table(summary: Summary) -> None:
    for section in sections(summary):
        for table in section.tables:
            assert table.title or table.heading
            assert {len(each.cells) for each in table.rows} == {len(table.columns)}, table


def test_metrics_whose_low_values_are_bad_have_a_table_of_their_own(summary: Summary) -> None:
    heads = {
        table.title: [column.title for column in table.columns] for each in sections(summary) for table in each.tables
    }
    assert heads["Latency"][:6] == ["n", "p50", "p90", "p95", "p99", "max"]
    assert heads["Speed (higher is better)"] == ["n", "p50", "p10", "p5", "p1", "min"]


def test_the_terminal_prints_the_first_rows_of_a_long_table(summary: Summary) -> None:
    rows = next(found for found in summary.words.cuts.items() if found[0] == "voice")[1]
    block = render_terminal(summary).split("WER BY VOICE\n")[1].split("\n\n")[0]
    assert [line.split()[0] for line in block.splitlines()] == [each.name for each in rows[:BRIEF_ROWS]]
    assert all(each.name in render_markdown(summary) for each in rows)


def test_an_empty_run_has_no_empty_section(tmp_path: Path) -> None:
    found = sections(summarise(build.finished(tmp_path, [], [])))
    assert all(table.rows for section in found for table in section.tables)
    assert "latency" not in {section.id for section in found}


def test_bars_are_shares_of_the_longest() -> None:
    rows = [row(name) for name in "abcd"]
    assert [each.bar for each in barred(rows, [2.0, 4.0, None, -1.0])] == [0.5, 1.0, None, None]
    assert [each.bar for each in barred(rows, [0.0, None, None, None])] == [None] * 4


def test_a_row_with_the_figures_of_the_one_before_it_is_named_and_not_repeated(summary: Summary) -> None:
    first = summary.metrics[0].model_copy(update={"name": "dead_air_ms"})
    twin = first.model_copy(update={"name": "longest_dead_air_ms"})
    other = first.model_copy(update={"name": "longest_dead_air_ms", "n": first.n - 1})
    table = _percentile_table("Turn taking", [first, twin])
    assert [each.metric for each in table.rows] == ["dead_air_ms"]
    assert table.footnotes[-1] == "Longest dead air: the same as dead air"
    assert len(_percentile_table("Turn taking", [first, other]).rows) == 2


def test_parts_that_are_all_too_small_for_a_median_have_no_table(tmp_path: Path) -> None:
    def titles(calls: int) -> list[str]:
        found = summarise(build.finished(tmp_path / f"{calls}", *build.rows(calls, 1, fails=0.0, warm=0)))
        latency = next(section for section in sections(found) if section.id == "latency")
        return [table.title for table in latency.tables]

    assert any(" by accent" in title for title in titles(40))
    assert not any(" by accent" in title for title in titles(3))
