"""Charts of nights, as numbers for the templates to draw: a line with its intervals, shares, and what happened.

In: nights and a figure. Out: `NightChart`s in the units of their own view box.
Trap: a night without the figure is a gap, not a zero; a line does not cross it. An outage is a cross at the top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bench.report.findings_bill import PriceLine
from bench.report.geometry import Scale, Tick, path, scale
from bench.report.phrases import MISSING, number, percent, usd, usd_limit
from bench.site.digest import Seen
from bench.site.recent import unanswered
from bench.site.windows import Night

WIDTH, HEIGHT = 440.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 14.0, 20.0, 30.0
CLOSEST = 78.0
"""Between two dates under the chart."""
MOST = 90
"""Nights in a chart: more of them cannot be told apart, and each is a link."""


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    style: str
    title: str
    run_id: str


@dataclass(frozen=True, slots=True)
class NightChart:
    """One measure over nights. `bands` are the intervals; `crosses` are nights on which the target was away."""

    title: str
    about: str
    lines: tuple[tuple[str, str, str], ...]
    """Style, name and path."""
    bands: tuple[str, ...]
    dots: tuple[Dot, ...]
    crosses: tuple[Dot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def chart(
    nights: Sequence[Night], title: str, measures: Sequence[tuple[str, str]], *, whole: bool = False
) -> NightChart | None:
    """`measures` are pairs of a measure and its name in the legend; the first has intervals and links.

    `whole`: a share that is drawn up to 100 %. None where fewer than two nights have the figure.
    """
    shown = [night for night in nights if night.usable][-MOST:]
    first = [(place, night, seen) for place, night in enumerate(shown) if (seen := _finite(night, measures[0][0]))]
    if len(first) < 2:
        return None
    unit = first[0][2].unit
    factor = 100.0 if unit == "share" else 1.0
    x = Scale(-0.6, len(shown) - 0.4, LEFT, WIDTH - RIGHT)
    y = _scale_of(shown, measures, factor, whole=whole)
    lines = []
    for style, (measure, name) in zip(("first", "second"), measures, strict=False):
        values = [
            (place, factor * seen.value)
            for place, night in enumerate(shown)
            if (seen := _finite(night, measure)) and seen.value is not None and (whole or night.state != "outage")
        ]
        parts = [path([(x.at(at), y.at(value)) for at, value in part]) for part in _runs(values)]
        lines.append((style, name, "".join(parts)))
    dots = tuple(
        Dot(
            x.at(place),
            y.at(min(factor * (seen.value or 0.0), y.high)),
            _style(night, measures),
            f"{night.run.started_at:%Y-%m-%d}: {value_text(seen)} ({night.state})",
            night.run.run_id,
        )
        for place, night, seen in first
        if whole or night.state != "outage"
    )
    away = [(place, night) for place, night in enumerate(shown) if night.state == "outage"]
    crosses = tuple(
        Dot(x.at(place), TOP - 8, "away", f"{night.run.started_at:%Y-%m-%d}: away", night.run.run_id)
        for place, night in away
    )
    cut = f" The newest {MOST} of {len(nights)} runs." if len(nights) > MOST else ""
    last = first[-1][2]
    return NightChart(
        title=title,
        about=f"{len(shown)} runs from {shown[0].run.started_at:%Y-%m-%d} to {shown[-1].run.started_at:%Y-%m-%d}; "
        f"the newest: {value_text(last)}."
        + (f" Away on {', '.join(f'{night.run.started_at:%Y-%m-%d}' for _, night in away[-5:])}." if away else "")
        + cut,
        lines=tuple(line for line in lines if line[2]),
        bands=_bands(first, x, y, factor, whole=whole),
        dots=dots,
        crosses=crosses,
        x_ticks=_dates(shown, x),
        y_ticks=y.marks(" %" if unit == "share" else "")
        if unit != "USD"
        else tuple(Tick(y.at(tick), usd_limit(tick)) for tick in y.ticks),
    )


def _finite(night: Night, measure: str) -> Seen | None:
    seen = night.target.seen(measure)
    return seen if seen is not None and seen.value is not None and math.isfinite(seen.value) else None


def _scale_of(shown: Sequence[Night], measures: Sequence[tuple[str, str]], factor: float, *, whole: bool) -> Scale:
    if whole:
        return Scale(0.0, 100.0, HEIGHT - BOTTOM, TOP, (0.0, 25.0, 50.0, 75.0, 100.0))
    values = []
    for night in shown:
        for place, (measure, _) in enumerate(measures):
            seen = _finite(night, measure)
            if seen is None or night.state == "outage":
                continue
            ends = [seen.value, seen.low, seen.high] if place == 0 else [seen.value]
            values += [factor * each for each in ends if each is not None and math.isfinite(each)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.06 * (high - low)
    return scale(max(0.0, low - room), high + room, HEIGHT - BOTTOM, TOP, 4)


def _runs(values: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Stretches of nights without a gap."""
    parts: list[list[tuple[int, float]]] = []
    for place, value in values:
        if parts and parts[-1][-1][0] == place - 1:
            parts[-1].append((place, value))
        else:
            parts.append([(place, value)])
    return parts


