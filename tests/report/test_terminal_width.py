"""The report on terminals of several widths: no line is longer, no word is broken, the verdict is first and last."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.document import Column, Table, lines, row
from bench.report.findings import Summary
from bench.report.summary import summarise
from bench.report.terminal import render_tables, render_terminal
from tests.report import build
from tests.report.test_targets import called, dealt


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    turns, sessions = build.rows(fails=0.15)
    return summarise(build.finished(tmp_path_factory.mktemp("width") / "run", turns, sessions))


FAR = "north-virginia-second-vendor-gpt-realtime"
STEP = "order-number-read-out-digit-by-digit-after-being-asked-for-it-twice"


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Three targets, one of them away, with names and thresholds that are longer than a column."""
    names = ("frankfurt-primary-endpoint", FAR, "singapore-away")
    turns, calls = dealt(build.rows(fails=0.15), *names, slower_ms=300)
    for call in calls:
        if call.target == "singapore-away":
            call.status, call.session_ready_ms = "failed", None
            call.error_kind, call.error_message = "connect", "the connection was refused by the other side " * 6
    scenario = {
        "name": "sample",
        "thresholds": [
            f"first_audible_ms{{target={FAR}}}: p95 < 1.1s",
            f"first_audible_ms{{step={STEP}}}: p95 < 900ms",
            "first_audible_ms: p95 < 9s",
        ],
    }
    kept = [turn for turn in turns if turn.target != "singapore-away"]
    root = tmp_path_factory.mktemp("long") / "run"
    return summarise(build.finished(root, kept, calls, scenario=scenario, **called(*names)))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 150])
def test_long_names_make_no_line_longer(long_names: Summary, width: int) -> None:
    text = render_terminal(long_names, None, width)
    assert max(map(len, text.splitlines())) <= width
    assert text.splitlines()[0] == text.splitlines()[-1]


def test_the_figures_of_a_long_name_stand_under_their_heads(long_names: Summary) -> None:
    said = render_terminal(long_names, None, 80).splitlines()
    head = next(each for each in said if each.startswith("TARGETS"))
    ends = [head.index(title) + len(title) for title in ("p50", "p95", "errors", "calls")]
    name = next(place for place, each in enumerate(said) if each == f"  2. {FAR}")
    figures = said[name + 1]
    assert figures[:30].isspace()
    assert all(figures[end - 1] != " " and figures[end : end + 1] in {"", " "} for end in ends)


def test_a_threshold_keeps_its_name_and_its_result(long_names: Summary) -> None:
    said = render_terminal(long_names, None, 80).splitlines()
    place = next(n for n, each in enumerate(said) if f"{{target={FAR}}}" in each and "first_audible" in each)
    assert said[place + 1].split()[-1] in {"FAIL", "pass"}
    cut = next(each for each in said if "step=" in each)
    assert "…" in cut
    assert cut.endswith("asked-for-it-twice}")


def test_text_goes_on_below_itself() -> None:
    table = lines("Load", [("Offered", "thirty calls " * 8), ("Other", "twenty calls " * 40)], heading="LOAD")
    first, *more = render_tables([table], 60).splitlines()[1:]
    other = next(place for place, each in enumerate(more) if "Other" in each)
    assert all(each.startswith(" " * 35) and each[35] != " " for each in more[:other] + more[other + 1 :])
    assert " ".join([first, *more]).count("thirty calls") == 8
    assert more[-1].endswith(" calls …") or more[-1].endswith(" twenty …")


def test_a_heading_and_a_head_have_a_gap() -> None:
    heading = "TASK SUCCESS BY CALLS OPEN AT ONCE"
    table = Table("Tasks", (Column("success"), Column("met")), (row("2", "100.0 %", "6 of 6"),), "", heading, quoted=0)
    assert f"{heading}  success" in render_tables([table], 80)


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
