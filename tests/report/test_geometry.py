"""Charts stay inside of their boxes, whatever the numbers."""

from __future__ import annotations

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from bench.report.findings_charts import Curve, LoadBin, LoadChart, Reached, SlowTurn, TimeChart
from bench.report.geometry import HEIGHT, WIDTH, by_load, distribution, over_time, scale, waterfall

MS = st.floats(-500, 60_000)


def coordinates(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


@given(low=st.floats(-1e5, 1e5), span=st.floats(0, 1e6), wanted=st.integers(2, 12))
def test_scale_covers_its_range_with_even_ticks(low: float, span: float, wanted: int) -> None:
    found = scale(low, low + span, 0, 100, wanted)
    slack = 1e-8 * (found.ticks[1] - found.ticks[0])
    assert found.low <= low + slack
    assert found.high >= low + span - slack
    assert 2 <= len(found.ticks) <= 2 * wanted + 4
    labels = [tick.label for tick in found.marks()]
    assert len(set(labels)) == len(labels)


@given(values=st.lists(MS.filter(lambda value: value >= 0), min_size=3, max_size=50))
def test_dots_and_medians_stay_inside(values: list[float]) -> None:
    times = [float(number) for number in range(len(values))]
    chart = TimeChart(
        metric="first_audible_ms", title="first audible", n=len(values), shown=len(values), at_s=times, ms=values,
        median_at_s=times, median_ms=values, failed_at_s=[0.0], failed_n=1, warmup_until_s=1.0, end_s=times[-1],
    )  # fmt: skip
    plot = over_time(chart)
    for line in plot.lines:
        for x, y in coordinates(line.path):
            assert plot.left <= x <= plot.right
            assert plot.top - 0.1 <= y <= plot.bottom
    above = [note for note in plot.notes if "drawn at the upper edge" in note]
    assert bool(above) == any(value > _top(plot.y_ticks[-1].label) for value in values)


def _top(label: str) -> float:
    return float(label.replace(",", ""))


@given(values=st.lists(MS, min_size=3, max_size=40))
def test_curves_rise_within_the_plot(values: list[float]) -> None:
    ordered = sorted(values)
    share = [(rank + 1) / (len(ordered) + 2) for rank in range(len(ordered))]
    plot = distribution([Curve(name="ttft_ms", title="TTFT", n=len(ordered), ms=ordered, share=share)])
    assert plot is not None
    points = coordinates(plot.lines[0].path)
    assert all(plot.left - 0.1 <= x <= plot.right + 0.1 for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert min(y for _, y in points) > plot.top


def test_early_milestones_do_not_run_out_to_the_left() -> None:
    marks = [
        Reached(name="ttft_ms", title="first text", at_ms=-40),
        Reached(name="first_audible_ms", title="a", at_ms=300),
    ]
    turn = SlowTurn(session_id="c", turn=0, fixture="f" * 60, open_sessions=None, first_audible_ms=300, marks=marks)
    found = waterfall([turn])
    assert found is not None
    (row,) = found.rows
    assert row.early
    assert [span.style for span in row.spans] == ["first_audible"]
    assert row.spans[0].x == found.left
    assert len(row.name) < 40
    assert waterfall([]) is None


def test_load_bins_without_enough_turns_are_not_drawn() -> None:
    bins = [
        LoadBin(low=1, high=1, n=2, p50=None, p95=None),
        LoadBin(low=2, high=3, n=30, p50=700, p95=None),
        LoadBin(low=4, high=5, n=30, p50=720, p95=None),
    ]
    plot = by_load(LoadChart(metric="ttft_ms", title="TTFT", bins=bins))
    assert plot is not None
    assert [tick.label for tick in plot.x_ticks] == ["2-3", "4-5"]
    assert [line.style for line in plot.lines] == ["median"]
    assert by_load(LoadChart(metric="ttft_ms", title="TTFT", bins=bins[:2])) is None  # one dot is no chart
    assert math.isclose(plot.width, WIDTH)
    assert math.isclose(plot.height, HEIGHT)
