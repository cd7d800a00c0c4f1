"""The report in a browser, from the file system: no request, no error, nothing too wide, no finding of axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.render import write_reports
from tests.perf.pages import beyond, overflow
from tests.report import build
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


@pytest.mark.parametrize("width", [390, 1440])
def test_it_needs_nothing_else_and_fits_the_screen(report: Path, page: Page, width: int) -> None:
    page.size(width, 900)
    page.open(report.resolve().as_uri())
    assert overflow(page) <= 0
    assert (beyond(page), page.console) == ([], [])


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
