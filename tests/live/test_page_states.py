"""What the page says in each state of a run, shown in a browser from made-up states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from bench.live.snapshot import snapshot
from bench.live.web import page as html
from tests.perf.pages import overflow
from tests.report import build
from tests.support.axe import axe_source, violations
from tests.support.browser import CHROMIUM, Page, browser

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

ABOUT = {
    "title": "nightly", "target": "wss://voice.example/v1/realtime", "model": "m", "folder": "reports/r",
    "report": "reports/r/report.html", "graceful_s": 30, "can_talk": True, "report_page": None,
}  # fmt: skip
MOMENT: dict[str, Any] = {
    "phase": "steady", "elapsed_s": 60.0, "done": 0.25, "open": 4, "talking": 2, "begun": 60, "dropped": 0,
    "workers": [], "limits": [], "disk_failure": None,
}  # fmt: skip
PARTS = {"now": "#now", "clock": "#clock", "cards": "#cards", "charts": "#charts", "workers": "#workers-table"}


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_bytes(html())
    with browser() as found:
        found.open(file.as_uri())
        yield found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Snapshots of three runs: usual, one in which all turns fail, one in which no call came up."""
    root = tmp_path_factory.mktemp("runs")
    usual = build.finished(root / "usual", *build.rows(12, fails=0.0))
    turns, calls = build.rows(12, fails=0.0, warm=0)
    for call in calls:
        call.status, call.error_kind = "failed", "timeout"
    lost = [build.fail(turn, "no_reply", "timeout", None, "no reply") for turn in turns]
    failing = build.finished(root / "failing", lost, calls)
    for call in calls:
        call.error_kind, call.error_code, call.session_ready_ms = "connect", "refused", None
    away = build.finished(root / "away", [], calls)
    return {"usual": snapshot(usual), "failing": snapshot(failing), "away": snapshot(away)}


def shown(tab: Page, **state: Any) -> dict[str, str]:
    whole = {"about": ABOUT, "notes": [], "verdict": None, "stopping": 0, "state": "running", "quiet_s": 0, **state}
    tab.evaluate(f"show({orjson.dumps(whole).decode()})")
    for width in (390, 1440):
        tab.size(width, 900)
        assert overflow(tab) <= 0
    return {name: str(tab.evaluate(f"document.querySelector('{place}').innerText")) for name, place in PARTS.items()}


def test_a_failure_of_a_turn_and_of_its_call_are_not_added(tab: Page, runs: dict[str, Any]) -> None:
    said = shown(tab, run=runs["failing"], moment=MOMENT)
    assert "12 calls, 60 turns" in said["cards"]
    assert "calls: timeout 12; turns: timeout 60" in said["cards"]


def test_of_a_run_without_an_answer_no_axes_are_drawn(tab: Page, runs: dict[str, Any]) -> None:
    verdict = {"name": "unreachable", "exit_code": 8, "meaning": "The target could not be reached.", "reasons": []}
    said = shown(tab, run=runs["away"], moment=MOMENT | {"open": 0}, state="ended", verdict=verdict)
    assert "12 calls" in said["cards"]
    assert "no data" in said["cards"]
    assert "yet" not in said["cards"] + said["charts"]
    assert tab.evaluate("getComputedStyle(document.querySelector('#charts svg:not(.legend svg)')).display") == "none"


def test_a_lost_worker_is_said_at_the_top(tab: Page, runs: dict[str, Any]) -> None:
    names = list({row["name"] for row in runs["usual"]["workers"]})
    run = {**runs["usual"], "workers": [
        {**row, "process": {"title": row["name"], "state": "lost" if row["name"] == names[0] else "running",
                            "calls_open": 0, "cpu_percent": 3.0, "memory_bytes": 1 << 27}}
        for row in runs["usual"]["workers"]
    ]}  # fmt: skip
    said = shown(tab, run=run, moment=MOMENT)
    assert "1 worker is lost with its open calls: the run will be incomplete" in said["now"]
    lost = next(line for line in said["workers"].splitlines() if "lost" in line.split())
    assert lost.split()[-2:] == ["-", "-"]


def test_a_run_that_is_stopped_promises_no_time(tab: Page, runs: dict[str, Any]) -> None:
    assert "left" in shown(tab, run=runs["usual"], moment=MOMENT)["clock"]
    said = shown(tab, run=runs["usual"], moment=MOMENT, stopping=1)
    assert said["now"].startswith("Stopping")
    assert "left" not in said["clock"]


@pytest.mark.slow
def test_axe_finds_nothing_serious(tab: Page, runs: dict[str, Any]) -> None:
    try:
        axe_source()
    except LookupError as why:
        pytest.skip(str(why))
    for name in runs:
        shown(tab, run=runs[name], moment=MOMENT)
        assert [str(each) for each in violations(tab)] == []
