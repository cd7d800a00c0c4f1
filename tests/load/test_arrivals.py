"""Arrival plans are pure: tables and properties, no clock."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.arrivals import Step, bounded, constant, poisson, ramp_offsets_s, schedule, sessions_of_caller


def test_ramp_spreads_callers_evenly_from_zero() -> None:
    assert ramp_offsets_s(4, 10.0) == [0.0, 2.5, 5.0, 7.5]
    assert ramp_offsets_s(3, 0.0) == [0.0, 0.0, 0.0]


@given(callers=st.integers(1, 20), sessions=st.integers(0, 200))
def test_callers_share_every_session_once(callers: int, sessions: int) -> None:
    played = [index for caller in range(callers) for index in sessions_of_caller(caller, callers, sessions)]
    assert sorted(played) == list(range(sessions))


def test_a_caller_without_a_session_bound_goes_on() -> None:
    assert list(islice(sessions_of_caller(2, 5, None), 3)) == [2, 7, 12]


def test_constant_has_equal_gaps() -> None:
    assert list(islice(constant(30), 4)) == [0.0, 2.0, 4.0, 6.0]


def test_poisson_is_seeded_and_has_the_asked_rate() -> None:
    first = bounded(poisson(600, seed=7), duration_s=600, sessions=None)
    again = bounded(poisson(600, seed=7), duration_s=600, sessions=None)
    other = bounded(poisson(600, seed=8), duration_s=600, sessions=None)
    assert first == again != other
    assert len(first) == pytest.approx(6000, rel=0.05)
    gaps = [b - a for a, b in pairwise(first)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.15), "exponential gaps: standard deviation equals the mean"


def test_schedule_changes_rate_without_losing_an_arrival() -> None:
    steps = [Step(0, 60), Step(2.5, 120), Step(4, 0)]
    assert list(schedule(steps)) == [0.0, 1.0, 2.0, 2.75, 3.25, 3.75]


@given(
    rates=st.lists(st.floats(1, 600), min_size=1, max_size=5),
    lengths=st.lists(st.floats(1, 60), min_size=5, max_size=5),
)
def test_schedule_counts_the_integral_of_its_rate(rates: list[float], lengths: list[float]) -> None:
    at_s, steps, expected = 0.0, [], 0.0
    for rate, length in zip(rates, lengths, strict=False):
        steps.append(Step(at_s, rate))
        expected += rate / 60 * length
        at_s += length
    arrivals = bounded(schedule(steps), duration_s=at_s, sessions=None)
    assert abs(len(arrivals) - expected) <= 1 + 1e-6
    assert arrivals == sorted(arrivals)


def test_bounds() -> None:
    assert bounded(constant(60), duration_s=3, sessions=None) == [0.0, 1.0, 2.0]
    assert bounded(constant(60), duration_s=30, sessions=2) == [0.0, 1.0]
    with pytest.raises(ValueError, match="duration or a number"):
        bounded(constant(60), duration_s=None, sessions=None)
