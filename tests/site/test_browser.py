"""The site in a browser, from the file system: no network, no error, nothing wider than the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.pricing.book import Books, Rates
from bench.report.phrases import usd as dollars
from bench.site.build import build
from bench.site.config import ConversationConfig, SiteConfig
from bench.site.history import read_history
from bench.site.prices import conversation_usd
from tests.perf.pages import beyond, overflow
from tests.site.nights import book, make_nights
from tests.support.axe import axe_source, violations
from tests.support.browser import CHROMIUM, Page, browser

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
NIGHTS = 6


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports, out = (tmp_path_factory.mktemp(name) for name in ("reports", "site"))
    make_nights(reports, NIGHTS, calls=18)
    build(reports, read_history(reports), out, SiteConfig())
    return out


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as found:
        yield found


def kinds(site: Path) -> list[Path]:
    """A page of each kind."""
    return [*sorted(site.glob("*.html")), *sorted(site.glob("targets/*.html"))[:1], *sorted(site.glob("runs/*"))[:1]]


def test_pages_need_no_network_have_no_error_and_fit_the_screen(site: Path, page: Page) -> None:
    for file in kinds(site):
        page.size(390, 844)
        page.open(file.resolve().as_uri())
        assert overflow(page) <= 0, file
        assert page.evaluate("getComputedStyle(document.querySelector('.masthead nav')).display") == "flex"
    assert (beyond(page), page.console) == ([], [])


def test_a_telephone_shows_the_first_median_of_each_table(site: Path, page: Page) -> None:
    page.size(390, 900)
    for name in ("speed", "leaderboard"):
        page.open((site / f"{name}.html").as_uri())
        right = "document.querySelector('tbody td a.plain').getBoundingClientRect().right"
        assert page.evaluate(right) <= 390, name


def test_a_figure_unfolds_the_runs_behind_it(site: Path, page: Page) -> None:
    page.size(1440, 900)
    page.open((site / "leaderboard.html").as_uri())
    page.evaluate("document.querySelector('#board tbody td a.plain').click()")
    page.wait("location.hash === '#behind-1' && document.readyState === 'complete'")
    assert page.wait("document.getElementById('behind-1').open")
    links = "Array.from(document.querySelectorAll('#behind-1 li a')).map((each) => each.href)"
    assert [href for href in page.evaluate(links) if "/runs/" in href and "#aria" in href]


def test_the_leaderboard_sorts_and_filters(site: Path, page: Page) -> None:
    page.size(1440, 900)
    page.open((site / "leaderboard.html").resolve().as_uri())
    rows = "Array.from(document.querySelectorAll('#board tbody tr')).filter(r => !r.hidden)"
    names = f"{rows}.map(r => r.cells[1].dataset.value).join()"
    assert page.evaluate(names).startswith("aria")
    page.evaluate("document.querySelectorAll('#board thead button')[1].click()")
    assert page.evaluate(names) == "aria,brio,cello"
    page.evaluate("document.querySelectorAll('#board thead button')[1].click()")
    assert page.evaluate(names) == "cello,brio,aria"
    assert page.evaluate("document.querySelectorAll('#board thead th')[1].getAttribute('aria-sort')") == "descending"
    page.evaluate(
        "(s => { s.append(new Option('x', 'x')); s.value = 'x'; s.dispatchEvent(new Event('change')) })"
        "(document.querySelector('[data-filter=condition]'))"
    )
    assert page.evaluate(f"{rows}.length") == 0
    assert page.evaluate("document.getElementById('shown').textContent") == "0 of 3 rows"


def test_another_conversation_is_priced_in_the_page_as_in_the_build(site: Path, page: Page) -> None:
    page.open((site / "targets" / "aria.html").resolve().as_uri())
    usd, _ = conversation_usd(ConversationConfig(), rates())
    assert page.evaluate("document.getElementById('conversation-usd').value") == f"{dollars(usd)} for 1.4 minutes"
    page.evaluate(
        "(f => { f.exchanges.value = 20; f.agent_s.value = 9.5; f.dispatchEvent(new Event('input')) })"
        "(document.getElementById('conversation').elements && document.getElementById('conversation'))"
    )
    usd, _ = conversation_usd(ConversationConfig(exchanges=20, agent_s=9.5), rates())
    assert page.evaluate("document.getElementById('conversation-usd').value") == f"{dollars(usd)} for 4.7 minutes"


def rates() -> Rates:
    found = Books(parts=(book(0),)).rates("voice-aria")
    assert found is not None
    return found


@pytest.mark.slow
def test_axe_finds_nothing_serious(site: Path, page: Page) -> None:
    try:
        axe_source()
    except LookupError as why:
        pytest.skip(str(why))
    for file in kinds(site):
        for dark in (False, True):
            page.size(390, 844, dark=dark)
            page.open(file.resolve().as_uri())
            assert [str(each) for each in violations(page)] == [], file
