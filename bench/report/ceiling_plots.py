"""Latency, goodput and errors against the load of a search: the knee, in the units of a view box.

In: a `CeilingReport`. Out: `Plot`s. The shaded part is what was carried.
Trap: a level whose p95 is "never" cannot be drawn; it is left out of that line, and the note says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.report.findings_ceiling import CeilingReport, LevelRow
from bench.report.geometry import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, Plot, Scale, Tick, path, scale
from bench.report.phrases import number

LEAST_LEVELS = 2
"""A line needs two levels."""


def ceiling_plots(found: CeilingReport | None) -> tuple[Plot, ...]:
    """Latency, then goodput and errors, against the level; nothing for fewer than two levels."""
    rows = [each for each in found.rows if each.held is not None] if found is not None else []
    if found is None or len(rows) < LEAST_LEVELS:
        return ()
    x = scale(0, max(each.level for each in rows), LEFT, WIDTH - RIGHT, 8)
    return tuple(plot for plot in (_latency(found, rows, x), _shares(found, rows, x)) if plot is not None)


def _latency(found: CeilingReport, rows: Sequence[LevelRow], x: Scale) -> Plot | None:
    drawn = {
        "median": [(each.level, each.p50.value) for each in rows],
        "p95": [(each.level, each.p95.value) for each in rows],
    }
    known = {name: [(at, ms) for at, ms in points if _drawable(ms)] for name, points in drawn.items()}
    highest = max((ms or 0.0 for points in known.values() for _, ms in points), default=None)
    if highest is None:
        return None
    y = scale(0, highest, HEIGHT - BOTTOM, TOP, 5)
    lines = tuple(_line(name, name, [(x.at(at), y.at(ms or 0)) for at, ms in known[name]]) for name in known)
    never = [each.name for each in rows if each.p95.value is not None and math.isinf(each.p95.value)]
    return Plot(
        title=f"{found.title} against load",
        about=f"Median and p95 of {found.title} at each level.",
        x_title=found.unit,
        y_title=f"{found.title}, ms",
        x_ticks=x.marks(),
        y_ticks=y.marks(),
        lines=lines,
        notes=(f"Left out of the p95, which is never: {', '.join(never)}.",) if never else (),
        band=_carried(found, x),
        band_title="carried",
    )


def _shares(found: CeilingReport, rows: Sequence[LevelRow], x: Scale) -> Plot:
    y = Scale(0, 100, HEIGHT - BOTTOM, TOP, (0, 25, 50, 75, 100))
    good = [(x.at(each.level), y.at(100 * each.goodput.value)) for each in rows if each.goodput.value is not None]
    bad = [(x.at(each.level), y.at(100 * _failed(each))) for each in rows if each.turns]
    asked = y.at(100 * found.goodput)
    return Plot(
        title="Goodput and errors against load",
        about="Share of good turns and of turns that failed or were refused, at each level; "
        f"{number(100 * found.goodput)} % good turns were asked.",
        x_title=found.unit,
        y_title="share of turns",
        x_ticks=x.marks(),
        y_ticks=tuple(Tick(y.at(tick), f"{tick:g} %") for tick in y.ticks),
        lines=(
            _line("median", "good turns", good),
            _line("p95", "failed or refused", bad),
            Line("asked", "asked of a level", f"M{x.start} {asked}H{x.end}"),
        ),
        band=_carried(found, x),
        band_title="carried",
    )


def _failed(each: LevelRow) -> float:
    """Turns that were not answered, and calls that were refused, of all that count."""
    turns = max(each.turns - each.never_ready, 0)
    return min(1.0, (each.never_ready + (each.error_rate.value or 0.0) * turns) / max(each.turns, 1))


def _line(style: str, title: str, points: list[tuple[float, float]]) -> Line:
    return Line(style, title, path(points) if points else "", points=tuple(points))


def _carried(found: CeilingReport, x: Scale) -> float | None:
    return x.at(found.ceiling) if found.ceiling else None


def _drawable(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
