"""docs/export.md names every series and every bucket."""

from __future__ import annotations

from bench.measure.metrics import METRICS
from tests.export.page import PAGE, SETS, metric_row, most_series, renewed


def test_the_tables_of_the_page_are_those_of_the_declarations() -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page, "write them anew: python -m tests.export.page"


def test_every_histogram_has_named_buckets() -> None:
    named = {name for name in SETS for metric in METRICS.values() if metric_row(metric).endswith(f"| {name} |")}
    assert named == {*SETS}
    assert most_series() < 2_000
