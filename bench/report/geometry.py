"""The positions of everything in a chart: scales, ticks and SVG paths, as numbers for the templates to draw.

In: the chart data of a `Summary`. Out: `Plot`s and the waterfall, in the units of their own view box.
Trap: colours are not chosen here. A line has a class, and the page's style gives it a colour, a dash and a marker in
light and in dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench.measure.metrics import milestones
from bench.report.findings_charts import Curve, LoadBin, LoadChart, SlowTurn, TimeChart
from bench.report.phrases import amount, number

WIDTH, HEIGHT = 600.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 16.0, 22.0, 44.0
WATER_WIDTH = 800.0
ROW, BAR = 24.0, 13.0
LABELS, VALUES = 200.0, 66.0
APART = 3.0
"""Bars of two lines at the same x stand so far to each side of it."""
LETTER = 6.0
"""Width of a letter of a label, about."""
SERIES = 6
"""Looks of lines that are told apart by nothing but their looks."""


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """One path of the plot: `kind` is `line`, `dots` or `bars`; `style` picks its looks."""

    style: str
    title: str
    path: str
    kind: str = "line"
    points: tuple[tuple[float, float], ...] = ()
    whiskers: tuple[tuple[float, float, float], ...] = ()
    """Intervals: x, and y of both limits."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the x axis with a name; `label` is empty where the name does not fit in."""

    x: float
    width: float
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart ready to draw. `band` shades from the left edge to that x; `crosses` are x positions of failures."""

    title: str
    about: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    crosses: tuple[float, ...] = ()
    band: float | None = None
    band_title: str = ""
    bands: tuple[Band, ...] = ()
    notes: tuple[str, ...] = ()
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class Span:
    x: float
    width: float
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class WaterRow:
    y: float
    name: str
    value: str
    spans: tuple[Span, ...]
    early: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Milestones of the slowest turns, each span ending at the milestone it is named after."""

    rows: tuple[WaterRow, ...]
    ticks: tuple[Tick, ...]
    legend: tuple[tuple[str, str], ...]
    width: float
    height: float
    left: float
    right: float
    bottom: float
    bar: float = BAR


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map of `low..high` onto `start..end` in drawing units, with readable ticks."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...] = field(default=())

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def marks(self, unit: str = "") -> tuple[Tick, ...]:
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return tuple(Tick(self.at(tick), number(tick, decimals) + unit) for tick in self.ticks)


