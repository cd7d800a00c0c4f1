"""Which target a call goes to: evenly, in a random order, and by the number of the call alone."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.scenario.interleaving import block_of, part_of_cap, target_of

SEEDS = st.integers(0, 2**31)


@given(seed=SEEDS, targets=st.integers(1, 6), blocks=st.integers(1, 20))
def test_each_block_has_one_call_for_each_target(seed: int, targets: int, blocks: int) -> None:
    for block in range(blocks):
        calls = range(block * targets, (block + 1) * targets)
        assert sorted(target_of(seed, index, targets) for index in calls) == list(range(targets))
        assert {block_of(index, targets) for index in calls} == {block}


@given(seed=SEEDS, targets=st.integers(2, 5), begun=st.integers(0, 300))
def test_no_target_is_ever_ahead_by_more_than_a_call(seed: int, targets: int, begun: int) -> None:
    counts = Counter(target_of(seed, index, targets) for index in range(begun))
    each = [counts[target] for target in range(targets)]
    assert max(each) - min(each) <= 1


def test_no_target_is_always_first_and_no_rhythm_repeats() -> None:
    first = [target_of(1, 2 * block, 2) for block in range(400)]
    assert 150 < sum(first) < 250
    repeated = [sum(one == two for one, two in zip(first, first[lag:], strict=False)) for lag in range(1, 20)]
    assert all(0.35 < same / (400 - lag) < 0.65 for lag, same in enumerate(repeated, start=1))


def test_the_seed_decides_the_order() -> None:
    orders = [tuple(target_of(seed, index, 2) for index in range(40)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


@given(cap=st.integers(0, 500), shares=st.integers(1, 9))
def test_a_cap_is_dealt_out_whole_and_evenly(cap: int, shares: int) -> None:
    parts = [part_of_cap(cap, share, shares) for share in range(shares)]
    assert sum(parts) == cap
    assert max(parts) - min(parts) <= 1
