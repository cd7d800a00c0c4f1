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

HEADROOM = 1.1
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
            [0.0] * len(chart.failed_at_s),
            "x",
            color="tab:red",
            label=f"failed ({chart.failed_n:,})",
        )
    axes.set(xlabel="seconds into the run", ylabel="ms", title=chart.title, ylim=(0, HEADROOM * max(chart.ms)))
    axes.legend(fontsize=8, loc="lower right")
    return True


def _distribution(summary: Summary, axes: Axes) -> bool:
    for curve in summary.charts.distribution:
        axes.plot(curve.ms, [100 * share for share in curve.share], label=f"{curve.title} (n={curve.n:,})")
    axes.set(xlabel="ms after the end of speech", ylabel="% of turns", title="Answered within", ylim=(0, 101))
    if summary.charts.distribution:
        axes.legend(fontsize=8, loc="lower right")
    return bool(summary.charts.distribution)


def _by_load(summary: Summary, axes: Axes) -> bool:
    chart = summary.charts.by_load
    if chart is None:
        return False
    medians = [((each.low + each.high) / 2, each.p50) for each in chart.bins if each.p50 is not None]
    upper = [((each.low + each.high) / 2, each.p95) for each in chart.bins if each.p95 is not None]
    if not medians:
        return False
    axes.plot([x for x, _ in medians], [y for _, y in medians], "o-", label="p50")
    if upper:
        axes.plot([x for x, _ in upper], [y for _, y in upper], "s--", label="p95")
    axes.set(xlabel="calls open", ylabel="ms", title=f"{chart.title} by calls open")
    axes.set_ylim(0, HEADROOM * max(y for _, y in [*medians, *upper]))
    axes.legend(fontsize=8)
    return True


def _cost(summary: Summary, axes: Axes) -> bool:
    meters = [(meter.title, meter.usd) for meter in summary.cost.meters if meter.usd]
    if not meters:
        return False
    axes.barh([title for title, _ in meters], [usd for _, usd in meters])
    label = "USD, example prices" if summary.cost.example_prices else "USD"
    axes.set(xlabel=label, title="Cost by meter")
    return True
