"""The leaderboard: targets of one scenario in order, and which of them cannot be told apart.

In: series. Out: `Board`s of ranked rows. A rank is one more than the number of targets that are surely better, so that
targets which cannot be told apart share a rank.
Trap: the calls of one night say little of the next, so that a target has no rank before it has three nights.
Trap: one night without a finite figure makes the mean infinite and is no proof: such targets are compared by order.
Trap: targets that were called in turn in the same runs are compared run by run, so that a slow night of the network is
no difference of theirs; others are compared as independent nights (Welch).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

import numpy as np

from bench.report.gate.nights import LEAST_NIGHTS
from bench.report.student import t_cdf
from bench.site.digest import AVAILABILITY, NO_CONDITION, Condition, Seen
from bench.site.recent import Getter, Recent, getter, last_nights, recent_of
from bench.site.windows import Key, Night, Series

LEVEL = 0.05
ALL = "all turns"
FIGURES = ("p50", "p95", AVAILABILITY, "wer", "cost")
TITLES = {"p50": "median", "p95": "p95", AVAILABILITY: "availability", "wer": "WER", "cost": "cost per minute"}


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A target. `rank` is None for one without a figure, or with too few nights for one."""

    series: Series
    key: Key
    rank: int | None
    tied: bool
    figures: dict[str, Recent]
    newest: Night
    since: datetime | None = None
    """When the oldest run behind its figures began."""

    @property
    def runs(self) -> int:
        """The runs behind its figures."""
        return max(each.nights for each in self.figures.values())

    @property
    def lacking(self) -> str:
        """Why a target with a figure has no rank."""
        ranked = self.rank is not None or self.figures["p50"].value is None
        return "" if ranked else f"{LEAST_NIGHTS} runs needed"


@dataclass(frozen=True, slots=True)
class Board:
    """The targets of one scenario, transport and condition, the best first."""

    scenario: str
    transport: str
    condition: str
    metric_title: str
    rows: tuple[BoardRow, ...]
    pairs: dict[tuple[Key, Key], float] = field(default_factory=dict)
    """How likely the difference of two medians is by chance."""

    @property
    def first(self) -> tuple[BoardRow, ...]:
        """Those of the first rank: several where they cannot be told apart, none where fewer than two have a rank."""
        ranked = [row for row in self.rows if row.rank is not None]
        return tuple(row for row in ranked if row.rank == 1) if len(ranked) > 1 else ()


def boards(every: Sequence[Series]) -> list[Board]:
    """A board for each scenario, transport and condition; the scenario of the most runs first."""
    groups: dict[tuple[str, str], list[Series]] = {}
    for series in every:
        night = series.last_usable
        if night is not None:
            groups.setdefault((series.scenario, night.target.transport), []).append(series)
    found = []
    for (scenario, transport), members in groups.items():
        found.append(_board(scenario, transport, ALL, members))
        names = {each.name for series in members for night in series.nights for each in night.target.conditions}
        found += [
            _board(scenario, transport, name, members)
            for name in sorted(names, key=lambda name: (name != NO_CONDITION, name))
        ]
    return [
        board for board in found if any(each.value is not None for row in board.rows for each in row.figures.values())
    ]


