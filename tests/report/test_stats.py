"""Percentiles and intervals against numpy, against known truth, and where they must stay silent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report import stats
from bench.report.stats import percentile, percentiles, pooled, pooled_errors, supported, wilson

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(values=VALUES, percent=st.floats(0, 100))
def test_percentile_is_numpys(values: list[float], percent: float) -> None:
    ordered = np.sort(np.array(values))
    assert percentile(ordered, percent) == pytest.approx(float(np.percentile(ordered, percent)), rel=1e-9, abs=1e-6)


@given(values=VALUES, lost=st.integers(0, 20), percent=st.sampled_from([50.0, 90.0, 95.0, 99.0]))
def test_infinities_are_never_nan_and_only_raise(values: list[float], lost: int, percent: float) -> None:
    plain = np.sort(np.array(values))
    ordered = np.concatenate([plain, np.full(lost, np.inf)])
    found = percentile(ordered, percent)
    assert not math.isnan(found)
    assert found >= percentile(plain, percent) - 1e-6
    reaches = math.ceil((len(ordered) - 1) * percent / 100 - 1e-9)
    assert math.isinf(found) == (reaches >= len(plain))


@pytest.mark.parametrize(
    "n, percent, enough",
    [(2, 50, False), (3, 50, True), (9, 90, False), (10, 90, True), (19, 95, False), (20, 95, True), (99, 99, False),
     (100, 99, True), (19, 5, False), (20, 5, True), (0, 50, False)],
)  # fmt: skip
def test_what_a_sample_supports(n: int, percent: float, enough: bool) -> None:
    assert supported(n, percent) is enough
    found = percentiles(np.arange(n, dtype=float), np.arange(n), [percent]).estimates[0].value
    assert (found is not None) is enough


def test_few_calls_give_a_number_and_no_interval() -> None:
    found = percentiles(np.arange(40, dtype=float), np.repeat(np.arange(4), 10), [50.0])
    assert found.estimates[0].value == 19.5
    assert (found.estimates[0].limits, found.method) == (None, None)


def clustered(rng: np.random.Generator, calls: int, turns: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Turns that share most of their variation with the other turns of their call; the true median is 0."""
    shared = rng.normal(0, spread, calls)
    return np.repeat(shared, turns) + rng.normal(0, 1, calls * turns), np.repeat(np.arange(calls), turns)


def test_both_intervals_cover_the_truth_where_naive_ones_would_not() -> None:
    rng = np.random.default_rng(3)
    inside = {"bootstrap": 0, "woodruff": 0}
    rounds = 120
    for _ in range(rounds):
        values, calls = clustered(rng, 40, 8, 2.0)
        order = np.argsort(values)
        ordered, codes = values[order], calls[order]
        limits = stats._woodruff(ordered, codes, {50.0: percentile(ordered, 50.0)})[50.0]
        inside["woodruff"] += limits[0] <= 0 <= limits[1]
        low, high = percentiles(values, calls, [50.0]).estimates[0].limits or (1.0, -1.0)
        inside["bootstrap"] += low <= 0 <= high
    assert 0.88 * rounds <= inside["bootstrap"] <= rounds
    assert 0.88 * rounds <= inside["woodruff"] <= rounds


def test_large_samples_change_method_and_hardly_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    values, calls = clustered(np.random.default_rng(5), 300, 10, 1.0)
    small = percentiles(values, calls, [50.0, 95.0])
    monkeypatch.setattr(stats, "BOOTSTRAP_VALUES", 100)
    large = percentiles(values, calls, [50.0, 95.0])
    assert small.method == "bootstrap over calls"
    assert large.method == "clustered by call (Woodruff)"
    for one, other in zip(small.estimates, large.estimates, strict=True):
        assert one.value == other.value
        assert one.limits is not None
        assert other.limits is not None
        width = one.limits[1] - one.limits[0]
        assert other.limits[0] == pytest.approx(one.limits[0], abs=0.3 * width)
        assert other.limits[1] == pytest.approx(one.limits[1], abs=0.3 * width)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(0, 1e4), min_size=20, max_size=60), lost=st.integers(0, 10), calls=st.integers(5, 15))
