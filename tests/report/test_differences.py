"""Differences with intervals, on made-up values whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.report import differences as module
from bench.report.differences import P50, P95, RATIO, SHARE, Difference, Statistic, difference
from bench.report.stats import Codes, Floats
from bench.report.student import t_quantile

CALLS, TURNS = 24, 2


def sample(seed: int, shift: float = 0.0, *, calls: int = CALLS, common: Floats | None = None) -> tuple[Floats, Codes]:
    """Turns of calls that differ from one another; `common` is what calls of the same number share."""
    rng = np.random.default_rng(seed)
    middle = 700 + rng.normal(0, 20, calls) + (0 if common is None else common)
    return np.repeat(middle, TURNS) + rng.normal(0, 40, calls * TURNS) + shift, np.repeat(np.arange(calls), TURNS)


def between(seed: int, shift: float, statistic: Statistic = P50, **options: bool) -> Difference:
    return difference(*sample(seed), *sample(seed + 1000, shift), statistic, **options)


def test_the_value_is_that_of_the_rows_and_the_limits_hold_the_truth() -> None:
    (a, calls_a), (b, calls_b) = sample(1), sample(2, 60)
    found = difference(a, calls_a, b, calls_b)
    assert found.value == pytest.approx(np.median(b) - np.median(a))
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 60 < found.high
    assert (found.judged("higher"), found.judged("lower")) == ("worse", "better")
    assert (found.sessions, found.level) == (CALLS, 0.95)


def test_what_is_detectable_is_told_with_every_interval() -> None:
    found = between(3, 0)
    assert found.low is not None
    assert found.high is not None
    assert found.detectable == pytest.approx((found.high - found.low) / 2 * (1.959964 + 0.841621) / 1.959964, rel=1e-5)
    assert found.judged("higher") == "cannot tell"


def test_both_are_the_same_only_where_the_whole_interval_does_not_matter() -> None:
    found = between(3, 0)
    assert found.judged("higher", same_within=100) == "same"
    assert found.judged("higher", same_within=10) == "cannot tell"
    assert between(3, 400).judged("higher", same_within=100) == "worse"


def test_the_same_seed_gives_the_same_limits_and_swapping_turns_them() -> None:
    assert between(4, 10) == between(4, 10)
    there = difference(*sample(4), *sample(5, 60))
    back = difference(*sample(5, 60), *sample(4))
    assert back.value == pytest.approx(-(there.value or 0))
    assert back.judged("higher") == "better"


def test_what_calls_side_by_side_have_in_common_cancels_when_they_are_paired() -> None:
    drift = np.random.default_rng(9).normal(0, 150, CALLS)
    sides = (*sample(1, common=drift), *sample(2, 40, common=drift))
    alone, together = difference(*sides), difference(*sides, paired=True)
    assert alone.judged("higher") == "cannot tell"
    assert (together.detectable or 0) < 0.75 * (alone.detectable or 0)


def test_a_higher_level_is_wider() -> None:
    one, all_of_six = (difference(*sample(1), *sample(2), level=level) for level in (0.95, 1 - 0.05 / 6))
    assert (all_of_six.high or 0) - (all_of_six.low or 0) > 1.1 * ((one.high or 0) - (one.low or 0))


@pytest.mark.parametrize("calls, statistic", [(1, P50), (9, P95)])
def test_too_few_turns_have_no_value(calls: int, statistic: Statistic) -> None:
    found = difference(*sample(1, calls=calls), *sample(2), statistic)
    assert (found.a, found.value, found.low, found.detectable) == (None, None, None, None)
    assert found.judged("higher") == "cannot tell"


def test_too_few_calls_have_no_limits() -> None:
    found = difference(*sample(1, calls=4), *sample(2))
    assert found.value is not None
    assert (found.low, found.sessions, found.judged("higher")) == (None, 4, "cannot tell")


def test_turns_without_an_answer_are_never() -> None:
    (a, calls), (b, _) = sample(1), sample(1)
    dead = np.where(np.arange(len(b)) % 3 > 0, np.inf, b)
    found = difference(a, calls, dead, calls)
    assert (found.value, found.low, found.high, found.detectable) == (math.inf, math.inf, math.inf, None)
    assert found.judged("higher") == "worse"
    both = difference(dead, calls, dead, calls)
    assert (both.value, both.judged("higher")) == (0.0, "cannot tell")


def pairs(tops: Floats, bottoms: Floats) -> Floats:
    return np.column_stack([tops, bottoms]).astype(np.float64)


def test_a_ratio_is_of_sums_and_resamples_calls() -> None:
    rng = np.random.default_rng(1)
    words = rng.integers(5, 15, CALLS * TURNS).astype(np.float64)
    calls = np.repeat(np.arange(CALLS), TURNS)
    a, b = (pairs(rng.binomial(words.astype(int), rate), words) for rate in (0.05, 0.25))
    found = difference(a, calls, b, calls, RATIO)
    assert found.value == pytest.approx(b[:, 0].sum() / words.sum() - a[:, 0].sum() / words.sum())
    assert found.judged("higher") == "worse"
    assert difference(a, calls, a[::-1], calls, RATIO).judged("higher") == "cannot tell"


def test_shares_without_an_event_still_have_a_width() -> None:
    calls = np.repeat(np.arange(CALLS), TURNS)
    none = pairs(np.zeros(48), np.ones(48))
    found = difference(none, calls, none, calls, SHARE)
    assert (found.value, found.judged("higher")) == (0.0, "cannot tell")
    assert found.high == pytest.approx(-(found.low or 0))
    assert 0.05 < (found.high or 0) < 0.1
    # Newcombe (1998), table II (a): 56/70 and 48/80, method 10: 0.0524 to 0.3339.
    first, second = (pairs(np.arange(n) < events, np.ones(n)) for events, n in ((48, 80), (56, 70)))
    known = difference(first, np.arange(80), second, np.arange(70), SHARE)
    assert (known.low, known.high) == (pytest.approx(0.0524, abs=2e-4), pytest.approx(0.3339, abs=2e-4))


def test_calls_that_fail_as_a_whole_count_once() -> None:
    rows = np.repeat(np.arange(40) < 10, 4).astype(np.float64)
    whole, scattered = np.repeat(np.arange(40), 4), np.tile(np.arange(40), 4)
    spreads = [
        (found.high or 0) - (found.low or 0)
        for calls in (whole, scattered)
        for found in [difference(pairs(rows, np.ones(160)), calls, pairs(rows, np.ones(160)), calls, SHARE)]
    ]
    assert spreads[0] > 1.5 * spreads[1]


def test_large_samples_agree_with_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    for statistic, paired in ((P50, False), (P50, True), (P95, False)):
        sides = (*sample(1, calls=300), *sample(2, 5, calls=300))
        small = difference(*sides, statistic, paired=paired)
        with monkeypatch.context() as patch:
            patch.setattr(module, "BOOTSTRAP_VALUES", 10)
            large = difference(*sides, statistic, paired=paired)
        assert small.value == large.value
        widths = [(found.high or 0) - (found.low or 0) for found in (small, large)]
        assert widths[1] == pytest.approx(widths[0], rel=0.3)


@pytest.mark.parametrize(
    "share, freedom, known", [(0.975, 4, 2.7764), (0.975, 10, 2.2281), (0.9975, 9, 3.6897), (0.975, 1000, 1.9623)]
)
def test_students_t_is_that_of_the_tables(share: float, freedom: int, known: float) -> None:
    assert t_quantile(share, freedom) == pytest.approx(known, rel=0.01)


INF = math.inf
CLUSTERS = st.lists(st.floats(-1e4, 1e4) | st.just(INF), min_size=module.MIN_CLUSTERS, max_size=40)


@example(
    a=[0.0, 0.0, INF, INF, INF, 0.0, 0.0, INF, 0.0, 0.0, 0.0, INF, 0.0],
    b=[0.0, 0.0, 0.0, 0.0, INF, INF, 0.0, INF, 0.0, INF],
    each=2,
    paired=True,
    percent=95.0,
)
@settings(deadline=None, max_examples=25)
@given(
    a=CLUSTERS,
    b=CLUSTERS,
    each=st.integers(1, 3),
    paired=st.booleans(),
    percent=st.sampled_from([50.0, 95.0]),
)
def test_limits_are_in_order_whatever_comes(
    a: list[float], b: list[float], each: int, paired: bool, percent: float
) -> None:
    """Of calls of `each` turns, and enough calls for limits of a median."""
    left, right = np.repeat(a, each), np.repeat(b, each)
    found = difference(
        left,
        np.arange(len(left)) // each,
        right,
        np.arange(len(right)) // each,
        Statistic("percentile", percent),
        paired=paired,
    )
    if percent == 50:
        assert found.low is not None
    assert (found.low is None) == (found.high is None)
    if found.low is not None and found.high is not None:
        assert not math.isnan(found.low)
        assert not math.isnan(found.high)
        assert found.low <= found.high
        assert found.detectable is None or found.detectable >= 0


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True])
def test_equal_targets_are_told_apart_in_one_of_twenty_runs_at_most_and_the_power_is_as_stated(paired: bool) -> None:
    runs = range(0, 400)
    equal = [between(seed, 0, paired=paired) for seed in runs]
    alarms = sum(found.judged("higher") != "cannot tell" for found in equal)
    assert alarms <= 0.05 * len(equal) + 2 * math.sqrt(len(equal) * 0.05 * 0.95)
    shift = float(np.mean([found.detectable for found in equal if found.detectable is not None]))
    seen = sum(between(seed, shift, paired=paired).judged("higher") == "worse" for seed in runs)
    assert 0.7 <= seen / len(equal) <= 0.92
