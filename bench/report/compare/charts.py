"""The charts of a comparison as numbers to draw: an interval for each measure, and the distributions of the headline.

In: a `Comparison`. Out: `Forest`s and a `Plot`.
Trap: relative differences and points of shares have scales of their own; on one axis one point and one per cent would
look alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.report.compare.findings import Comparison
from bench.report.compare.phrases import change, limits, name_of, relative, relative_limits
from bench.report.findings_differences import MetricDifference
from bench.report.geometry import Plot, Scale, Tick, distribution, scale

WIDTH, LEFT, RIGHT = 820.0, 216.0, 150.0
ROW, TOP, BELOW = 22.0, 10.0, 40.0
MOST_WIDE = 4.0
"""An interval may be so many times wider than the middle one before it is cut at the edge."""


@dataclass(frozen=True, slots=True)
class Whisker:
    """A difference with its interval. `cut_*`: it goes on beyond the edge."""

    y: float
    name: str
    x: float
    low: float
    high: float
    style: str
    value: str
    title: str
    cut_low: bool = False
    cut_high: bool = False
    band: tuple[float, float] | None = None
    """What does not matter: left end and width."""


@dataclass(frozen=True, slots=True)
class Forest:
    """One row for each measure, on one axis."""

    title: str
    about: str
    x_title: str
    rows: tuple[Whisker, ...]
    ticks: tuple[Tick, ...]
    zero: float
    height: float
    bottom: float
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


def forests(found: Comparison) -> list[Forest]:
    """For each pair the relative differences, then those of shares; none of a kind without an interval."""
    base = found.runs[0].letter
    drawn = []
    for pair in found.pairs:
        against = f"{pair.letter} against {base}"
        known = [row for row in pair.rows if row.low is not None and row.value is not None and math.isfinite(row.value)]
        for title, x_title, of, rows in (
            ("differences", f"difference, % of {base}", _relative, [row for row in known if row.unit != "share"]),
            ("shares", "difference, percentage points", _points, [row for row in known if row.unit == "share"]),
        ):
            shown = [row for row in rows if of(row, row.value) is not None]
            if shown:
                drawn.append(_forest(f"{against}: {title}", x_title, shown, of))
    return drawn


def ecdf(found: Comparison) -> Plot | None:
    """The share of turns that had the headline within a time, one line for each run."""
    plot = distribution(found.curves, from_zero=False)
    about = (
        f"Share of measured turns of each run with {found.headline_title} within the time; a line that stays below "
        "100 % shows turns that were never answered."
    )
    return plot and replace(plot, title=f"{found.headline_title} in each run", about=about)


def _relative(row: MetricDifference, value: float | None) -> float | None:
    share = row.relative(value)
    return None if share is None else 100 * share


def _points(_: MetricDifference, value: float | None) -> float | None:
    return None if value is None else 100 * value


def _forest(
    title: str,
    x_title: str,
    rows: Sequence[MetricDifference],
    of: Callable[[MetricDifference, float | None], float | None],
) -> Forest:
    x = _axis([(of(row, row.low) or 0.0, of(row, row.high) or 0.0) for row in rows])
    whiskers = []
    for at, row in enumerate(rows):
        low, high, value = ((of(row, each) or 0.0) for each in (row.low, row.high, row.value))
        matters = of(row, row.matters)
        band = None
        if matters is not None:
            begin, end = x.at(max(-matters, x.low)), x.at(min(matters, x.high))
            band = (begin, round(end - begin, 1))
        shown = change(row) if of is _points else relative(row, row.value)
        inner = limits(row) if of is _points else relative_limits(row)
        whiskers.append(
            Whisker(
                y=TOP + at * ROW + ROW / 2,
                name=name_of(row).partition(",")[0],
                x=x.at(min(max(value, x.low), x.high)),
                low=x.at(max(low, x.low)),
                high=x.at(min(high, x.high)),
                style=row.verdict.replace(" ", "-"),
                value=f"{shown} · {row.verdict}",
                title=f"{change(row)} ({limits(row)}); {inner}",
                cut_low=low < x.low,
                cut_high=high > x.high,
                band=band,
            )
        )
    bottom = TOP + len(rows) * ROW + 4
    about = (
        "Each line is a 95 % interval, its dot the difference itself; right of 0 the value is higher than in the first "
        "run. The shaded part of a row does not matter."
    )
    cut = any(each.cut_low or each.cut_high for each in whiskers)
    return Forest(
        title=title,
        about=f"{about} An arrow goes on beyond the edge." if cut else about,
        x_title=x_title,
        rows=tuple(whiskers),
        ticks=x.marks(),
        zero=x.at(0.0),
        height=bottom + BELOW,
        bottom=bottom,
    )


def _axis(found: Sequence[tuple[float, float]]) -> Scale:
    """An axis around 0 that one very wide interval cannot stretch."""
    reaches = sorted(max(abs(low), abs(high)) for low, high in found)
    reach = max(min(reaches[-1], MOST_WIDE * reaches[len(reaches) // 2]), 0.5)
    if math.isinf(reach):
        reach = max((each for each in reaches if math.isfinite(each)), default=1.0)
    low = max(-reach, min(0.0, *(low for low, _ in found)))
    high = min(reach, max(0.0, *(high for _, high in found)))
    return scale(low, high, LEFT, WIDTH - RIGHT, 8)
