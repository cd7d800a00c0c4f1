"""What `gate`, `compare` and `history` print on terminals of several widths, and into a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.report.compare.comparison import compare
from bench.report.compare.matters import Matters
from bench.report.compare.measures import measures
from bench.report.compare.text import render_text as comparison_text
from bench.report.gate.gate import Settings, gate, usual_measures
from bench.report.gate.text import render_text as gate_text
from bench.report.gate.window import window_of
from bench.report.view import view_of
from bench.site.history import read_history
from bench.site.history_text import render_history
from bench.store.reader import read_run
from tests.site.nights import OUTAGE, name_of, night_run

NIGHTS = (14, 15, 16, OUTAGE)
Render = Callable[[int | None], str]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Render]:
    """Four nights of three targets, the last of them an outage."""
    root = tmp_path_factory.mktemp("a-folder-with-a-long-name-for-the-nights") / "reports"
    for night in NIGHTS:
        night_run(root, night, calls=24)
    runs = [read_run(root / name_of(night)) for night in NIGHTS]
    view = view_of(runs[-1])
    judged = gate(view, window_of(view, ["last:7"]), "last:7", Settings(usual_measures(view), Matters()))
    compared = compare([runs[0], runs[1], runs[-1]], measures([]), Matters())
    history = read_history(root)
    return {
        "gate": lambda width: gate_text(judged, (), width),
        "compare": lambda width: comparison_text(compared, (), width),
        "history": lambda width: render_history(history.runs, {}, width),
    }


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", ["gate", "compare", "history"])
def test_no_line_is_wider_than_the_terminal(texts: dict[str, Render], name: str, width: int) -> None:
    assert max(map(len, texts[name](width).splitlines())) <= width


@pytest.mark.parametrize("name", ["gate", "compare", "history"])
def test_names_of_runs_are_whole_at_80_columns(texts: dict[str, Render], name: str) -> None:
    said = texts[name](80)
    assert all(name_of(night) in said for night in (14, 15))


def test_the_verdict_is_first_and_last(texts: dict[str, Render]) -> None:
    for width in (None, 80):
        lines = texts["gate"](width).strip().splitlines()
        assert lines[0] == lines[-1]
        assert "exit code" in lines[0]
        first, *_, last_but_one, last = texts["compare"](width).strip().splitlines()
        assert first == last_but_one
        assert first.startswith("B against A: ")
        assert last.startswith("C against A: ")


def test_a_file_gets_whole_tables(texts: dict[str, Render]) -> None:
    assert "would be found" in texts["gate"](None)
    assert "would be seen" in texts["compare"](None)
    assert "…" not in texts["compare"](None) + texts["gate"](None) + texts["history"](None)


def test_a_percentile_among_unanswered_turns_is_said_in_words(texts: dict[str, Render]) -> None:
    said = texts["compare"](None)
    assert "in C so many turns were not answered that it is never (∞)" in said
    assert "+∞..+∞" not in said
    assert "count as never (∞)" in said
