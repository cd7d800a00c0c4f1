"""The search for a ceiling as a pure function of how its levels went."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scenario.ceiling_search import Bracket, Played, SearchBounds, bracket, next_step
from tests.support.perfect_search import perfect_calls

BOUNDS = SearchBounds(first=4, most=256, precision=0.05)


def search(bounds: SearchBounds, carries, *, sure=lambda level, aim: aim != "double"):
    """Play it to its end: the levels in order."""
    played: list[Played] = []
    while (step := next_step(bounds, played)) is not None:
        played.append(Played(step.level, carries(step.level), sure(step.level, step.aim), step.aim == "confirm"))
        assert len(played) < 60, "the search does not end"
    return played


def test_it_doubles_then_halves():
    levels = [each.level for each in search(BOUNDS, lambda level: level <= 37)]
    assert levels == [4, 8, 16, 32, 64, 48, 40, 36, 38, 37]
    assert bracket(search(BOUNDS, lambda level: level <= 37)) == Bracket(37, 38, 37, 38)


def test_a_low_end_that_was_only_looked_at_is_made_sure():
    played = search(BOUNDS, lambda level: level <= 32, sure=lambda level, aim: aim == "confirm" or level > 32)
    assert played[-1] == Played(32, True, True, confirmed=True)
    assert bracket(played).sure_low == 32


def test_a_level_that_fails_when_it_is_looked_at_again_lowers_the_ceiling():
    looks = {32: [True, False]}
    played = search(BOUNDS, lambda level: looks[level].pop(0) if looks.get(level) else level <= 32)
    found = bracket(played)
    assert found.high == 32
    assert found.low == 31


def test_the_highest_level_ends_it():
    played = search(BOUNDS, lambda level: True)
    assert played[-1].level == 256
    assert bracket(played).high is None


def test_a_first_level_that_fails_is_halved_downwards():
    assert [each.level for each in search(BOUNDS, lambda level: level <= 1)] == [4, 2, 1]
    assert bracket(search(BOUNDS, lambda level: False)) == Bracket(0, 1, 0, 1)


def test_a_high_level_that_was_carried_above_one_that_was_not_is_no_evidence():
    played = [Played(8, True, True), Played(16, False, True), Played(32, True, True)]
    assert bracket(played) == Bracket(8, 16, 8, 16)


def test_rates_need_not_be_whole():
    bounds = SearchBounds(first=10, most=100, precision=0.05, unit=0.1, whole=False)
    found = bracket(search(bounds, lambda level: level <= 33.3))
    assert found.low <= 33.3 < (found.high or 0)
    assert (found.high or 0) - found.low <= 0.05 * found.low + 1e-6


@given(ceiling=st.integers(0, 400), first=st.integers(1, 16), most=st.integers(16, 300))
def test_without_noise_the_ceiling_is_found_to_the_precision(ceiling, first, most):
    bounds = SearchBounds(first=first, most=most, precision=0.05)
    found = bracket(search(bounds, lambda level: level <= ceiling))
    assert found.low <= ceiling or ceiling == 0
    if found.high is None:
        assert found.low == most
    else:
        assert found.high > ceiling
        assert found.high - found.low <= max(1, 0.05 * (found.low or found.high))


@given(ceiling=st.integers(4, 299), most=st.integers(32, 300))
def test_it_spends_less_than_three_times_the_calls_of_a_perfect_bisection(ceiling, most):
    ceiling = min(ceiling, most - 1)
    bounds = SearchBounds(first=4, most=most, precision=0.05)
    spent = sum(each.level for each in search(bounds, lambda level: level <= ceiling))
    assert spent < 3 * perfect_calls(bounds, ceiling)


@given(ceiling=st.integers(8, 200), slope=st.floats(0.02, 0.2), seed=st.integers(0, 10_000))
def test_noise_near_the_ceiling_moves_it_little_and_never_stops_the_search(ceiling, slope, seed):
    draw = random.Random(seed)

    def carries(level: float) -> bool:
        """Sure away from the ceiling, a coin near to it."""
        beyond = (level - ceiling) / (slope * ceiling)
        return draw.random() < 1 / (1 + 2.718 ** (8 * max(-20.0, min(20.0, beyond))))

    def sure(level: float, aim: str) -> bool:
        return aim != "double" and abs(level - ceiling) > slope * ceiling

    found = bracket(search(SearchBounds(first=4, most=256, precision=0.05), carries, sure=sure))
    assert found.low >= ceiling * (1 - 3 * slope) - 2
    assert found.low <= ceiling * (1 + 3 * slope) + 2


@pytest.mark.parametrize("ceiling", [37, 100, 255])
def test_the_perfect_bisection_is_what_it_says(ceiling):
    assert perfect_calls(SearchBounds(first=4, most=256, precision=0.001), ceiling) >= ceiling
