"""The report's charts as pictures, for slides and pull requests: `bench report RUN --png`.

In: a `Summary`; out: PNG files. The HTML report draws its own (they follow the reader's theme); these are for places
that take only pictures. Trap: a chart without a point is not drawn, and no file of an earlier one is left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.findings import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADROOM, ABOVE = 1.1, 1.03
WIDTH_IN, HEIGHT_IN, DPI = 8.0, 4.2, 150


def write_figures(summary: Summary, folder: Path) -> list[Path]:
    """Draw what there is to draw into `folder`; the files written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    drawings: dict[str, Callable[[Summary, Axes], bool]] = {
        "latency-over-time.png": _over_time,
        "latency-distribution.png": _distribution,
        "latency-by-open-calls.png": _by_load,
        "cost-by-meter.png": _cost,
    }
    for name, draw in drawings.items():
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        path = folder / name
        if draw(summary, axes):
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            if axes.get_legend_handles_labels()[1]:
                # beneath, where it covers nothing
                figure.legend(fontsize=8, loc="outside lower center", ncols=4, frameon=False)
            figure.suptitle(f"{summary.run.scenario_name}: {summary.verdict.name}", fontsize=10, x=0.01, ha="left")
            figure.savefig(path, dpi=DPI)
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def _over_time(summary: Summary, axes: Axes) -> bool:
    chart = summary.charts.over_time
    if chart is None:
        return False
    axes.scatter(chart.at_s, chart.ms, s=9, alpha=0.5, label=f"turns (n={chart.n:,})")
    axes.plot(chart.median_at_s, chart.median_ms, linewidth=2, color="tab:orange", label="median")
    if chart.failed_at_s:
        axes.plot(
            chart.failed_at_s,
            [ABOVE] * len(chart.failed_at_s),
            "x",
            markersize=5,
            color="tab:red",
            # above the frame: a turn that failed has no latency
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            label=f"not answered ({chart.failed_n:,})",
        )
    axes.set(xlabel="seconds into the run", ylabel="ms", ylim=(0, HEADROOM * max(chart.ms)))
    axes.set_title(chart.title, pad=16)
    return True


def _distribution(summary: Summary, axes: Axes) -> bool:
    for curve in summary.charts.distribution:
        axes.plot(curve.ms, [100 * share for share in curve.share], label=f"{curve.title} (n={curve.n:,})")
    axes.set(xlabel="ms after the end of speech", ylabel="% of turns", ylim=(0, 101))
    axes.set_title("How many turns had what, by when")
    return bool(summary.charts.distribution)


def _by_load(summary: Summary, axes: Axes) -> bool:
    chart = summary.charts.by_load
    if chart is None or sum(each.p50 is not None for each in chart.bins) < 2:
        return False
    top = 0.0
    for label, style, points in (
        ("p50", "o-", [(each, each.p50, each.p50_interval) for each in chart.bins]),
        ("p95", "s--", [(each, each.p95, each.p95_interval) for each in chart.bins]),
    ):
        known = [((each.low + each.high) / 2, value, limits) for each, value, limits in points if value is not None]
        if not known:
            continue
        below = [value - limits.low if limits else 0.0 for _, value, limits in known]
        above = [limits.high - value if limits else 0.0 for _, value, limits in known]
        axes.errorbar(
            [x for x, *_ in known], [y for _, y, _ in known], yerr=(below, above), fmt=style, capsize=3, label=label
        )
        top = max(top, *(y + more for (_, y, _), more in zip(known, above, strict=True)))
    if not top:
        return False
    axes.set(xlabel="calls open", ylabel="ms", title=f"{chart.title} by calls open, with 95 % intervals")
    axes.set_ylim(0, HEADROOM * top)
    return True


def _cost(summary: Summary, axes: Axes) -> bool:
    meters = [(meter.title, meter.usd) for meter in summary.cost.meters if meter.usd]
    if not meters:
        return False
    axes.barh([title for title, _ in meters], [usd for _, usd in meters])
    label = "USD, example prices" if summary.cost.example_prices else "USD"
    axes.set(xlabel=label, title="Cost by meter")
    return True