def scale(low: float, high: float, start: float, end: float, wanted: int = 6) -> Scale:
    """A scale from `low` to at least `high`, ending on a tick; an empty range, or next to one, is widened to 1."""
    span = high - low if high - low > 1e-6 * max(1.0, abs(low), abs(high)) else 1.0
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil((low + span) / step - 1e-9)
    ticks = tuple(round(number_of * step, 10) for number_of in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def over_time(chart: TimeChart) -> Plot:
    """Latency of each turn against the time at which it was spoken."""
    x = scale(0, max(chart.end_s, 1.0), LEFT, WIDTH - RIGHT)
    top, above = _limit(chart.ms)
    y = scale(0, top, HEIGHT - BOTTOM, TOP, 5)
    dots = "".join(
        f"M{x.at(max(0.0, at))} {y.at(min(ms, y.high))}h0" for at, ms in zip(chart.at_s, chart.ms, strict=True)
    )
    median = [
        (x.at(max(0.0, at)), y.at(min(ms, y.high))) for at, ms in zip(chart.median_at_s, chart.median_ms, strict=True)
    ]
    lines = [Line("dots", "one turn", dots, "dots")]
    if len(median) > 1:
        lines.append(Line("median", "median of that time", path(median)))
    notes = []
    if chart.shown < chart.n:
        notes.append(f"Dots are {chart.shown:,} of {chart.n:,} turns, drawn at random; the median is over all of them.")
    if above:
        notes.append(f"{above:,} dots above {number(y.high)} ms are drawn at the upper edge.")
    if len(chart.failed_at_s) < chart.failed_n:
        notes.append(f"Crosses are {len(chart.failed_at_s):,} of {chart.failed_n:,} turns without an answer.")
    return Plot(
        title=f"{chart.title} over the run",
        about=f"{amount(chart.n, 'answered turn')} as dots"
        + (", the median of each part of the run as a line" if len(median) > 1 else "")
        + (f", {amount(chart.failed_n, 'turn')} without an answer as crosses at the top." if chart.failed_n else "."),
        x_title="seconds since the run began",
        y_title=f"{chart.title}, ms",
        x_ticks=x.marks(),
        y_ticks=y.marks(),
        lines=tuple(lines),
        crosses=tuple(x.at(max(0.0, at)) for at in chart.failed_at_s),
        band=None if chart.warmup_until_s is None else x.at(min(max(0.0, chart.warmup_until_s), x.high)),
        band_title="until the last warm-up turn",
        bands=_bands(chart, x),
        notes=tuple(notes),
    )


def _bands(chart: TimeChart, x: Scale) -> tuple[Band, ...]:
    found = []
    for each in chart.phases:
        start, end = (x.at(min(max(0.0, at_s), x.high)) for at_s in (each.from_s, each.until_s))
        label = each.name if len(each.name) * LETTER + 8 <= end - start else ""
        found.append(Band(start, round(max(0.0, end - start), 1), each.name, label))
    return tuple(found)


def by_target(curves: Sequence[Curve], title: str) -> Plot | None:
    """Share of turns answered within a time, one line per target; they are told apart by colour and dash."""
    styled = [curve.model_copy(update={"name": f"series-{place % SERIES + 1}"}) for place, curve in enumerate(curves)]
    plot = distribution(styled, from_zero=False)
    about = f"Share of measured turns of each target with {title} within the time; a line that stays below 100 % shows "
    return plot and replace(
        plot, title=f"{title}, by target", about=f"{about}turns that never had it. The thin line below the top is 95 %."
    )


def distribution(curves: Sequence[Curve], *, from_zero: bool = True) -> Plot | None:
    """Share of turns answered within a time, one line per milestone."""
    drawn = [curve for curve in curves if curve.n]
    if not drawn:
        return None
    slowest = max(curve.ms[-1] for curve in drawn)
    usual = max(_at_share(curve, 0.99) for curve in drawn)
    high = slowest if slowest <= 1.6 * usual else 1.2 * usual
    first = min(curve.ms[0] for curve in drawn)
    x = scale(min(0.0, first) if from_zero else first, high, LEFT, WIDTH - RIGHT, 8)
    y = Scale(0, 100, HEIGHT - BOTTOM, TOP, (0, 25, 50, 75, 95, 100))
    lines = []
    for curve in drawn:
        points = [(x.at(curve.ms[0]), y.at(0))]
        points += [(x.at(min(ms, x.high)), y.at(100 * share)) for ms, share in zip(curve.ms, curve.share, strict=True)]
        lines.append(Line(curve.name.removesuffix("_ms"), f"{curve.title} (n={curve.n:,})", path(points)))
    cut = slowest > x.high
    return Plot(
        title="How many turns had what, by when",
        about="Share of measured turns that had reached each milestone within the time, also of turns that failed "
        "later; a line that stays below 100 % shows turns that never reached it. The thin line below the top is 95 %.",
        x_title="ms since the end of the caller's speech",
        y_title="share of turns",
        x_ticks=x.marks(),
        y_ticks=tuple(Tick(y.at(tick), "" if tick == 95 else f"{tick:g} %") for tick in y.ticks),
        lines=tuple(lines),
        notes=(f"Cut at {number(x.high)} ms; the slowest came after {number(slowest)} ms.",) if cut else (),
    )


def by_load(chart: LoadChart) -> Plot | None:
    """Median and p95 against the number of calls that were open; nothing where that number was always the same."""
    bins = [found for found in chart.bins if found.p50 is not None]
    if len(bins) < 2:
        return None
    x = Scale(-0.5, len(bins) - 0.5, LEFT, WIDTH - RIGHT)
    y = scale(0, max(_top(found) for found in bins), HEIGHT - BOTTOM, TOP, 5)
    lines = []
    for style, title, values, limits, aside in (
        ("median", "median", [each.p50 for each in bins], [each.p50_interval for each in bins], -APART),
        (
            "p95",
            "p95 (where 20 turns or more)",
            [each.p95 for each in bins],
            [each.p95_interval for each in bins],
            APART,
        ),
    ):
        points = [(x.at(place), y.at(value)) for place, value in enumerate(values) if value is not None]
        whiskers = tuple(
            (round(x.at(place) + aside, 1), y.at(limit.low), y.at(limit.high))
            for place, limit in enumerate(limits)
            if limit is not None
        )
        if points:
            lines.append(Line(style, title, path(points), points=tuple(points), whiskers=whiskers))
    ticks = tuple(
        Tick(x.at(place), f"{found.low}" if found.low == found.high else f"{found.low}-{found.high}")
        for place, found in enumerate(bins)
    )
    return Plot(
        title=f"{chart.title} against open calls",
        about="Median and p95 of the turns that began while so many calls were open, with 95 % intervals as bars (none "
        "where there are fewer than five calls): "
        + "; ".join(f"{tick.label} open: n={found.n:,}" for tick, found in zip(ticks, bins, strict=True))
        + ".",
        x_title="calls open when the turn began",
        y_title=f"{chart.title}, ms",
        x_ticks=ticks,
        y_ticks=y.marks(),
        lines=tuple(lines),
    )


def _top(found: LoadBin) -> float:
    upper = [limit.high for limit in (found.p50_interval, found.p95_interval) if limit is not None]
    return max(found.p50 or 0, found.p95 or 0, *upper)


def waterfall(turns: Sequence[SlowTurn]) -> Waterfall | None:
    """A row per turn; the axis ends a little after the slowest first audible sample, replies run over its edge."""
    if not turns:
        return None
    left, right = LABELS, WATER_WIDTH - VALUES
    x = scale(0, 1.12 * max(turn.first_audible_ms for turn in turns), left, right, 8)
    rows = []
    legend: dict[str, str] = {}
    for place, turn in enumerate(turns):
        spans = []
        before = 0.0
        for mark in turn.marks:
            begin, end = (min(max(value, 0.0), x.high) for value in (before, mark.at_ms))
            style = mark.name.removesuffix("_ms")
            if end > begin:
                title = f"{mark.title} at {number(mark.at_ms)} ms (+{number(mark.at_ms - before)} ms)"
                span = Span(x.at(begin), round(x.at(end) - x.at(begin), 1), style, title)
                spans.append(span)
                if span.width >= 1:  # a colour that no eye can find needs no entry
                    legend.setdefault(style, mark.title)
            before = max(before, mark.at_ms)
        early = any(mark.at_ms < 0 for mark in turn.marks)
        rows.append(
            WaterRow(place * ROW + 6, _turn_name(turn), f"{number(turn.first_audible_ms)} ms", tuple(spans), early)
        )
    bottom = len(turns) * ROW + 4
    # The legend has the usual order of a reply; a bar has the order in which the milestones came.
    usual = [metric.name.removesuffix("_ms") for metric, _ in milestones()]
    return Waterfall(
        rows=tuple(rows),
        ticks=x.marks(),
        legend=tuple((style, legend[style]) for style in usual if style in legend),
        width=WATER_WIDTH,
        height=bottom + 38,
        left=left,
        right=right,
        bottom=bottom,
    )


def _turn_name(turn: SlowTurn) -> str:
    fixture = turn.fixture if len(turn.fixture) <= 24 else f"{turn.fixture[:23]}…"
    return f"{fixture} · turn {turn.turn + 1}"


def _limit(values: Sequence[float]) -> tuple[float, int]:
    """An upper end that a few outliers cannot stretch, and how many values lie above it."""
    if not values:
        return 1.0, 0
    ordered = sorted(values)
    usual = ordered[int(0.99 * (len(ordered) - 1))]
    top = ordered[-1] if ordered[-1] <= 2.5 * usual else 1.5 * usual
    drawn_to = scale(0, max(top, 1.0), 0, 1, 5).high
    return max(top, 1.0), sum(value > drawn_to for value in values)


def _at_share(curve: Curve, share: float) -> float:
    wanted = share * curve.share[-1]
    return next(ms for ms, reached in zip(curve.ms, curve.share, strict=True) if reached >= wanted)


def path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)
