"""The report of a search, from levels that are given: ceiling, interval, limit, headroom, what to ask for, verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.report.ceiling_plots import ceiling_plots
from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from tests.report import build

AT = build.START.timestamp()
TOKENS = {"name": "tokens", "per_min": 3_600.0, "high_per_min": 4_000.0, "limit_per_min": 3_500.0}


def level(callers: int, held: bool | None, *, sure: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "phase": f"{callers}-callers",
        "level": callers,
        "aim": "halve",
        "started_at": AT,
        "settled_at": AT + 5,
        "ended_at": AT + 25,
        "held": held,
        "sure": sure,
        "sentence": f"how {callers} went",
        "reason": None if held is not False else "sessions",
        "good": 40,
        "turns": 40,
        "calls": 2 * callers,
        **changes,
    }


FOUND = [level(16, True, sure=False), level(36, True), level(37, True), level(38, False)]


def summary_of(root: Path, levels: list[dict[str, Any]], **changes: Any) -> Summary:
    """A run whose turns are spread over the levels in turn."""
    turns, calls = build.rows(calls=12, turns=2, fails=0.0, warm=0)
    names = [each["phase"] for each in levels] or ["4-callers"]
    phases = {call.session_id: names[number % len(names)] for number, call in enumerate(calls)}
    for row in [*turns, *calls]:
        row.phase = phases[row.session_id]
    search = {
        "of": "callers",
        "first": 4,
        "most": 256,
        "precision": 0.05,
        "goodput": 0.95,
        "confidence": 0.95,
        "objectives": ["first_audible_ms < 1500ms"],
        "finished": True,
        "levels": levels,
    }
    body = {"name": "sample", "conversation": [{"say": "balance-rms"}], "load": {"search": {"most": 256}}}
    stop = changes.pop("stop", {})
    return summarise(build.finished(root, turns, calls, scenario=body, search={**search, **changes}, **stop))


def test_the_ceiling_and_its_interval(tmp_path: Path) -> None:
    found = summary_of(tmp_path, FOUND, planned_peak=30).ceiling
    assert found is not None
    assert (found.ceiling, found.low, found.high, found.at_least) == (37, 37, 38, False)
    assert (found.limit, found.limit_sentence) == ("sessions", "how 38 went")
    assert found.headroom == pytest.approx(7 / 30)
    assert found.calls == 2 * (16 + 36 + 37 + 38)
    assert [each.level for each in found.rows] == [16, 36, 37, 38]
    assert found.rows[0].p50.value is not None


def test_a_run_that_is_no_search_has_no_ceiling(tmp_path: Path) -> None:
    assert summarise(build.finished(tmp_path, *build.rows(calls=5))).ceiling is None


@pytest.mark.parametrize(
    ("levels", "changes", "verdict", "said"),
    [
        (FOUND, {"planned_peak": 30}, "pass", "headroom 23 % (7 more)"),
        (FOUND, {}, "pass", "37 calls at a time (95 % sure: 37..37)"),
        (FOUND, {"planned_peak": 50}, "failed", "13 too few (74 % of it)"),
        (FOUND, {"planned_peak": 50}, "failed", "concurrent sessions for the planned peak with 20 % to spare: 60"),
        ([level(4, False), level(1, False)], {}, "failed", "no level was carried, not even 1 call at a time"),
        ([level(16, True), level(256, True)], {"planned_peak": 100}, "pass", "at least 256 calls at a time"),
        ([level(16, True), level(32, False, reason="generator")], {"planned_peak": 30}, "invalid", "at least 16"),
        ([level(16, True), level(32, False, reason="generator")], {"planned_peak": 10}, "pass", "at least 16"),
        ([level(16, True)], {"planned_peak": 30, "finished": False}, "no data", "so far: the search was cut off"),
        ([level(16, True), level(20, False)], {"planned_peak": 30, "finished": False}, "failed", "so far"),
        ([level(16, True), level(20, None)], {"planned_peak": 10, "finished": False}, "pass", "so far"),
        (
            [level(16, True), level(32, True)],
            {"planned_peak": 60, "finished": False, "stop": {"stop_reason": "budget", "stop_sentence": "$5 spent"}},
            "budget",
            "32 calls at a time so far",
        ),
    ],
)
def test_the_verdict(
    tmp_path: Path, levels: list[dict[str, Any]], changes: dict[str, Any], verdict: str, said: str
) -> None:
    found = summary_of(tmp_path, levels, **changes).verdict
    assert found.name == verdict
    assert said in "\n".join(found.reasons)


@pytest.mark.parametrize(
    ("reason", "needs", "ask"),
    [
        ("tokens", [TOKENS], "tokens per minute for the planned peak with 20 % to spare: 11,000"),
        ("sessions", [], "concurrent sessions for the planned peak with 20 % to spare: 90"),
        ("handshake", [TOKENS], "which limit refused the calls"),
        ("latency", [], "no limit to raise was seen (latency gave way first)"),
        ("generator", [], "add --workers or machines"),
    ],
)
def test_what_to_ask_for(tmp_path: Path, reason: str, needs: list[dict[str, Any]], ask: str) -> None:
    levels = [level(37, True), level(38, False, reason=reason, needs=needs)]
    if needs:
        levels[1]["level"] = 33.0
        levels[0]["level"] = 32.0
    found = summary_of(tmp_path, levels, planned_peak=75).ceiling
    assert found is not None
    assert found.ask is not None
    assert ask in found.ask


def test_thresholds_are_about_the_levels_that_were_carried(tmp_path: Path) -> None:
    """Beyond the ceiling everything fails, which is what a search is there to see."""
    turns, calls = build.rows(calls=12, turns=2, fails=0.0, warm=0)
    for number, call in enumerate(calls):
        call.phase = "37-callers" if number % 2 else "38-callers"
    beyond = {call.session_id for call in calls if call.phase == "38-callers"}
    for row in turns:
        row.phase = "38-callers" if row.session_id in beyond else "37-callers"
        if row.session_id in beyond:
            build.fail(row, "failed", "rate_limit", "rate_limit_exceeded", "slow down")
    search = {
        "of": "callers", "first": 4, "most": 256, "precision": 0.05, "goodput": 0.95, "confidence": 0.95,
        "objectives": [], "finished": True, "levels": FOUND[-2:],
    }  # fmt: skip
    body = {"name": "sample", "conversation": [{"say": "balance-rms"}], "load": {"search": {"most": 256}}}
    summary = summarise(build.finished(tmp_path, turns, calls, scenario=body, search=search))
    assert summary.verdict.name == "pass", summary.verdict.reasons
    (errors,) = [each for each in summary.thresholds if each.metric == "error_rate"]
    assert errors.n == 12


def test_every_report_names_the_ceiling(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, FOUND, planned_peak=50)
    page, text, markdown = render_html(summary), render_terminal(summary), render_markdown(summary)
    for shown in (page, text, markdown):
        assert "37 calls at a time" in shown
        assert "calls open at the same time" in shown
    assert page.count("Goodput and errors against load") == 1


def test_the_plots_leave_out_what_is_never(tmp_path: Path) -> None:
    found = summary_of(tmp_path, FOUND).ceiling
    assert found is not None
    latency, shares = ceiling_plots(found)
    assert len(latency.lines[0].points) == 4
    found.rows[-1].p95.value = float("inf")
    latency, _ = ceiling_plots(found)
    assert len(latency.lines[1].points) == len([each for each in found.rows[:-1] if each.p95.value is not None])
    assert "38 calls at a time" in latency.notes[0]
    assert shares.lines[2].style == "asked"
    found.rows = found.rows[:1]
    assert ceiling_plots(found) == ()
