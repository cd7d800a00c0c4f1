"""The model card of a target: what it is like now, over time, what it costs, and what speaks for and against it.

In: series, boards, runs, and the settings of the site. Out: `Card`s. Trap: runs of different scenarios are never mixed:
the key figures are those of the scenario with the newest run, and each scenario has charts of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from bench.measure.metrics import METRICS
from bench.report.phrases import capital
from bench.site.board import ALL, Board
from bench.site.charts import NightChart, chart, price_chart
from bench.site.config import SiteConfig
from bench.site.digest import AVAILABILITY, RunDigest, Seen
from bench.site.prices import PriceStory, known_books, story
from bench.site.recent import Recent, last_nights, recent, recent_of
from bench.site.strengths import Remark, remarks
from bench.site.windows import Key, Night, Series

LEFT_DAYS = 2
"""A run of its own, some hours before those of other targets, leaves no target behind."""


@dataclass(frozen=True, slots=True)
class AccentRow:
    """WER of one accent over the last nights."""

    name: str
    words: int
    figure: Recent
    newest: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """A target in one scenario."""

    series: Series
    behind: list[Night]
    """The runs behind the figures over the last nights, oldest first."""
    charts: list[NightChart]
    accents: list[AccentRow]
    availability: Recent
    cost: Recent
    newest: Night | None
    """The newest run that says something of the target."""

    def seen(self, measure: str) -> Seen | None:
        return self.newest.target.seen(measure) if self.newest is not None else None

    @property
    def names(self) -> dict[str, str]:
        """Folder of each run by its id."""
        return {night.run.run_id: night.run.folder for night in self.series.nights}

    @property
    def headline(self) -> str:
        return self.newest.target.headline if self.newest and self.newest.target.headline else "first_audible_ms"


@dataclass(frozen=True, slots=True)
class Card:
    """One target."""

    key: Key
    name: str
    model: str | None
    where: str
    dialect: str | None
    parts: list[Part]
    newest: Night
    tests: int
    with_errors: int
    """Runs in which at least one call was not good, of `tests` that say something of the target."""
    tested_at: datetime
    days_behind: int
    """Days from its newest run to the newest one of any of its scenarios: a target that left them, or was renamed."""
    price: PriceStory | None
    price_plot: NightChart | None
    remarks: list[tuple[int, Remark]] = field(default_factory=list)
    """Each with the place of its scenario among `parts`, from 1; strengths first."""

    @property
    def left(self) -> bool:
        """Whether others of its scenario were tested on later days, and it was not."""
        return self.days_behind >= LEFT_DAYS

    @property
    def measured(self) -> bool:
        """Whether any run says something of it."""
        return self.main.newest is not None

    @property
    def main(self) -> Part:
        return self.parts[0]


def cards(
    every: Sequence[Series], ranked: Sequence[Board], runs: Sequence[RunDigest], config: SiteConfig
) -> list[Card]:
    """A card for each target, in the order of their names."""
    books = known_books(runs)
    newest_of: dict[str, date] = {}
    for series in every:
        day = series.newest.run.started_at.date()
        newest_of[series.scenario] = max(day, newest_of.get(series.scenario, day))
    until = max((run.started_at.date() for run in runs), default=date.min)
    by_key: dict[Key, list[Series]] = {}
    for series in every:
        by_key.setdefault(series.key, []).append(series)
    found = []
    for key, mine in sorted(by_key.items()):
        mine.sort(key=lambda each: (len(each.nights), each.newest.run.started_at), reverse=True)
        nights = [night for series in mine for night in series.nights]
        newest = max(nights, key=lambda night: night.run.started_at)
        usable = [night for night in nights if night.usable]
        price = story(newest.target.priced_as, books, config.conversation)
        found.append(
            Card(
                key=key,
                name=key[0],
                model=newest.target.model,
                where=newest.target.where,
                dialect=newest.target.dialect,
                parts=[_part(series) for series in mine],
                newest=newest,
                tests=len(usable),
                with_errors=sum(night.target.good_calls < night.target.calls for night in usable),
                tested_at=newest.run.started_at,
                days_behind=(max(newest_of[each.scenario] for each in mine) - newest.run.started_at.date()).days,
                price=price,
                price_plot=price_chart(price.line, until) if price else None,
                remarks=_remarks(mine, ranked),
            )
        )
    return found


def _remarks(mine: Sequence[Series], ranked: Sequence[Board]) -> list[tuple[int, Remark]]:
    found = [
        (place, each)
        for place, series in enumerate(mine, start=1)
        for each in remarks(series, _board_of(series, ranked))
    ]
    return sorted(found, key=lambda pair: (pair[1].kind, pair[0]))


def _board_of(series: Series, ranked: Sequence[Board]) -> Board | None:
    return next(
        (
            board
            for board in ranked
            if board.scenario == series.scenario
            and board.condition == ALL
            and any(row.key == series.key for row in board.rows)
        ),
        None,
    )


def _part(series: Series) -> Part:
    newest = series.last_usable
    headline = next((n.target.headline for n in reversed(series.nights) if n.target.headline), "first_audible_ms")
    title = METRICS[headline].title
    wanted = (
        chart(series.nights, f"{capital(title)}, ms", ((f"{headline}: p50", "median"), (f"{headline}: p95", "p95"))),
        chart(series.nights, "Availability: good calls", ((AVAILABILITY, "good calls"),), whole=True),
        chart(series.nights, "Word error rate (WER)", (("wer", "WER"),)),
        chart(series.nights, "Measured cost per minute of conversation", (("cost_per_minute_usd", "USD per minute"),)),
    )
    return Part(
        series=series,
        behind=last_nights(series, away_too=True),
        charts=[each for each in wanted if each is not None],
        accents=_accents(series),
        availability=recent(series, AVAILABILITY),
        cost=recent(series, "cost_per_minute_usd"),
        newest=newest,
    )


def _accents(series: Series) -> list[AccentRow]:
    """Every accent of the last nights, the worst first."""
    nights = last_nights(series)
    names = list(dict.fromkeys(each.name for night in nights for each in night.target.accents))
    rows = []
    for name in names:
        figure = recent_of(nights, lambda night, name=name: _accent(night, name))  # type: ignore[misc]
        words = sum(each.words for night in nights for each in night.target.accents if each.name == name)
        last = next((_accent(night, name) for night in reversed(nights) if _accent(night, name)), None)
        rows.append(AccentRow(name, words, figure, last.value if last else None))
    return sorted(rows, key=lambda row: -(row.figure.value or 0.0))


def _accent(night: Night, name: str) -> Seen | None:
    found = next((each for each in night.target.accents if each.name == name), None)
    if found is None or found.wer is None:
        return None
    whole = night.target.seen("wer")
    # Word errors of a call come together: the words of an accent are worth as much less as all words of the run are.
    words = sum(each.words for each in night.target.accents) or 1
    rows = found.words * min(1.0, whole.rows / words) if whole is not None and whole.rows else float(found.words)
    return Seen(
        metric="wer", title="WER", unit="share", decimals=4, value=found.wer, low=found.low, high=found.high,
        n=found.words, rows=rows, whole=float(found.words),
    )  # fmt: skip
