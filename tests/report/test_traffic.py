"""What was going on over the run: every call and every error once, in the slice in which it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.report.traffic import most_open
from bench.report.traffic_plots import traffic_plots
from tests.report import build

calls = st.lists(st.tuples(st.integers(0, 400), st.one_of(st.none(), st.integers(0, 200))), min_size=1, max_size=30)


@given(calls)
def test_most_open_is_that_of_counting_by_hand(spans: list[tuple[int, int | None]]) -> None:
    begun = np.array([begin / 10 for begin, _ in spans])
    ended = np.array([np.nan if length is None else (begin + length) / 10 for begin, length in spans])
    width, slices = 5.0, 13
    found = most_open(begun, ended, width, slices)
    for place in range(slices):
        until = (place + 1) * width if place < slices - 1 else np.inf
        moments = [place * width, *(at for at in begun if place * width <= at < until)]
        counted = [int(((begun <= at) & ~(ended <= at)).sum()) for at in moments]
        assert found[place] == max(counted)


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Sixty calls; three were refused before they were ready, two turns of others failed after their endpointing."""
    turns, sessions = build.rows(calls=60, turns=2, fails=0.0, warm=0)
    refused = {call.session_id for call in sessions[10:13]}
    for call in sessions[10:13]:
        call.status, call.error_kind, call.error_code = "failed", "server", "server_error"
        call.http_status, call.stage, call.session_ready_ms = 503, "upgrade", None
        call.error_message = "overloaded"
    kept = [row for row in turns if row.session_id not in refused]
    for row in kept[40:42]:
        endpoint = row.endpoint_ms
        build.fail(row, "failed", "closed", "close_1011", "gone")
        row.endpoint_ms, row.close_code = endpoint, 1011
    run = build.finished(tmp_path_factory.mktemp("traffic") / "run", kept, sessions)
    return summarise(run)


def test_calls_turns_and_errors_are_counted_once(summary: Summary) -> None:
    chart = summary.charts.traffic
    assert chart is not None
    assert {each.name: sum(each.counts) for each in chart.errors} == {
        "server/server_error (calls)": 3,
        "closed/close_1011 (turns)": 2,
    }
    assert sum(chart.turns_per_min) * chart.slice_s / 60 == pytest.approx(57 * 2, abs=0.5)
    assert max(chart.open_calls) == 9, "calls of 14 s, one each 1.6 s"


def test_calls_and_turns_have_tables_of_their_own_with_the_status(summary: Summary) -> None:
    text = render_terminal(summary)
    calls_table, turns_table = (
        text.split(heading)[1].split("\n\n")[0] for heading in ("CALLS WITH AN ERROR", "TURNS WITHOUT AN ANSWER")
    )
    assert "HTTP 503" in calls_table
    assert "close 1011" in turns_table
    assert "503" not in turns_table


def test_a_turn_that_failed_later_counts_where_it_had_been(summary: Summary) -> None:
    shares = {curve.name: curve.share[-1] for curve in summary.charts.distribution}
    assert shares["endpoint_ms"] == 1.0
    assert shares["first_audible_ms"] == pytest.approx(112 / 114, abs=1e-4)


def test_latency_against_open_calls_has_intervals_where_there_are_calls_enough(summary: Summary) -> None:
    chart = summary.charts.by_load
    assert chart is not None
    known = [each for each in chart.bins if each.p50 is not None]
    assert any(each.p50_interval is not None for each in known)
    for each in known:
        if each.p50_interval is not None:
            assert each.p50_interval.low <= each.p50 <= each.p50_interval.high  # type: ignore[operator]


def test_the_page_draws_three_panels_and_says_them(summary: Summary) -> None:
    page = render_html(summary)
    for plot in traffic_plots(summary.charts.traffic):
        assert plot.about in page
    assert page.count('id="traffic-') == 2 * 3


def test_a_run_of_one_moment_has_no_panels(tmp_path: Path) -> None:
    assert traffic_plots(summarise(build.finished(tmp_path / "run", [], [])).charts.traffic) == []