def test_intervals_are_ordered_finite_or_infinite_and_repeatable(values: list[float], lost: int, calls: int) -> None:
    sample = np.array([*values, *[np.inf] * lost])
    codes = np.arange(len(sample)) % calls
    first = percentiles(sample, codes, [50.0, 90.0, 95.0])
    assert first == percentiles(sample, codes, [50.0, 90.0, 95.0])
    for estimate in first.estimates:
        assert estimate.limits is not None
        low, high = estimate.limits
        assert not math.isnan(low)
        assert low <= high


@given(n=st.integers(1, 2000), data=st.data())
def test_wilson_holds_its_share(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n))
    found = wilson(events, n)
    assert found.limits is not None
    low, high = found.limits
    assert 0 <= low <= events / n <= high <= 1
    assert high > low


def test_wilson_known_value_and_empty() -> None:
    """81 of 263: the worked example of Newcombe, Statistics in Medicine 17 (1998), method 3."""
    low, high = wilson(81, 263).limits or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0).value is None


def test_pooled_is_total_over_total_not_a_mean_of_rates() -> None:
    errors, words = np.array([1.0, 0.0]), np.array([1.0, 99.0])
    estimate, method = pooled(errors, words, np.array([0, 1]))
    assert (estimate.value, estimate.limits, method) == (0.01, None, None)
    assert pooled(np.array([]), np.array([]), np.array([], dtype=int))[0].value is None
    assert pooled(np.array([1.0]), np.array([0.0]), np.array([0]))[0].value is None


def test_no_error_in_few_words_says_little() -> None:
    calls, none = np.arange(20), np.zeros(20)
    few, many = (pooled_errors(none, np.full(20, words), calls)[0] for words in (2.5, 2_500.0))
    assert (few.value, many.value) == (0.0, 0.0)
    assert few.limits is not None
    assert many.limits is not None
    assert few.limits == pytest.approx((0.0, 0.0714), abs=0.001)
    assert many.limits == pytest.approx((0.0, 7.7e-5), abs=1e-6)
    errors = np.eye(20)[0]
    assert pooled_errors(errors, np.full(20, 9.0), calls) == pooled(errors, np.full(20, 9.0), calls)


def test_pooled_methods_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    words = rng.integers(3, 12, 800).astype(float)
    errors = rng.binomial(words.astype(int), 0.1).astype(float)
    calls = np.repeat(np.arange(200), 4)
    small, _ = pooled(errors, words, calls)
    monkeypatch.setattr(stats, "BOOTSTRAP_CLUSTERS", 10)
    large, method = pooled(errors, words, calls)
    assert method == "clustered by call (delta)"
    assert large.value == small.value
    assert large.limits == pytest.approx(small.limits, rel=0.06)


@pytest.mark.parametrize("count", [stats.KEPT_CLUSTERS, stats.KEPT_CLUSTERS + 1])
def test_draws_that_are_kept_are_those_that_were_drawn(count: int) -> None:
    calls = np.repeat(np.arange(count), 2)
    values = np.random.default_rng(5).normal(800, 100, len(calls))
    asked = (
        lambda: percentiles(values, calls, [50.0, 95.0]),
        lambda: pooled(values, np.ones(len(values)), calls),
    )
    for ask in asked:
        stats._kept_draws.cache_clear()
        stats._kept_weights.cache_clear()
        first = ask()
        assert ask() == first
        assert ask() == first
    found = np.random.default_rng(stats._SEED).integers(0, count, size=(stats.RESAMPLES, count))
    sums = np.bincount(calls, weights=values)
    ratios = np.sort(sums[found].sum(axis=1) / (2 * count))
    assert pooled(values, np.ones(len(values)), calls)[0].limits == pytest.approx(
        (percentile(ratios, 2.5), percentile(ratios, 97.5))
    )
    for kept in (stats._kept_draws(count), stats._kept_weights(count)):
        with pytest.raises(ValueError, match="read-only"):
            kept[0, 0] = 1
