"""A control chart for each measure: the nights of the window, the run, and the bound of an alarm, as numbers to draw.

In: a `GateReport`. Out: `Control`s. Trap: a night without a figure is a gap, not a zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.report.gate.findings import GateReport, GateRow
from bench.report.gate.phrases import change, size, title_of, with_unit
from bench.report.geometry import Scale, Tick, scale

WIDTH, HEIGHT = 460.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 12.0, 28.0
MOST_CHARTS = 12


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    title: str
    style: str = ""
    """`new`, and `bad` for a regression."""


@dataclass(frozen=True, slots=True)
class Control:
    """One measure over the runs. `alarm_*` is the area beyond the bound."""

    title: str
    about: str
    dots: tuple[Dot, ...]
    usual: float
    alarm_top: float
    alarm_height: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    bottom: float = HEIGHT - BOTTOM


def controls(report: GateReport) -> list[Control]:
    """A chart for each judged measure."""
    return [_control(row, report) for row in report.family[:MOST_CHARTS]]


def _control(row: GateRow, report: GateReport) -> Control:
    factor, unit = (100.0, " %") if row.unit == "share" else (1.0, "")
    nights = [factor * value if value is not None and math.isfinite(value) else None for value in row.nights]
    usual, bound = factor * (row.baseline or 0.0), factor * (row.bound or 0.0)
    value = factor * (row.value if row.value is not None else math.inf)
    shown = [each for each in (*nights, usual, bound, value) if each is not None and math.isfinite(each)]
    low, high = min(shown), max(shown)
    room = 0.08 * (high - low)
    y = scale(max(0.0, low - room) if low >= 0 else low - room, high + room, HEIGHT - BOTTOM, TOP, 4)
    x = Scale(-0.5, len(nights) + 0.5, LEFT, WIDTH - RIGHT)
    dots = [
        Dot(x.at(place), y.at(night), f"{each.started_at:%Y-%m-%d %H:%M}: {with_unit(row, row.nights[place])}")
        for place, (night, each) in enumerate(zip(nights, report.window, strict=True))
        if night is not None
    ]
    style = "new bad" if row.verdict == "regression" else "new"
    dots.append(Dot(x.at(len(nights)), y.at(min(value, y.high)), f"this run: {with_unit(row, row.value)}", style))
    edge = y.at(y.high) if row.worse == "higher" else y.at(y.low)
    line = y.at(min(max(bound, y.low), y.high))
    ticks = [
        Tick(x.at(place), f"{each.started_at:%m-%d}")
        for place, each in enumerate(report.window)
        if place % max(1, len(nights) // 6) == 0 and place < len(nights) - 0.5
    ]
    return Control(
        title=title_of(row),
        about=f"{change(row)}; {row.verdict}. A change by {size(row, row.detectable)} would be found.",
        dots=tuple(dots),
        usual=y.at(usual),
        alarm_top=min(edge, line),
        alarm_height=round(abs(edge - line), 1),
        x_ticks=(*ticks, Tick(x.at(len(nights)), "now")),
        y_ticks=y.marks(unit),
    )