def _bands(
    first: Sequence[tuple[int, Night, Seen]], x: Scale, y: Scale, factor: float, *, whole: bool
) -> tuple[str, ...]:
    """A closed path for each stretch of nights with an interval."""
    known = {
        place: (factor * seen.low, factor * seen.high)
        for place, night, seen in first
        if seen.low is not None
        and seen.high is not None
        and math.isfinite(seen.high)
        and (whole or night.state != "outage")
    }
    found = []
    for part in _runs([(place, 0.0) for place in sorted(known)]):
        places = [place for place, _ in part]
        ends = [(x.at(at), y.at(min(known[at][1], y.high))) for at in places]
        ends += [(x.at(at), y.at(max(known[at][0], y.low))) for at in reversed(places)]
        found.append(path(ends) + "Z")
    return tuple(found)


def _style(night: Night, measures: Sequence[tuple[str, str]]) -> str:
    """`bad` or `good` where one of these measures was a regression (or is not back) or better, whatever else was."""
    if any(measure in night.worse for measure, _ in measures):
        return "bad"
    verdicts = {row.verdict for measure, _ in measures if (row := night.row(measure)) is not None}
    return "bad" if "regression" in verdicts else "good" if "better" in verdicts else ""


def _dates(shown: Sequence[Night], x: Scale) -> tuple[Tick, ...]:
    """At most six dates, the newest among them; times of the day where all are of one day."""
    one_day = len({night.run.started_at.date() for night in shown}) == 1
    step = max(1, math.ceil(len(shown) / 6))
    places = range(len(shown) - 1, -1, -step)
    ticks = [Tick(x.at(place), f"{shown[place].run.started_at:{'%H:%M' if one_day else '%m-%d'}}") for place in places]
    return tuple(reversed([tick for tick in ticks if tick.at >= LEFT + 8]))


def value_text(seen: Seen | None) -> str:
    """A figure with its unit."""
    if seen is None or seen.value is None:
        return "-"
    if math.isinf(seen.value):
        return "never"
    if seen.unit == "share":
        return percent(seen.value)
    if seen.unit == "USD":
        return usd(seen.value)
    return f"{number(seen.value, seen.decimals)} {seen.unit}"


def now_text(seen: Seen | None) -> str:
    """A figure of one run: what falls among unanswered turns has no size."""
    return MISSING if seen is not None and seen.value is not None and math.isinf(seen.value) else value_text(seen)


def now_limits(seen: Seen | None) -> str:
    """What stands beneath it: its interval, or why it has no size."""
    if seen is None or seen.value is None or not math.isinf(seen.value):
        return limits_text(seen)
    return unanswered(seen.fold)


def now_said(seen: Seen | None) -> str:
    """The same where there is room: `95 %: 742..810`."""
    limits = limits_text(seen)
    if seen is None or seen.value is None or not math.isinf(seen.value):
        return f"95 %: {limits or MISSING}"
    return f"{unanswered(seen.fold)}{f' (95 %: {limits})' if limits else ''}"


def limits_text(seen: Seen | None) -> str:
    """The interval, in the unit of the value; empty where there is none."""
    if seen is None or seen.low is None or seen.high is None or math.isinf(seen.low):
        return ""
    if seen.unit == "share":
        return f"{number(100 * seen.low, 1)}..{number(100 * seen.high, 1)} %"
    if seen.unit == "USD":
        return f"{usd(seen.low)}..{usd(seen.high)}"
    return f"{number(seen.low, seen.decimals)}..{number(seen.high, seen.decimals)}"


def price_chart(line: PriceLine, until: date) -> NightChart | None:
    """The price of one model as a step line: solid between readings, dashed from the last one to `until`."""
    known = [(date.fromisoformat(each.date), each.usd) for each in line.points if each.usd is not None]
    if not known:
        return None
    last_day, last_usd = known[-1]
    until = max(until, last_day)
    x = Scale(known[0][0].toordinal(), max(until.toordinal(), known[0][0].toordinal() + 1), LEFT + 8, WIDTH - RIGHT)
    y = scale(0, max(price for _, price in known), HEIGHT - BOTTOM, TOP, 4)
    placed = [(x.at(day.toordinal()), y.at(price)) for day, price in known]
    steps = f"M{placed[0][0]} {placed[0][1]}" + "".join(f"H{at}V{height}" for at, height in placed[1:])
    since = f"M{placed[-1][0]} {placed[-1][1]}H{x.end}"
    return NightChart(
        title="Price of the typical conversation, by date",
        about="; ".join(f"{usd(price)} on {day}" for day, price in _changes(known))
        + f". Last read on {last_day}; {usd(last_usd)}.",
        lines=(("first", "as read", steps), ("second", "not read since", since)),
        bands=(),
        dots=tuple(
            Dot(at, height, "", f"{day}: {usd(price)}", "")
            for (at, height), (day, price) in zip(placed, known, strict=True)
        ),
        crosses=(),
        x_ticks=_days(x, [day for day, _ in known] + [until]),
        y_ticks=tuple(Tick(y.at(tick), usd_limit(tick)) for tick in y.ticks),
    )


def _changes(known: Sequence[tuple[date, float]]) -> list[tuple[date, float]]:
    """The first price and every one that differs from the one before."""
    return [each for place, each in enumerate(known) if not place or abs(each[1] - known[place - 1][1]) > 1e-12]


def _days(x: Scale, days: Sequence[date]) -> tuple[Tick, ...]:
    """Dates under the chart; one that would run into the next is left out, the newest never.

    The newest one ends at the edge of the chart, so that it reaches half of its length further to the left.
    """
    found: list[Tick] = []
    for day in sorted(set(days), reverse=True):
        at = x.at(day.toordinal())
        if not found or found[-1].at - at >= CLOSEST * (1.5 if len(found) == 1 else 1.0):
            found.append(Tick(at, f"{day:%Y-%m-%d}"))
    return tuple(reversed(found))
