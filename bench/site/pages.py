"""The pages of the site, each from plain data: templates fill in texts, and every number was made before.

In: a `Site`. Out: file names with their texts. Nothing is read or written here.
Trap: names of targets, models and messages come from outside; the template engine escapes them, and the policy of each
page forbids every request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import ChoiceLoader, Environment, PackageLoader

from bench import __version__
from bench.config.redactor import printable
from bench.report import phrases
from bench.report.gate.phrases import probability, shown
from bench.report.html import new_environment
from bench.site import charts
from bench.site.board import FIGURES, TITLES, Board, boards
from bench.site.cards import Card, cards
from bench.site.config import SiteConfig
from bench.site.digest import RunDigest
from bench.site.feed import feed
from bench.site.intelligence import Intelligence, intelligence
from bench.site.methodology import methodology
from bench.site.sentences import change_text, verdict_sentence
from bench.site.speed import SpeedTable, speed, title_of
from bench.site.strengths import cell_of, limits_of, value_of
from bench.site.windows import Key, Night, Series, series_of

TONES = {"as usual": "good", "better": "good", "regression": "bad", "not recovered": "bad", "outage": "bad"}
SYMBOLS = {"as usual": "✓", "better": "▲", "regression": "▼", "not recovered": "▽", "outage": "✗"}
NEWEST = 12
"""Verdicts on the first page."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the pages say."""

    config: SiteConfig
    runs: Sequence[RunDigest]
    series: Sequence[Series]
    boards: Sequence[Board]
    cards: Sequence[Card]
    speed: Sequence[SpeedTable]
    intelligence: Intelligence
    unread: dict[str, str] = field(default_factory=dict)
    way: str = "../reports"
    """Path from the site to the folder of runs."""


def site_of(config: SiteConfig, runs: Sequence[RunDigest], unread: dict[str, str], way: str) -> Site:
    """The data of all pages."""
    every = series_of(runs)
    ranked = boards(every)
    return Site(
        config=config,
        runs=runs,
        series=every,
        boards=ranked,
        cards=cards(every, ranked, runs, config),
        speed=speed(every),
        intelligence=intelligence(every),
        unread=unread,
        way=way,
    )


def pages(site: Site) -> Iterator[tuple[str, str]]:
    """Every file of the site with its text."""
    look = Looks(site)
    yield "index.html", look.page("index.html.j2", "", latest=_latest(site))
    yield "leaderboard.html", look.page("leaderboard.html.j2", "")
    yield "speed.html", look.page("speed.html.j2", "")
    yield "intelligence.html", look.page("intelligence.html.j2", "")
    yield "methodology.html", look.page("methodology.html.j2", "", sections=methodology(site.config))
    for card in site.cards:
        yield f"targets/{look.slug(card.key)}.html", look.page("target.html.j2", "../", card=card)
    by_run: dict[str, list[Night]] = {}
    for series in site.series:
        for night in series.nights:
            by_run.setdefault(night.run.folder, []).append(night)
    beside = _beside(site.runs)
    for run in site.runs:
        nights, (before, after) = by_run.get(run.folder, []), beside[run.folder]
        page = look.page("run.html.j2", "../", run=run, nights=nights, before=before, after=after)
        yield f"runs/{look.file(run.folder)}.html", page
    yield "feed.xml", feed(site.config, site.series, look.run_address, look.anchor)
    yield "site.css", _environment().get_template("site.css.j2").render()
    yield "site.js", _environment().get_template("site.js").render()


def _beside(runs: Sequence[RunDigest]) -> dict[str, tuple[RunDigest | None, RunDigest | None]]:
    """Of each run, by its folder, the run of the same scenario before it and the one after it."""
    found = {}
    for name in {run.scenario for run in runs}:
        mine = sorted((run for run in runs if run.scenario == name), key=lambda run: (run.started_at, run.run_id))
        for before, run, after in zip([None, *mine], mine, [*mine[1:], None], strict=False):
            found[run.folder] = (before, after)
    return found


def _latest(site: Site) -> list[Night]:
    """The newest verdicts of all targets, and before them in order those that call for attention."""
    every = [night for series in site.series for night in series.nights]
    every.sort(key=lambda night: (night.run.started_at, night.target.name), reverse=True)
    return every[:NEWEST]


class Looks:
    """Names of files, addresses and tones, as the templates need them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._slugs: dict[Key, str] = {}
        for card in site.cards:
            base = slug_of(card.key[0])
            taken = set(self._slugs.values())
            number = next(n for n in range(1, len(taken) + 2) if (base if n == 1 else f"{base}-{n}") not in taken)
            self._slugs[card.key] = base if number == 1 else f"{base}-{number}"

    def slug(self, key: Key) -> str:
        return self._slugs[key]

    def card(self, key: Key) -> Card:
        return next(each for each in self.site.cards if each.key == key)

    def part_number(self, series: Series) -> int:
        """Which of the scenarios of its card a series is, from 1."""
        parts = self.card(series.key).parts
        return next(place for place, part in enumerate(parts, start=1) if part.series is series)

    def file(self, folder: str) -> str:
        return slug_of(folder)

    def anchor(self, night: Night) -> str:
        return self._slugs.get(night.target.key, slug_of(night.target.name))

    def run_address(self, folder: str) -> str:
        """The page of a run, from the root of the site."""
        return f"runs/{quote(self.file(folder))}.html"

    def page(self, template: str, up: str, **more: Any) -> str:
        """One page; `up` leads to the root of the site."""
        text = (
            _environment()
            .get_template(template)
            .render(site=self.site, look=self, up=up, version=__version__, here=template, **more)
        )
        return printable(text)

    def rows_address(self, run: RunDigest, name: str, up: str) -> str:
        """A file of a run folder, from a page `up` below the root."""
        return f"{up}{quote(str(PurePosixPath(self.site.way) / run.folder / name))}"

    def tone(self, night: Night) -> str:
        return TONES.get(night.state, "doubtful")

    def symbol(self, night: Night) -> str:
        return SYMBOLS.get(night.state, "·")


def slug_of(text: str) -> str:
    """A name as a file may have it."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "target"


def host_text(where: str) -> str:
    """The host of an address, without its path."""
    return urlsplit(where).netloc or where


@cache
def _environment() -> Environment:
    found = new_environment(
        ChoiceLoader([PackageLoader("bench.site", "templates"), PackageLoader("bench.report", "templates")]),
        lambda name: name is not None and ".html" in name,
    )
    found.globals.update(
        w=phrases,
        sentence=verdict_sentence,
        change_text=change_text,
        value_text=charts.value_text,
        now_text=charts.now_text,
        now_limits=charts.now_limits,
        now_said=charts.now_said,
        limits_text=charts.limits_text,
        value_of=value_of,
        cell_of=cell_of,
        limits_of=limits_of,
        host_text=host_text,
        speed_title=title_of,
        shown=shown,
        probability=probability,
        FIGURES=FIGURES,
        TITLES=TITLES,
    )
    return found
