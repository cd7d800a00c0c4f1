"""What limits suffice for, against hand calculation and against the accounting of the simulated server."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.rate_limits import LimitTold, QuotaState, to_text, told_of
from bench.report.bill_learned import learn
from bench.report.bill_projection import Launch, project
from bench.report.findings_headroom import Headroom
from bench.report.headroom import headroom, peak_of, reserved_tokens, rounded_up
from bench.report.headroom_phrases import headroom_warnings
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.report.view import view_of
from bench.server.allowance import Allowance
from bench.store.reader import Run
from tests.report import build
from tests.report.bills import call
from tests.report.test_consumption import said, use

TURNS = ((10, use(100, 20)), (30, use(200, 20)), (70, use(300, 30)), (110, use(400, 30)))
"""When the caller stopped to speak, and what was used: 340 tokens in the first minute of a call, 760 in the second."""
TOKENS = QuotaState("tokens", "event", 0, 55_000, 54_000, 1.1)
REQUESTS = QuotaState("requests", "event", 0, 150, 149, 0.4)


def stored(folder: Path, *states: QuotaState, calls: int = 6, scenario: dict[str, Any] | None = None) -> Run:
    text = to_text(told_of(states))
    turns = [said(number, place, counts, at_s) for number in range(calls) for place, (at_s, counts) in enumerate(TURNS)]
    rows = [call(number, len(TURNS), duration_ms=120_000.0, rate_limits=text) for number in range(calls)]
    asked = {"name": "sample", **(scenario or {})}
    return build.finished(folder, turns, rows, scenario=asked)


def of(folder: Path, *states: QuotaState, **changes: Any) -> Headroom:
    return headroom(view_of(stored(folder, *states, **changes)))[0]


def test_calls_at_100_percent(tmp_path: Path) -> None:
    """A call of two minutes uses 1,100 tokens and 4 requests: 550 tokens and 2 requests a minute."""
    found = of(tmp_path / "r", TOKENS, REQUESTS, scenario={"load": {"planned_peak": 150}})
    tokens, requests = found.limits
    assert (tokens.per, tokens.calls_at_once.value, requests.calls_at_once.value) == ("minute", 100, 75)
    assert tokens.calls_begun.value == 50  # calls that begin each minute and stay for two
    assert tokens.calls_together == pytest.approx(55_000 / 760)
    assert tokens.peak_share == 1.5
    assert (requests.binding, tokens.binding) == (True, False)
    # Input is 500 tokens a minute, and two responses may say 4,096 tokens each.
    assert tokens.calls_reserved == pytest.approx(55_000 / (500 + 2 * 4096))
    assert requests.calls_reserved is None
    assert headroom_warnings([found]) == [
        "the planned peak of 150 calls at once would use 200 % of the limit of 150 requests a minute"
    ]


def test_what_to_ask_for(tmp_path: Path) -> None:
    scenario = {"load": {"planned_peak": 300}, "session": {"max_output_tokens": 200}}
    tokens, requests = of(tmp_path / "r", TOKENS, scenario=scenario).needs
    assert (tokens.used.value, tokens.together, tokens.limit) == (165_000, 228_000, 55_000)
    assert tokens.ask == 230_000
    assert tokens.ask_reserved == 300 * (500 + 2 * 200)
    assert (requests.used.value, requests.ask, requests.ask_reserved, requests.limit) == (600, 600, None, None)


def test_a_peak_in_calls_a_minute_needs_whole_calls(tmp_path: Path) -> None:
    found = of(tmp_path / "r", QuotaState("sessions", "header", 0, 80), scenario={"load": {"planned_peak": "50/min"}})
    tokens, requests = found.needs
    assert (found.peak_at_once, found.limits[0].peak_share) == (100, 1.25)
    assert (tokens.used.value, tokens.together, tokens.ask) == (55_000, None, 55_000)
    assert requests.used.value == 200


def test_a_projected_launch_needs_the_same(tmp_path: Path) -> None:
    """3,000 calls an hour are 50 a minute: what `bench cost RUN` says of them is what the peak needs."""
    view = view_of(stored(tmp_path / "r", scenario={"load": {"planned_peak": "50/min"}}))
    learned = learn(view)
    assert learned is not None
    projected = project(learned, Launch(calls_per_day=30_000, peak_share=0.1))
    tokens, requests = headroom(view)[0].needs
    assert projected.peak_tokens_per_min is not None
    assert projected.peak_responses_per_min is not None
    assert projected.peak_tokens_per_min.value == pytest.approx(tokens.used.value)
    assert projected.peak_responses_per_min.value == pytest.approx(requests.used.value)
    assert projected.peak_calls_at_once == pytest.approx(headroom(view)[0].peak_at_once)


def test_without_a_word_of_limits_use_and_needs_are_told(tmp_path: Path) -> None:
    summary = summarise(stored(tmp_path / "r"))
    found = summary.headroom[0]
    assert found.limits == []
    assert found.binding is None
    assert (found.peak, found.peak_planned) == (100, False)
    assert [each.ask for each in found.needs] == [76_000, 200]
    text = render_markdown(summary)
    assert "The server told of no rate limit" in text
    assert "What 100 calls at once need" in text
    assert "RATE LIMITS" not in render_terminal(summary)


def test_every_rendering_tells_limits_and_the_limit_to_ask_for(tmp_path: Path) -> None:
    summary = summarise(stored(tmp_path / "r", TOKENS, REQUESTS, scenario={"load": {"planned_peak": 150}}))
    assert any("200 % of the limit of 150 requests" in warning for warning in summary.verdict.warnings)
    for text in (render_terminal(summary), render_markdown(summary), render_html(summary)):
        assert "200 %" in text
        assert "120,000" in text  # 150 calls that begin together use 114,000 tokens in their second minute
    page = render_html(summary)
    assert "Requests are used up first: 150 requests a minute suffice for 75 calls at once." in page
    assert "Vendors set aside the most that a response may say" in page


def test_a_limit_of_a_day_bounds_how_many_begin(tmp_path: Path) -> None:
    day = QuotaState("requests", "event", 0, 1_000, 900, 8_640.0)
    (row,) = of(tmp_path / "r", day, scenario={"load": {"planned_peak": 5}}).limits
    assert (row.per, row.calls_begun.value) == ("day", 250)
    assert (row.calls_at_once.value, row.peak_share, row.binding) == (None, None, False)


@pytest.mark.parametrize(
    ("state", "value"),
    [
        (QuotaState("input-tokens", "event", 0, 50_000), 100),
        (QuotaState("project-tokens", "event", 0, 55_000), 100),
        (QuotaState("output_tokens", "event", 0, 50), None),  # names reach a row in one spelling
        (QuotaState("images", "event", 0, 50), None),
        (QuotaState("concurrent-sessions", "event", 0, 37), 37),
        (QuotaState("tokens", "event", 0, None, 500), None),
        (QuotaState("tokens", "event", 0, 0, 0), None),
    ],
)
def test_limits_by_name(tmp_path: Path, state: QuotaState, value: float | None) -> None:
    (row,) = of(tmp_path / "r", state).limits
    if state.name != "output_tokens":
        assert row.calls_at_once.value == value


def test_a_header_and_an_event_of_one_limit_are_one_row(tmp_path: Path) -> None:
    header = QuotaState("tokens", "header", 0, 55_000, 10_000)
    (row,) = of(tmp_path / "r", header, TOKENS).limits
    assert (row.source, row.lowest, row.told, row.limit) == ("event, header", 10_000, 12, 55_000)
    (alone,) = of(tmp_path / "s", header).limits
    assert alone.source == "header"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = of(tmp_path / "r", TOKENS)
    assert any("told nothing of requests" in each for each in found.cautions)
    assert any("no max_output_tokens" in each for each in found.cautions)
    assert any("account or a deployment" in each for each in found.cautions)
    known = of(tmp_path / "s", TOKENS, REQUESTS, scenario={"session": {"max_output_tokens": 100}})
    assert not any("told nothing" in each or "no max_output_tokens" in each for each in known.cautions)


@pytest.mark.parametrize("raw", [None, 0, -3, "300", "x/min", [1], float("nan"), True])
def test_a_peak_that_cannot_be_read_is_no_plan(raw: Any) -> None:
    assert not peak_of({"load": {"planned_peak": raw}}).planned


@given(st.floats(1e-6, 1e12))
def test_rounded_up_is_never_less_and_hardly_more(value: float) -> None:
    found = rounded_up(value)
    assert value - 1e-6 <= found <= max(value * 1.1, 10) + 1


def refused(callers: int, allowance: Allowance, clock: list[float], *, minutes: float) -> int:
    """How many responses the server's own accounting refuses to so many callers who call again and again.

    They are spread evenly over a call. Each response is set aside when the caller stops to speak and settled 2 s later.
    """
    length_s, events = 120.0, []
    for caller in range(callers):
        at_s = -length_s * caller / callers
        while at_s < 60 * minutes:
            for stop_s, counts in TURNS:
                heapq.heappush(events, (at_s + stop_s, 0, counts["in_audio"] + counts["out_audio"]))
            at_s += length_s
    no = 0
    while events:
        at_s, reserved, tokens = heapq.heappop(events)
        clock[0] = at_s
        if reserved:
            allowance.settle(reserved, tokens)
            continue
        reserved, refusal = allowance.reserve(None)
        no += refusal is not None
        if refusal is None:
            heapq.heappush(events, (at_s + 2.0, reserved, tokens))
    return no


@pytest.mark.parametrize(("share", "carried"), [(0.97, True), (1.1, False)])
@pytest.mark.parametrize("limits", [(55_000, None), (None, 150)])
def test_the_server_carries_the_projected_calls_and_not_more(
    tmp_path: Path, limits: Sequence[int | None], share: float, carried: bool
) -> None:
    """An hour of calls against the simulated server's own accounting, on a clock of ours."""
    tokens, requests = limits
    told = QuotaState("tokens", "event", 0, tokens) if tokens else QuotaState("requests", "event", 0, requests)
    (row,) = of(tmp_path / "r", told).limits
    assert row.calls_at_once.value is not None
    clock = [-120.0]
    allowance = Allowance(requests, tokens, 1_000, lambda: clock[0])
    callers = round(share * row.calls_at_once.value)
    assert (refused(callers, allowance, clock, minutes=60) == 0) == carried


