"""The report in a browser, from the file system: no request, no error, nothing too wide, no finding of axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure.rate_limits import to_text, told_of
from bench.report.render import write_reports
from tests.perf.pages import beyond, overflow
from tests.report import build
from tests.report.test_headroom import REQUESTS, TOKENS
from tests.report.test_targets import called, dealt
from tests.support.axe import axe_source, violations
from tests.support.browser import CHROMIUM, Page, browser

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with failures, conditions and accents."""
    turns, sessions = build.rows(fails=0.2)
    for number, row in enumerate(turns):
        row.condition, row.accent = ("clean", "cafe")[number % 2], ("us", "scottish")[number // 2 % 2]
    run = build.finished(tmp_path_factory.mktemp("page") / "run", turns, sessions)
    write_reports(run)
    return run.folder.report_html


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as found:
        yield found


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_it_needs_nothing_else_and_fits_the_screen(report: Path, page: Page, width: int) -> None:
    page.size(width, 900)
    page.open(report.resolve().as_uri())
    assert overflow(page) <= 0
    assert (beyond(page), page.console) == ([], [])


CUT = """[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth + 1)
  .map(each => each.innerText.slice(0, 60))"""


@pytest.fixture(scope="module")
def of_targets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three targets with long names, thresholds of each, rate limits and expectations."""
    names = ("frankfurt-primary-endpoint", "north-virginia-second-vendor-gpt-realtime", "singapore-third-vendor")
    turns, calls = dealt(build.rows(fails=0.15), *names, slower_ms=200)
    for each in calls:
        each.rate_limits = to_text(told_of([TOKENS, REQUESTS]))
    for number, row in enumerate(turns):
        row.step_id = f"order-number-read-out-digit-by-digit-after-being-asked-{number % 3}"
        row.expect_pass = number % 4 > 0
        row.expect_failed = None if row.expect_pass else "contains: 'a long sentence that the reply should hold'"
    bounds = [f"{metric}{{target={name}}}: p95 < 1s" for name in names for metric in ("first_audible_ms", "ttft_ms")]
    load = {"callers": 20, "ramp": "10s", "sessions": 60, "planned_peak": 300}
    scenario = {"name": "sample", "thresholds": bounds, "load": load}
    run = build.finished(tmp_path_factory.mktemp("targets") / "run", turns, calls, scenario=scenario, **called(*names))
    write_reports(run)
    return run.folder.report_html


def test_no_table_is_cut_on_a_wide_screen(of_targets: Path, page: Page) -> None:
    page.size(1440, 900)
    page.open(of_targets.resolve().as_uri())
    assert page.evaluate(CUT) == []
    for width in (390, 768):
        page.size(width, 900)
        assert overflow(page) <= 0


def test_targets_share_the_tables_of_rate_limits(of_targets: Path, page: Page) -> None:
    page.open(of_targets.resolve().as_uri())
    captions = page.evaluate("[...document.querySelectorAll('caption')].map(each => each.textContent.split('.')[0])")
    assert "What 100 % of each limit suffices for" in captions
    assert len(captions) == len(set(captions))


def test_it_is_printed_in_light_colours(report: Path, page: Page) -> None:
    page.size(1440, 900, dark=True)
    page.open(report.resolve().as_uri())
    colour = "getComputedStyle(document.querySelector('.verdict')).backgroundColor"
    dark = page.evaluate(colour)
    page.ask("Emulation.setEmulatedMedia", media="print")
    printed = page.evaluate(colour)
    page.ask("Emulation.setEmulatedMedia", media="")
    page.size(1440, 900)
    assert printed == page.evaluate(colour) != dark


@pytest.mark.slow
def test_axe_finds_nothing_serious(report: Path, page: Page) -> None:
    try:
        axe_source()
    except LookupError as why:
        pytest.skip(str(why))
    for width, dark in ((390, False), (390, True), (1440, False), (1440, True)):
        page.size(width, 900, dark=dark)
        page.open(report.resolve().as_uri())
        assert [str(each) for each in violations(page)] == []
