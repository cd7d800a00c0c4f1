"""A run over time: few slices whatever its length, each turn in the one in which it began."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.live.slices import MOST_SLICES, WIDTHS_S, slices, width_of
from bench.report.view import view_of
from tests.report import build


@given(st.floats(0, WIDTHS_S[-1] * MOST_SLICES), st.integers(0, 10_000))
def test_there_are_never_too_many_slices(elapsed_s: float, turns: int) -> None:
    width = width_of(elapsed_s, turns)
    assert width in WIDTHS_S
    assert elapsed_s <= width * MOST_SLICES


@pytest.mark.parametrize(
    ("elapsed_s", "turns", "width"),
    [(0, 0, 1), (30, 0, 1), (36, 40, 10), (60, 600, 1), (600, 6000, 10), (3600, 100_000, 60), (86_400, 10**6, 1800)],
)
def test_slices_have_a_length_that_reads_well(elapsed_s: float, turns: int, width: int) -> None:
    assert width_of(elapsed_s, turns) == width


def test_every_turn_is_in_one_slice(tmp_path: Path) -> None:
    turns, sessions = build.rows(60)
    view = view_of(build.finished(tmp_path / "run", turns, sessions))
    found = slices(view, 130.0)
    count = len(found["turns_per_min"])
    width = found["width_s"]
    assert count == -(-130 // width)
    assert sum(found["errors"]) == int((view.measured & ~view.answered).sum())
    per_slice = [rate * width / 60 for rate in found["turns_per_min"] if rate is not None]
    assert sum(per_slice) == pytest.approx(len(turns), rel=0.05)
    begun = view.turn["started_at"] - view.origin_s
    third = view.answered & (begun >= 2 * width) & (begun < 3 * width)
    assert found["headline_p50"][2] == pytest.approx(np.median(view.turn["first_audible_ms"][third]), abs=0.06)
    assert max(found["open"]) == pytest.approx(21, abs=10)
    assert found["talking"] == [None] * count


def test_a_p95_is_over_twenty_turns_at_least(tmp_path: Path) -> None:
    turns, sessions = build.rows(12, 3, fails=0.0, warm=0)
    view = view_of(build.finished(tmp_path / "run", turns, sessions))
    found = slices(view, 36.0)
    known = [value for value in found["headline_p95"] if value is not None]
    assert found["headline_p95"][0] is None
    assert known
    assert max(known) <= max(row.first_audible_ms or 0 for row in turns)


def test_open_calls_are_those_that_were_seen(tmp_path: Path) -> None:
    view = view_of(build.finished(tmp_path / "run", *build.rows(4)))
    found = slices(view, 4.0, [(0.1, 1, 0), (0.9, 3, 2), (2.2, 2, 1), (9.0, 7, 7)])
    assert found["width_s"] == 1
    assert found["open"] == [3, None, 2, 7]
    assert found["talking"] == [2, None, 1, 7]
