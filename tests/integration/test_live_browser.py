"""The live page in a browser: readable at any width, usable with a keyboard, without a finding of axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ExitCode
from bench.report.render import write_reports
from tests.perf.pages import overflow
from tests.report import build
from tests.support.axe import axe_source, violations
from tests.support.browser import CHROMIUM, Page, browser
from tests.support.live import ENDLESS, live_run, started
from tests.support.processes import simulated_server, voice_server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")]
LOOKS = ((390, False), (390, True), (1200, False), (1200, True))


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as found:
        yield found


def check_looks(tab: Page) -> None:
    """Nothing is wider than the screen, and axe finds nothing serious, where it can be had."""
    for width, dark in LOOKS:
        tab.size(width, 844, dark=dark)
        assert overflow(tab) <= 0, (width, dark)
    try:
        axe_source()
    except LookupError as why:
        pytest.skip(str(why))
    for width, dark in LOOKS:
        tab.size(width, 844, dark=dark)
        assert [str(each) for each in violations(tab)] == [], (width, dark)


def test_a_stored_run_with_failures(tmp_path: Path, tab: Page) -> None:
    turns, sessions = build.rows(fails=0.2, late=0.05)
    scenario = {**build.manifest().scenario, "thresholds": ["first_audible_ms: p95 < 100ms", "wer < 50%"]}
    run = build.finished(tmp_path / "run", turns, sessions, scenario=scenario)
    write_reports(run)
    with started("live", run.folder.root, "--port", "0") as (process, page):
        tab.open(page)
        tab.wait("state && state.verdict && document.querySelectorAll('#errors tr').length")
        tab.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        table = tab.wait("document.querySelectorAll('#charts details table tbody tr').length")
        said = tab.evaluate("Array.from(document.querySelectorAll('#charts svg[role=img]')).map(e => e.ariaLabel)")
        thresholds = tab.evaluate("document.getElementById('thresholds').innerText")
        check_looks(tab)
        process.terminate()
        assert process.wait(20) == 0
    assert table > 5
    assert len(said) == 5
    assert all(" at last, between " in each or "no data" in each for each in said)
    assert "not kept" in thresholds
    assert tab.console == []


def test_a_run_is_stopped_with_the_keyboard(scenario: Path, tmp_path: Path, tab: Page) -> None:
    with voice_server() as url, live_run(scenario, "--url", url, "--out", tmp_path / "run", *ENDLESS) as (run, page):
        tab.open(page)
        tab.wait("state && state.state === 'running' && state.run && state.run.turns.ended", 40)
        tab.evaluate("document.getElementById('stop').focus()")
        tab.press("Enter", 13)
        tab.wait("document.getElementById('ask').open")
        assert tab.evaluate("document.activeElement.textContent") == "Go on", "the safe answer comes first"
        check_looks(tab)
        tab.press("Enter", 13)
        tab.wait("!document.getElementById('ask').open")
        assert tab.evaluate("state.stopping") == 0
        for key, code in (("Enter", 13), ("Tab", 9), ("Enter", 13)):
            tab.press(key, code)
        tab.wait("state.stopping === 1")
        tab.wait("state.verdict", 40)
        assert run.wait(30) == ExitCode.INTERRUPTED
    assert tab.console == []


def test_somebody_talks_to_the_target_beside_the_run(scenario: Path, tmp_path: Path, tab: Page) -> None:
    with (
        simulated_server(None) as url,
        live_run(scenario, "--url", url, "--out", tmp_path / "run", *ENDLESS) as (run, page),
    ):
        tab.open(page)
        tab.wait("state && state.run && state.run.turns.ended", 40)
        tab.evaluate("document.getElementById('talk-open').click()")
        tab.wait("state.talk && state.talk.status === 'idle'")
        tab.evaluate("document.getElementById('talk-call').click()")
        tab.wait("!document.getElementById('talk-play').disabled")
        tab.evaluate("document.getElementById('talk-play').click()")
        turn = tab.wait("state.talk.turns.length === 1 && state.talk.turns[0]")
        check_looks(tab)
        for expected in (1, 2):
            tab.evaluate("document.getElementById('stop').click(); document.getElementById('ask').close('yes')")
            tab.wait(f"state.stopping === {expected}")
        tab.wait("state.verdict", 40)
        last = tab.evaluate("state.run.calls.ended")
        run.communicate(timeout=30)
    assert turn["status"] == "ok"
    calls = pd.read_parquet(tmp_path / "run" / "sessions.parquet")
    assert (len(calls), set(calls["run_id"])) == (last, {"run"}), "the person's call is no part of the run"


def test_the_page_of_a_live_test(tab: Page) -> None:
    with simulated_server(None) as url, started("live", "quickstart", "--url", url, "--port", "0") as (_, page):
        tab.open(page)
        tab.wait("state && state.talk")
        tab.evaluate("document.getElementById('talk-call').click()")
        tab.wait("!document.getElementById('talk-play').disabled")
        tab.evaluate("document.getElementById('talk-play').click()")
        tab.wait("state.talk.turns.length === 1 && document.querySelectorAll('article.turn').length")
        check_looks(tab)
        tab.evaluate("document.getElementById('talk-call').click()")
        tab.wait("state.talk.status === 'ended'")
    assert [each for each in tab.console if "fetch" not in each.lower()] == []
