"""The price history as a step line, in the units of its own view box.

In: the `PriceLine`s of a bill. Out: a `Plot`, or None where there is no line to draw.
Trap: the last price is drawn to the newest date of all books, not beyond: nobody has read a price since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bench.report.findings_bill import PriceLine
from bench.report.geometry import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH, Line, Plot, Scale, Tick, scale
from bench.report.phrases import usd, usd_limit

STYLES = ("price1", "price2", "price3", "price4")
LEFT_USD = 92.0
CLOSEST = 90.0
"""Between two dates under the chart, in its units."""


def price_history(lines: Sequence[PriceLine]) -> Plot | None:
    """A step line for each model; models without two known prices are left to the table."""
    drawn = [(line, _known(line)) for line in lines]
    drawn = [(line, points) for line, points in drawn if len(points) > 1][: len(STYLES)]
    if not drawn:
        return None
    first = min(day for _, points in drawn for day, _ in points)
    last = max(day for _, points in drawn for day, _ in points)
    x = Scale(first, max(last, first + 1), LEFT_USD, WIDTH - RIGHT)
    y = scale(0, max(price for _, points in drawn for _, price in points), HEIGHT - BOTTOM, TOP, 5)
    return Plot(
        title="What this traffic costs, by date",
        about="; ".join(_said(line, points) for line, points in drawn) + ".",
        x_title="date of the price book",
        y_title="USD for the whole run, transcription left out",
        x_ticks=_dates(x, {day for _, points in drawn for day, _ in points}),
        y_ticks=tuple(Tick(y.at(tick), usd_limit(tick)) for tick in y.ticks),
        left=LEFT_USD,
        lines=tuple(_line(STYLES[place], line.model, x, y, points) for place, (line, points) in enumerate(drawn)),
    )


def _known(line: PriceLine) -> list[tuple[int, float]]:
    """Day and price of each point that has one."""
    return [(date.fromisoformat(each.date).toordinal(), each.usd) for each in line.points if each.usd is not None]


def _line(style: str, title: str, x: Scale, y: Scale, points: Sequence[tuple[int, float]]) -> Line:
    """Level from each date to the next one, then straight up or down; level to the newest date of all."""
    placed = tuple((x.at(day), y.at(price)) for day, price in points)
    (begin, first), *rest = placed
    steps = "".join(f"H{at}V{height}" for at, height in rest)
    return Line(style, title, f"M{begin} {first}{steps}H{x.end}", points=placed)


def _said(line: PriceLine, points: Sequence[tuple[int, float]]) -> str:
    prices = [price for _, price in points]
    begun = date.fromordinal(points[0][0]).isoformat()
    if max(prices) - min(prices) <= 1e-9 * max(prices):
        return f"{line.model}: {usd(prices[0])}, unchanged since {begun}"
    return f"{line.model}: {usd(prices[0])} on {begun}, {usd(prices[-1])} now"


def _dates(x: Scale, days: set[int]) -> tuple[Tick, ...]:
    """The dates of the books; one that would run into the next is left out, the newest never."""
    found: list[Tick] = []
    for day in sorted(days, reverse=True):
        if not found or found[-1].at - x.at(day) >= CLOSEST:
            found.append(Tick(x.at(day), date.fromordinal(day).isoformat()))
    return tuple(reversed(found))