def test_a_run_of_an_older_version_has_no_limits(tmp_path: Path) -> None:
    run = stored(tmp_path / "r")
    run.sessions["rate_limits"] = None
    assert headroom(view_of(run))[0].limits == []
    assert LimitTold("tokens", "event", 1).counted_over_s == 60


def test_a_run_too_short_to_use_a_limit_up_says_so(tmp_path: Path) -> None:
    small = QuotaState("tokens", "event", 0, 550)
    found = of(tmp_path / "r", small, calls=6)
    assert found.run_peak == 3
    assert any("3 calls open at once" in each and "begins full" in each for each in found.cautions)
    assert not any("begins full" in each for each in of(tmp_path / "s", TOKENS, calls=6).cautions)


@pytest.mark.parametrize(
    ("scenario", "target", "most"),
    [
        ({}, None, None),
        ({"session": {"max_output_tokens": "inf"}}, None, None),
        ({"session": {"max_output_tokens": 300}}, None, 300),
        ({"session": {"max_output_tokens": 300}, "targets": {"a": {}, "b": {"session": {}}}}, "b", 300),
        ({"session": {"max_output_tokens": 300}, "targets": {"a": {"session": {"max_output_tokens": 9}}}}, "a", 9),
        (
            {"session": {"max_output_tokens": 300}, "targets": {"a": {"session": {"max_output_tokens": "inf"}}}},
            "a",
            None,
        ),
    ],
)
def test_the_most_that_a_response_may_say(scenario: dict[str, Any], target: str | None, most: int | None) -> None:
    assert reserved_tokens(scenario, target) == most
