"""Student's t against tables and against draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.student import MANY, detectable, power, t_cdf, t_quantile

TABLE = [
    (1, 0.975, 12.7062),
    (2, 0.95, 2.9200),
    (5, 0.99, 3.3649),
    (6, 0.99, 3.1427),
    (7, 0.975, 2.3646),
    (30, 0.995, 2.75),
]


@pytest.mark.parametrize(("freedom", "share", "value"), TABLE)
def test_quantiles_are_those_of_the_tables(freedom: int, share: float, value: float) -> None:
    assert t_quantile(share, freedom) == pytest.approx(value, abs=1e-4)
    assert t_quantile(1 - share, freedom) == pytest.approx(-value, abs=1e-4)


@given(st.integers(1, 60), st.floats(0.001, 0.999))
def test_a_quantile_is_the_inverse_of_the_distribution(freedom: int, share: float) -> None:
    assert float(t_cdf(np.array([t_quantile(share, freedom)]), freedom)[0]) == pytest.approx(share, abs=1e-9)


def test_the_expansion_joins_the_sum() -> None:
    assert t_quantile(0.999, MANY + 1) == pytest.approx(t_quantile(0.999, MANY), abs=1e-3)


def test_ends_of_the_distribution() -> None:
    assert list(t_cdf(np.array([-math.inf, 0.0, math.inf]), 6)) == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize("change", [0.0, 2.0, 4.0])
def test_power_is_that_of_draws(change: float) -> None:
    nights, rng = 7, np.random.default_rng(3)
    bound, least, error = t_quantile(0.99, nights - 1), 1.5, math.sqrt(1 + 1 / nights)
    old, new = rng.normal(0, 1, (60_000, nights)), rng.normal(change, 1, 60_000)
    seen = new - old.mean(axis=1)
    found = (seen > bound * error * old.std(axis=1, ddof=1)) & (seen > least)
    assert power(change, error, bound, least, nights - 1) == pytest.approx(found.mean(), abs=0.006)


def test_what_is_detectable_has_that_power_and_is_never_less_than_what_matters() -> None:
    found = detectable(1.0, 3.1, 0.0, 6, 0.8)
    assert power(found, 1.0, 3.1, 0.0, 6) == pytest.approx(0.8, abs=1e-6)
    assert detectable(1.0, 3.1, 20.0, 6, 0.8) > 20
    assert detectable(0.0, 3.1, 5.0, 6, 0.8) == 5.0
