"""Telephony arithmetic against published tables of Erlang B, and its limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.erlang import calls_at_once, lines_for, refused_share


def test_littles_law() -> None:
    assert calls_at_once(480, 3) == 24
    assert calls_at_once(0, 3) == 0


@pytest.mark.parametrize(
    ("load", "lines", "share"),
    [(1, 1, 0.5), (1, 2, 0.2), (2, 2, 0.4), (0, 3, 0.0), (0, 0, 1.0), (10, 10, 0.2146), (100, 117, 0.0098)],
)
def test_the_share_of_calls_that_find_no_line(load: float, lines: int, share: float) -> None:
    assert refused_share(load, lines) == pytest.approx(share, abs=5e-5)


@pytest.mark.parametrize(
    ("load", "lines"), [(0.0, 0), (0.152, 2), (0.869, 4), (4.46, 10), (12.03, 20), (24, 35), (84.06, 100)]
)
def test_lines_of_the_usual_table_for_one_percent(load: float, lines: int) -> None:
    assert lines_for(load, 0.01) == lines


@given(st.floats(0.01, 300), st.sampled_from([0.001, 0.01, 0.1]))
def test_the_fewest_lines_that_keep_the_bound(load: float, bound: float) -> None:
    lines = lines_for(load, bound)
    assert refused_share(load, lines) <= bound < refused_share(load, lines - 1)
