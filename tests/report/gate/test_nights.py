"""The statistics of the gate, on nights that are drawn from a model whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.gate.nights import Judged, Night, false_alarms, holm, judge

ALPHA = 0.05
REPEATS = 2000


def window(values: list[float], error: float = 0.0) -> list[Night]:
    return [Night(value, error) for value in values]


USUAL = window([700, 704, 696, 702, 698, 701, 699])


def judged(*args: object, **kwargs: object) -> Judged:
    found = judge(*args, **kwargs)  # type: ignore[arg-type]
    assert found is not None
    return found


def alarms(found: Judged, alpha: float = ALPHA) -> bool:
    return found.p_worse <= alpha and found.moved >= found.least


def test_the_change_is_judged_by_what_nights_differ_by() -> None:
    calm, restless = (
        judged(USUAL, Night(720), "higher", 10.0),
        judged(window([650, 750, 700, 640, 760, 690, 710]), Night(720), "higher", 10.0),
    )
    assert calm.change == pytest.approx(20)
    assert alarms(calm)
    assert not alarms(restless)
    assert restless.seen(ALPHA, 0.8) > 100 > calm.seen(ALPHA, 0.8)


def test_a_change_that_does_not_matter_is_no_alarm_however_sure() -> None:
    found = judged(USUAL, Night(720), "higher", 40.0)
    assert found.p_worse < 0.001
    assert not alarms(found)
    assert found.ruled_out(ALPHA)
    assert found.bound(ALPHA) == 740
    assert found.seen(ALPHA, 0.8) > 40


def test_lower_is_worse_where_the_metric_says_so() -> None:
    assert alarms(judged(USUAL, Night(650), "lower", 10.0))
    better = judged(USUAL, Night(650), "higher", 10.0)
    assert better.p_better < 0.001
    assert better.change == pytest.approx(-50)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_two_nights_are_too_few(count: int) -> None:
    assert judge(USUAL[:count], Night(900), "higher", 10.0) is None


def test_never_is_worse_than_any_time_unless_it_was_so_before() -> None:
    assert alarms(judged(USUAL, Night(math.inf), "higher", 10.0))
    counted = [replace(night, events=0.0, rows=20.0) for night in USUAL]
    one, many = (Night(math.inf, events=lost, rows=20.0) for lost in (1.0, 8.0))
    assert not alarms(judged(counted, one, "higher", 10.0))
    assert alarms(judged(counted, many, "higher", 10.0))
    assert judge([*USUAL, Night(math.inf)], Night(math.inf), "higher", 10.0) is None
    assert judged([*USUAL, Night(math.inf)], Night(720), "higher", 10.0).nights == 7


def test_a_night_of_fewer_calls_has_to_differ_by_more() -> None:
    rng = np.random.default_rng(1)
    nights = window(list(rng.normal(700, 10, 7)), error=10.0)
    usual, small = (judged(nights, Night(740, error), "higher", 10.0) for error in (10.0, 30.0))
    assert small.error > 1.5 * usual.error
    # A window whose spread is not due to calls does not care.
    far = window(list(rng.normal(700, 200, 7)), error=10.0)
    wide, wide_small = (judged(far, Night(740, error), "higher", 10.0) for error in (10.0, 30.0))
    assert wide_small.error < 1.1 * wide.error


def test_a_drift_within_the_window_is_told() -> None:
    climbing = judged(window([700, 705, 712, 719, 724, 731, 738]), Night(740), "higher", 10.0)
    assert climbing.drift == pytest.approx(6.4, abs=0.5)
    assert judged(USUAL, Night(700), "higher", 10.0).drift is None


def share(events: int, rows: int = 100) -> Night:
    return Night(events / rows, events=events, rows=rows)


def test_one_failure_after_nights_without_any_is_no_alarm() -> None:
    clean = [share(0) for _ in range(7)]
    assert not alarms(judged(clean, share(1), "higher", 0.01, "share"))
    assert alarms(judged(clean, share(12), "higher", 0.01, "share"))
    bound = judged(clean, share(0), "higher", 0.01, "share").bound(ALPHA)
    assert 0.01 < bound < 0.1


def test_a_share_that_falls_is_judged_from_its_other_end() -> None:
    sound = [Night(1.0, events=0, rows=100) for _ in range(7)]
    assert not alarms(judged(sound, Night(0.99, events=1, rows=100), "lower", 0.01, "share"))
    fell = judged(sound, Night(0.8, events=20, rows=100), "lower", 0.01, "share")
    assert alarms(fell)
    assert 0.8 < fell.bound(ALPHA) < 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_never_below_the_plain_probability_nor_above_bonferronis(found: list[float]) -> None:
    adjusted = holm(found)
    for plain, each in zip(found, adjusted, strict=True):
        assert (
            plain <= each <= min(1.0, len(found) * plain)
            or math.isclose(each, min(1.0, len(found) * plain))
            or each >= plain
        )
    order = sorted(range(len(found)), key=lambda place: found[place])
    assert [adjusted[place] for place in order] == sorted(adjusted)
    assert adjusted[order[0]] == pytest.approx(min(1.0, len(found) * found[order[0]]))


def rate_of_alarms(draw: Callable[[np.random.Generator], Judged], repeats: int = REPEATS) -> float:
    rng = np.random.default_rng(11)
    return float(np.mean([alarms(draw(rng)) for _ in range(repeats)]))


@pytest.mark.parametrize("nights", [3, 7, 14])
@pytest.mark.parametrize(("between", "within"), [(0.0, 8.0), (12.0, 8.0)])
def test_false_alarms_are_as_many_as_stated_whatever_nights_differ_by(
    nights: int, between: float, within: float
) -> None:
    def draw(rng: np.random.Generator) -> Judged:
        values = 700 + rng.normal(0, between, nights + 1) + rng.normal(0, within, nights + 1)
        return judged(window(list(values[1:]), within), Night(values[0], within), "higher", 0.0)

    assert rate_of_alarms(draw) == pytest.approx(ALPHA, abs=0.012)


@pytest.mark.parametrize(("nights", "share_failing"), [(7, 0.0), (7, 0.01), (7, 0.08), (14, 0.3)])
def test_false_alarms_of_shares(nights: int, share_failing: float) -> None:
    def draw(rng: np.random.Generator) -> Judged:
        events = rng.binomial(100, share_failing, nights + 1)
        return judged([share(int(each)) for each in events[1:]], share(int(events[0])), "higher", 0.0001, "share")

    assert rate_of_alarms(draw) < ALPHA + 0.015


def test_the_stated_change_is_found_as_often_as_stated() -> None:
    """Windows differ in their spread, and each states its own change; over many windows the power is as stated."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(500):
        values = 700 + rng.normal(0, 10, 7)
        stated = judged(window(list(values)), Night(700), "higher", 35.0).seen(ALPHA, 0.8)
        new = judged(window(list(values)), Night(700 + stated + rng.normal(0, 10)), "higher", 35.0)
        found.append(alarms(new))
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_the_simulated_false_alarms_are_those_of_the_gate() -> None:
    def family(rng: np.random.Generator, least: float) -> list[Judged]:
        return [
            judged(window(list(700 + rng.normal(0, 10, 7))), Night(700 + rng.normal(0, 10)), "higher", least)
            for _ in range(6)
        ]

    def alarm(found: list[Judged]) -> bool:
        adjusted = holm([each.p_worse for each in found])
        return any(p <= ALPHA and each.moved >= each.least for p, each in zip(adjusted, found, strict=True))

    rng = np.random.default_rng(7)
    seen = np.mean([alarm(family(rng, 0.0)) for _ in range(2000)])
    assert seen == pytest.approx(ALPHA, abs=0.015)
    assert false_alarms(family(rng, 0.0), ALPHA) == pytest.approx(ALPHA, abs=0.015)
    assert false_alarms(family(rng, 40.0), ALPHA) < 0.01
    assert false_alarms([], ALPHA) == 0.0