def _board(scenario: str, transport: str, condition: str, members: Sequence[Series]) -> Board:
    figures = {series.key: _figures(series, condition) for series in members}
    level = LEVEL / max(1, len(members) * (len(members) - 1) // 2)
    pairs: dict[tuple[Key, Key], float] = {}
    better: dict[Key, int] = {series.key: 0 for series in members}
    equal: set[Key] = set()
    ranked = [series for series in members if figures[series.key]["p50"].nights >= LEAST_NIGHTS]
    for a, b in combinations(ranked, 2):
        one, other = figures[a.key]["p50"], figures[b.key]["p50"]
        if one.value is None or other.value is None:
            continue
        p = chance(one, other)
        pairs[a.key, b.key] = p
        if p < level:
            better[b.key if one.value < other.value else a.key] += 1
    ranks: dict[Key, int | None] = {series.key: None for series in members}
    ranks |= {series.key: better[series.key] + 1 for series in ranked}
    for a, b in combinations(ranked, 2):
        if ranks[a.key] == ranks[b.key]:
            equal |= {a.key, b.key}
    rows = [
        BoardRow(
            series,
            series.key,
            ranks[series.key],
            series.key in equal,
            figures[series.key],
            series.newest,
            _since(series, figures[series.key]),
        )
        for series in members
    ]
    rows.sort(key=lambda row: (row.rank or math.inf, _or_inf(row.figures["p50"].value), row.key))
    title = next((row.figures["p50"].title for row in rows if row.figures["p50"].title), "first audible")
    return Board(scenario, transport, condition, title, tuple(rows), pairs)


def _since(series: Series, figures: dict[str, Recent]) -> datetime | None:
    behind = {run for each in figures.values() for run in each.by_run}
    return min((night.run.started_at for night in series.nights if night.run.run_id in behind), default=None)


def _figures(series: Series, condition: str) -> dict[str, Recent]:
    nights, with_outages = last_nights(series), last_nights(series, away_too=True)
    if condition != ALL:
        return {
            "p50": recent_of(nights, _under(condition, "p50")),
            "p95": recent_of(nights, _under(condition, "p95")),
            AVAILABILITY: Recent(),
            "wer": recent_of(nights, _under(condition, "wer")),
            "cost": Recent(),
        }
    headline = next((night.target.headline for night in reversed(nights) if night.target.headline), None)
    return {
        "p50": recent_of(nights, getter(f"{headline}: p50")),
        "p95": recent_of(nights, getter(f"{headline}: p95")),
        AVAILABILITY: recent_of(with_outages, getter(AVAILABILITY)),
        "wer": recent_of(nights, getter("wer")),
        "cost": recent_of(nights, getter("cost_per_minute_usd")),
    }


def _under(condition: str, figure: str) -> Getter:
    def get(night: Night) -> Seen | None:
        found: Condition | None = next((each for each in night.target.conditions if each.name == condition), None)
        name = figure if figure == "wer" else f"{night.target.headline}: {figure}"
        return found.figures.get(name) if found is not None else None

    return get


def chance(a: Recent, b: Recent) -> float:
    """The two-sided probability of such a difference, or a greater one, if both were the same."""
    if a.value is None or b.value is None or min(a.nights, b.nights) < LEAST_NIGHTS:
        return 1.0
    if math.isinf(a.value) or math.isinf(b.value):
        return _by_order(a, b)
    shared = [run for run in a.by_run if run in b.by_run]
    if len(shared) >= LEAST_NIGHTS:
        steps = np.array([a.by_run[run] - b.by_run[run] for run in shared])
        return _two_sided(float(steps.mean()), float(steps.std(ddof=1)) / math.sqrt(len(steps)), len(steps) - 1)
    difference = a.value - b.value
    errors = [float(np.std(list(each.by_run.values()), ddof=1)) ** 2 / each.nights for each in (a, b)]
    total = sum(errors)
    if total <= 0:
        return 0.0 if difference else 1.0
    parts = sum(error**2 / (each.nights - 1) for error, each in zip(errors, (a, b), strict=True))
    return _two_sided(difference, math.sqrt(total), max(1, math.floor(total**2 / parts)))


def _by_order(a: Recent, b: Recent) -> float:
    """By which is the greater alone: a mean cannot be taken where some nights have no finite figure."""
    shared = [run for run in a.by_run if run in b.by_run]
    if len(shared) >= LEAST_NIGHTS:
        more = sum(a.by_run[run] > b.by_run[run] for run in shared)
        less = sum(a.by_run[run] < b.by_run[run] for run in shared)
        tail = sum(math.comb(more + less, few) for few in range(min(more, less) + 1)) / 2 ** (more + less)
        return min(1.0, 2.0 * float(tail))
    ranks = rankdata([*a.by_run.values(), *b.by_run.values()])
    middle = a.nights * (a.nights + b.nights + 1) / 2
    off = abs(sum(ranks[: a.nights]) - middle)
    sums = np.array([sum(part) for part in combinations(ranks, a.nights)])
    return float((np.abs(sums - middle) >= off - 1e-9).mean())


def rankdata(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    ordered = sorted(values)
    return [ordered.index(each) + (ordered.count(each) + 1) / 2 for each in values]


def _two_sided(difference: float, error: float, freedom: int) -> float:
    if error <= 0:
        return 0.0 if difference else 1.0
    return float(2 * (1 - t_cdf(np.array([abs(difference) / error]), freedom)[0]))


def _or_inf(value: float | None) -> float:
    return math.inf if value is None else value
