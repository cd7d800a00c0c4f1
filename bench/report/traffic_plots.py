"""The traffic of a run in the units of a view box: three panels over one time axis.

In: a `TrafficChart`. Out: `Plot`s of the same width and x axis, to be drawn beneath each other.
Trap: slices are steps, not points: a line between two of them would show calls that never were.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.findings_charts import TrafficChart
from bench.report.geometry import LEFT, RIGHT, SERIES, WIDTH, Line, Plot, Scale, scale
from bench.report.phrases import number

HEIGHT, TOP, BOTTOM = 170.0, 24.0, 40.0
GAP = 1.0
"""Between two bars."""
SECONDS = "seconds since the run began"


def traffic_plots(chart: TrafficChart | None) -> list[Plot]:
    """Open calls, turns a minute and, where there were any, errors by kind; nothing without a chart."""
    if chart is None:
        return []
    x = scale(0, max(chart.end_s, 1.0), LEFT, WIDTH - RIGHT)
    slices = f"slices of {number(chart.slice_s)} s"
    most = max(chart.open_calls)
    busiest = max(chart.turns_per_min)
    plots = [
        _panel(
            "Calls open at once",
            f"The most calls that were open at once in {slices}, those that never became ready too: at most "
            f"{most:,}, at {_when(chart, chart.open_calls)}.",
            "calls",
            x,
            chart,
            [("median", "calls open", chart.open_calls)],
        ),
        _panel(
            "Turns a minute",
            f"Turns that began, in {slices}, warm-up and failed ones too: at most {number(busiest, 1)} a minute, at "
            f"{_when(chart, chart.turns_per_min)}.",
            "turns a minute",
            x,
            chart,
            [("median", "turns a minute", chart.turns_per_min)],
        ),
    ]
    if chart.errors:
        named = [(f"series-{place % SERIES + 1}", each.name, each.counts) for place, each in enumerate(chart.errors)]
        said = "; ".join(
            f"{each.name}: {sum(each.counts):,}, most at {_when(chart, each.counts)}" for each in chart.errors
        )
        about = f"Errors by kind in {slices}: calls when they ended, turns when they began. {said}."
        plots.append(_bars("Errors by kind", about, "errors", x, chart, named))
    return plots


def _when(chart: TrafficChart, values: Sequence[float]) -> str:
    first = max(range(len(values)), key=lambda place: values[place]) * chart.slice_s
    return f"{number(first)} to {number(min(first + chart.slice_s, chart.end_s))} s"


Series = Sequence[tuple[str, str, Sequence[float]]]
"""The style of each, its name and its values by slice."""


def _panel(title: str, about: str, y_title: str, x: Scale, chart: TrafficChart, series: Series) -> Plot:
    y = scale(0, max(1.0, *(max(values) for *_, values in series)), HEIGHT - BOTTOM, TOP, 3)
    lines = tuple(Line(style, name, _steps(values, chart, x, y)) for style, name, values in series)
    return _plot(title, about, y_title, x, y, lines)


def _bars(title: str, about: str, y_title: str, x: Scale, chart: TrafficChart, series: Series) -> Plot:
    """Counts of several kinds, one on top of the other."""
    below = [0.0] * chart.slices
    stacked = []
    for _, _, values in series:
        stacked.append((below, [low + value for low, value in zip(below, values, strict=True)]))
        below = stacked[-1][1]
    y = scale(0, max(1.0, *below), HEIGHT - BOTTOM, TOP, 3)
    lines = []
    for (style, name, _), (low, high) in zip(series, stacked, strict=True):
        drawn = ""
        for place, (begin, end) in enumerate(zip(low, high, strict=True)):
            if end > begin:
                left, right = x.at(place * chart.slice_s), x.at(min((place + 1) * chart.slice_s, x.high))
                drawn += f"M{left} {y.at(begin)}V{y.at(end)}H{right - GAP:.1f}V{y.at(begin)}Z"
        lines.append(Line(style, name, drawn, "bars"))
    return _plot(title, about, y_title, x, y, tuple(lines))


def _plot(title: str, about: str, y_title: str, x: Scale, y: Scale, lines: tuple[Line, ...]) -> Plot:
    whole = tuple(tick for tick in y.ticks if tick == round(tick))
    return Plot(
        title=title,
        about=about,
        x_title=SECONDS,
        y_title=y_title,
        x_ticks=x.marks(),
        y_ticks=Scale(y.low, y.high, y.start, y.end, whole).marks(),
        lines=lines,
        height=HEIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
    )


def _steps(values: Sequence[float], chart: TrafficChart, x: Scale, y: Scale) -> str:
    drawn = f"M{x.at(0)} {y.at(values[0])}"
    for place, value in enumerate(values):
        until = min((place + 1) * chart.slice_s, max(chart.end_s, 1.0))
        drawn += f"V{y.at(value)}H{x.at(until)}"
    return drawn
