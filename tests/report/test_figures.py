"""Charts as pictures: what has points is drawn, what has none leaves no file."""

from __future__ import annotations

from pathlib import Path

from bench.report.figures import write_figures
from bench.report.summary import summarise
from tests.report.build import finished, rows


def test_charts_of_a_run_are_pictures(tmp_path: Path) -> None:
    written = write_figures(summarise(finished(tmp_path / "run", *rows())), tmp_path / "charts")
    names = {path.name for path in written}
    assert names == {
        "latency-over-time.png",
        "latency-distribution.png",
        "latency-by-open-calls.png",
        "cost-by-meter.png",
    }
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_run_without_rows_has_no_picture_and_keeps_none(tmp_path: Path) -> None:
    charts = tmp_path / "charts"
    charts.mkdir()
    (charts / "cost-by-meter.png").write_bytes(b"of an earlier run")
    assert write_figures(summarise(finished(tmp_path / "run", [], [])), charts) == []
    assert list(charts.iterdir()) == []
