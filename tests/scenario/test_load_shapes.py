"""Load shapes are pure: tables and properties, no clock. The shares of all workers are the whole run."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scenario.load_shapes import (
    ClosedPool,
    Constant,
    Poisson,
    Schedule,
    admission_s,
    is_warmup,
    sessions_of_caller,
    shape_of,
    total_sessions,
)
from bench.scenario.model import LoadConfig


def load(**values: Any) -> LoadConfig:
    return LoadConfig.model_validate(values)


def test_ramp_spreads_callers_evenly_from_zero() -> None:
    assert ClosedPool(4, 10.0).offsets_s(1) == [0.0, 2.5, 5.0, 7.5]
    assert ClosedPool(3).offsets_s(1) == [0.0, 0.0, 0.0]


@given(callers=st.integers(1, 20), sessions=st.integers(1, 200))
def test_callers_share_every_session_once(callers: int, sessions: int) -> None:
    asked = load(callers=callers, sessions=sessions)
    played = [index for caller in range(callers) for index in sessions_of_caller(caller, asked)]
    assert sorted(played) == list(range(sessions))


def test_a_caller_without_a_session_bound_goes_on() -> None:
    assert list(islice(sessions_of_caller(2, load(callers=5, duration="9s")), 3)) == [2, 7, 12]


def test_constant_has_equal_gaps() -> None:
    assert Constant(rate_per_min=30, sessions=4).offsets_s(1) == [0.0, 2.0, 4.0, 6.0]


def test_poisson_is_seeded_and_has_the_asked_rate() -> None:
    shape = Poisson(rate_per_min=600, duration_s=600)
    first = shape.offsets_s(7)
    assert first == shape.offsets_s(7) != shape.offsets_s(8)
    assert len(first) == pytest.approx(6000, rel=0.05)
    gaps = [b - a for a, b in pairwise(first)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.15), "exponential gaps: standard deviation equals the mean"


def test_schedule_changes_rate_without_losing_an_arrival() -> None:
    steps = ((0.0, 60.0), (2.5, 120.0), (4.0, 0.0))
    assert Schedule(steps=steps, sessions=99).offsets_s(1) == [0.0, 1.0, 2.0, 2.75, 3.25, 3.75]


@given(
    rates=st.lists(st.floats(1, 600), min_size=1, max_size=5),
    lengths=st.lists(st.floats(1, 60), min_size=5, max_size=5),
)
def test_schedule_counts_the_integral_of_its_rate(rates: list[float], lengths: list[float]) -> None:
    at_s, steps, expected = 0.0, [], 0.0
    for rate, length in zip(rates, lengths, strict=False):
        steps.append((at_s, rate))
        expected += rate / 60 * length
        at_s += length
    arrivals = Schedule(steps=tuple(steps), duration_s=at_s).offsets_s(1)
    assert abs(len(arrivals) - expected) <= 1 + 1e-6
    assert arrivals == sorted(arrivals)


def test_bounds() -> None:
    assert Constant(rate_per_min=60, duration_s=3).offsets_s(1) == [0.0, 1.0, 2.0]
    assert Constant(rate_per_min=60, duration_s=30, sessions=2).offsets_s(1) == [0.0, 1.0]
    with pytest.raises(ValueError, match="duration or a number"):
        Constant(rate_per_min=60).offsets_s(1)


@given(callers=st.integers(1, 60), workers=st.integers(1, 9))
def test_callers_of_all_workers_are_the_pool(callers: int, workers: int) -> None:
    shape = shape_of(load(callers=callers, ramp="10s"))
    shares = [shape.share(1, worker=worker, workers=workers) for worker in range(workers)]
    assert sorted(caller for share in shares for caller in share.callers) == list(range(callers))
    whole = shape.share(1, worker=0, workers=1)
    offsets = {c: o for share in shares for c, o in zip(share.callers, share.offsets_s, strict=True)}
    assert offsets == dict(zip(whole.callers, whole.offsets_s, strict=True))


@given(workers=st.integers(1, 6), arrival=st.sampled_from(["constant", "poisson"]), seed=st.integers(0, 99))
def test_arrivals_and_caps_of_all_workers_are_the_plan(workers: int, arrival: str, seed: int) -> None:
    shape = shape_of(load(arrival=arrival, rate="120/min", duration="30s", max_open=7))
    whole = shape.share(seed, worker=0, workers=1)
    parts = [shape.share(seed, worker=worker, workers=workers) for worker in range(workers)]
    together = sorted((i, o) for part in parts for i, o in zip(part.indices, part.offsets_s, strict=True))
    assert together == list(zip(whole.indices, whole.offsets_s, strict=True))
    assert sum(part.max_open or 0 for part in parts) == 7


@pytest.mark.parametrize(
    ("values", "shape", "most_open"),
    [
        ({"callers": 3, "ramp": "6s"}, ClosedPool(3, 6.0), 3),
        (
            {"arrival": "constant", "rate": "1/s", "sessions": 5, "warmup": 2},
            Constant(rate_per_min=60, sessions=7),
            None,
        ),
        (
            {"arrival": "poisson", "rate": "30/min", "duration": "5m", "warmup": "1m", "max_open": 50},
            Poisson(rate_per_min=30, duration_s=360, max_open=50),
            50,
        ),
        (
            {"arrival": "schedule", "duration": "4s", "schedule": [{"at": "0s", "rate": "60/min"}]},
            Schedule(steps=((0.0, 60.0),), duration_s=4),
            None,
        ),
    ],
)
def test_the_load_block_names_a_shape(values: dict[str, Any], shape: object, most_open: int | None) -> None:
    found = shape_of(load(**values))
    assert found == shape
    assert (found.most_open(), found.is_open) == (most_open, "arrival" in values)


def test_warmup_comes_on_top() -> None:
    counted = load(callers=2, sessions=10, warmup=3)
    assert total_sessions(counted) == 13
    assert [is_warmup(counted, index, 0) for index in (0, 2, 3)] == [True, True, False]
    timed = load(callers=2, duration="60s", warmup="30s")
    assert admission_s(timed) == 90
    assert [is_warmup(timed, 5, offset) for offset in (0, 29.9, 30)] == [True, True, False]
