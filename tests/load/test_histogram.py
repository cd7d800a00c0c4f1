"""Bucketed durations agree with exact percentiles to a percent, merge, and travel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.histogram import Histogram


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.add(values)
    return histogram


@given(st.lists(st.integers(0, 60_000_000), min_size=1, max_size=300), st.sampled_from([50, 95, 99]))
def test_percentiles_are_within_a_percent_of_the_exact_ones(values: list[int], percent: int) -> None:
    exact_us = float(np.percentile(values, percent, method="inverted_cdf"))
    found_us = (filled(values).percentile_ms(percent) or 0.0) * 1000
    assert found_us == pytest.approx(exact_us, rel=0.011, abs=1.1)


@given(st.lists(st.integers(0, 10**7), max_size=50), st.lists(st.integers(0, 10**7), max_size=50))
def test_merging_is_counting_together(one: list[int], other: list[int]) -> None:
    merged = filled(one)
    merged.merge(filled(other))
    assert merged.spread() == filled(one + other).spread()


@given(st.lists(st.integers(0, 10**7), max_size=50))
def test_it_survives_the_wire(values: list[int]) -> None:
    histogram = filled(values)
    assert Histogram.from_wire(histogram.to_wire()).spread() == histogram.spread()


def test_nothing_measured_is_none_not_zero() -> None:
    empty = Histogram()
    assert empty.spread().model_dump() == {"n": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None}
    assert empty.share_over(10) is None


def test_share_over_a_bound() -> None:
    assert filled([1_000] * 90 + [50_000] * 10).share_over(40) == pytest.approx(0.1)
    assert filled([1_000] * 90).share_over(40) == 0
