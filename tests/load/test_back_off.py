"""Callers of a dead target wait longer and longer, within a bound, and each in a way of its own."""

from __future__ import annotations

import random

import pytest

from bench.load.back_off import MOST_PAUSE_S, back_off_s


@pytest.mark.parametrize("failed, most", [(0, 0), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (50, 30)])
def test_the_pause_doubles_up_to_its_bound(failed: int, most: float) -> None:
    drawn = [back_off_s(failed, random.Random(seed)) for seed in range(200)]
    assert max(drawn) <= most <= MOST_PAUSE_S
    assert min(drawn) >= most / 2
    assert len(set(drawn)) == (1 if failed == 0 else 200)
    assert back_off_s(failed, random.Random(7)) == back_off_s(failed, random.Random(7))
