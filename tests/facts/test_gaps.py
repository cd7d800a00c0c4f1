"""Gaps from looks at the clocks, in made-up time."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.facts.gaps import LEAST_GAP_NS, Clocks, Gap, GapWatch, lost_ns, of_both, read_clocks

MS = 1_000_000


def clocks(at_ms: float, *, slept_ms: float = 0, set_by_ms: float = 0) -> Clocks:
    """`at_ms` on the monotonic clock, after a machine slept and its wall clock was set."""
    return Clocks(round(at_ms * MS), round((at_ms + slept_ms) * MS), round((at_ms + slept_ms + set_by_ms) * MS))


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (clocks(5), None),
        (clocks(19), None),
        (clocks(3200), ("frozen", 3200)),
        (clocks(5, slept_ms=60_000), ("suspended", 60_005)),
        (clocks(5, set_by_ms=2), None),
        (clocks(5, set_by_ms=-1500), ("clock", 1500)),
        (clocks(5, set_by_ms=1500), ("clock", 1500)),
        # Stamps that were waiting are dated by a clock that has changed: the wider meaning wins.
        (clocks(3200, set_by_ms=1500), ("clock", 3200)),
        (clocks(3200, slept_ms=1000), ("suspended", 4200)),
    ],
)
def test_one_late_look(after: Clocks, found: tuple[str, float] | None) -> None:
    watch = GapWatch(clocks(0))
    watch.look(after)
    gaps = watch.since(-1)
    assert [(gap.kind, gap.length_ns / MS) for gap in gaps] == ([] if found is None else [found])
    assert all((gap.start_ns, gap.end_ns) == (0, after.monotonic_ns) for gap in gaps)


def test_a_gap_that_is_still_open_is_one() -> None:
    watch = GapWatch(clocks(0))
    watch.look(clocks(5))
    assert watch.since(0, 20 * MS) == []
    assert watch.since(0, 900 * MS) == [Gap(5 * MS, 900 * MS, 895 * MS, "frozen")]
    assert watch.since(0) == []
    watch.look(clocks(905))
    assert watch.since(0, 906 * MS) == [Gap(5 * MS, 905 * MS, 900 * MS, "frozen")]
    assert watch.since(900 * MS) == watch.since(0), "it ended after that"
    assert watch.since(905 * MS) == []


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_every_instant_between_two_looks_that_were_far_apart_lies_in_a_gap(steps_ms: list[int]) -> None:
    watch = GapWatch(clocks(0))
    looks = list(itertools.accumulate(steps_ms, initial=0))
    for at_ms in looks[1:]:
        watch.look(clocks(at_ms))
    gaps = watch.since(-1)
    late = [(first, last) for first, last in itertools.pairwise(looks) if (last - first) * MS > LEAST_GAP_NS]
    assert [(gap.start_ns / MS, gap.end_ns / MS) for gap in gaps] == late
    assert lost_ns(gaps, 0, looks[-1] * MS) == sum(last - first for first, last in late) * MS


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=8),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_time_lost_is_counted_once_and_only_between_both_instants(
    spans: list[tuple[int, int]], start: int, end: int
) -> None:
    gaps = [Gap(min(span), max(span), max(span) - min(span), "frozen") for span in spans]
    inside = {at for gap in gaps for at in range(gap.start_ns, gap.end_ns) if start <= at < end}
    assert lost_ns(gaps, start, end) == len(inside)


def test_the_clocks_of_this_machine_are_read_together() -> None:
    first, last = read_clocks(), read_clocks()
    assert last.monotonic_ns >= first.monotonic_ns
    passed_ns = last.monotonic_ns - first.monotonic_ns
    assert abs(last.boot_ns - first.boot_ns - passed_ns) < 1_000_000


def frozen(start_ms: float, end_ms: float) -> Gap:
    return Gap(round(start_ms * MS), round(end_ms * MS), round((end_ms - start_ms) * MS), "frozen")


@pytest.mark.parametrize(
    ("witness", "loop", "found"),
    [
        # The whole process: the loop has a moment more to catch up, the witness has taken its notes by then.
        ([(100, 3300)], [(97, 3302)], [(100, 3300)]),
        # The witness alone was kept waiting, the loop read what came.
        ([(100, 250)], [], []),
        ([(100, 250)], [(20, 60)], []),
        # Both, for a while; then the loop ran and had caught up.
        ([(100, 900)], [(300, 400)], [(300, 445)]),
        ([(100, 900)], [(95, 140), (600, 700)], [(100, 171.25), (600, 745)]),
        ([], [(100, 900)], []),
    ],
)
def test_a_gap_is_one_in_which_neither_ran(
    witness: list[tuple[float, float]], loop: list[tuple[float, float]], found: list[tuple[float, float]]
) -> None:
    gaps = of_both([frozen(*each) for each in witness], [frozen(*each) for each in loop])
    assert [(gap.start_ns / MS, gap.end_ns / MS) for gap in gaps] == found


def test_clocks_need_one_witness_only() -> None:
    slept = Gap(0, MS, 60_000 * MS, "suspended")
    assert of_both([slept], []) == [slept]
