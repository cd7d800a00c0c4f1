"""Loads in phases are pure functions of time; the calls of all workers together are the plan."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.facts.phases import Phase
from bench.scenario.arrivals import OpenArrivals, next_within
from bench.scenario.load_phases import PhasedPool, PlannedPhase
from bench.scenario.load_shapes import (
    admission_s,
    expected_calls,
    phase_names,
    phases_of_call,
    planned_phases,
    pool_size,
    sessions_of_caller,
    shape_of,
)
from bench.scenario.model import LoadConfig


def phase(name: str, level: int, seconds: float, *, kind: str = "callers", **more: Any) -> dict[str, Any]:
    load = level if kind == "callers" else f"{level}/min"
    return {"name": name, "duration": f"{round(seconds * 1000)}ms", kind: load, **more}


def load(*phases: dict[str, Any], **values: Any) -> LoadConfig:
    return LoadConfig.model_validate({"phases": list(phases), **values})


def pool(*phases: dict[str, Any]) -> PhasedPool:
    shape = shape_of(load(*phases))
    assert isinstance(shape, PhasedPool)
    return shape


def level_at(phases: tuple[PlannedPhase, ...], at_s: float) -> float:
    """The planned load at an instant, by its definition."""
    now = next(each for each in phases if each.begin_ms <= at_s * 1000 < each.end_ms)
    share = min(1.0, (at_s * 1000 - now.begin_ms) / now.ramp_ms) if now.ramp_ms else 1.0
    return now.before + share * (now.level - now.before)


@st.composite
def plans(draw: st.DrawFn, kind: str = "callers", most: int = 12) -> list[dict[str, Any]]:
    """Up to five phases, some of them with a ramp, at least one with a load."""
    found = []
    for place in range(draw(st.integers(1, 5))):
        seconds = draw(st.integers(1, 40)) / 2
        ramp = draw(st.sampled_from([False, True, f"{round(500 * seconds)}ms"]))
        found.append(phase(f"p{place}", draw(st.integers(0, most)), seconds, kind=kind, ramp=ramp))
    if not any(each[kind] not in {0, "0/min"} for each in found):
        found[0] = phase("p0", most, 5, kind=kind)
    return found


def test_callers_join_and_leave_by_the_plan() -> None:
    shape = pool(
        phase("warm-up", 1, 2),
        phase("ramp", 3, 4, ramp=True),
        phase("hold", 3, 3),
        phase("lull", 1, 4, ramp="2s"),
        phase("spike", 4, 2),
    )
    assert shape.windows_s() == [
        ((0.0, 15.0),),
        ((2.0, 11.0), (13.0, 15.0)),
        ((4.0, 10.0), (13.0, 15.0)),
        ((13.0, 15.0),),
    ]
    assert (shape.most_open(), shape.is_open) == (4, False)


@given(plan=plans(), share=st.floats(0, 0.999))
def test_as_many_callers_are_wanted_as_the_plan_says(plan: list[dict[str, Any]], share: float) -> None:
    asked = load(*plan)
    at_s = share * (admission_s(asked) or 0)
    wanted = sum(next_within(windows, at_s) == at_s for windows in pool(*plan).windows_s())
    assert abs(wanted - level_at(planned_phases(asked), at_s)) < 1 + 1e-6


@given(plan=plans(), workers=st.integers(1, 9))
def test_callers_of_all_workers_are_those_of_one(plan: list[dict[str, Any]], workers: int) -> None:
    shape = pool(*plan)
    shares = [shape.share(1, worker=worker, workers=workers) for worker in range(workers)]
    together = sorted((c, w) for share in shares for c, w in zip(share.callers, share.windows_s, strict=True))
    whole = shape.share(1, worker=0, workers=1)
    assert together == list(zip(whole.callers, whole.windows_s, strict=True))
    assert all(offset == windows[0][0] for offset, windows in zip(whole.offsets_s, whole.windows_s, strict=True))


def test_each_caller_has_numbers_of_its_own() -> None:
    asked = load(phase("few", 2, 10), phase("many", 5, 10))
    assert pool_size(asked) == 5
    indices = sessions_of_caller(3, asked)
    assert [next(indices) for _ in range(3)] == [3, 8, 13]


def test_next_within_windows() -> None:
    windows = ((1.0, 2.0), (5.0, 6.0))
    assert [next_within(windows, at_s) for at_s in (0.0, 1.5, 2.0, 5.0, 6.0)] == [1.0, 1.5, 5.0, 5.0, None]


def arrivals(plan: list[dict[str, Any]], **values: Any) -> OpenArrivals:
    shape = shape_of(load(*plan, **values))
    assert isinstance(shape, OpenArrivals)
    return shape


def test_arrivals_follow_a_rate_that_moves() -> None:
    shape = arrivals(
        [
            phase("ramp", 60, 4, kind="rate", ramp=True),
            phase("hold", 60, 2, kind="rate"),
            phase("lull", 0, 3, kind="rate"),
            phase("spike", 120, 1, kind="rate"),
        ]
    )
    # A rate that grows from 0 to 1/s within 4 s has made t*t/8 calls after t seconds.
    grown = [0.0, math.sqrt(8)]
    assert shape.offsets_s(1) == pytest.approx([*grown, 4.0, 5.0, 9.0, 9.5])
    assert (shape.calls_in(4), shape.calls_in(6), shape.calls_in(9), shape.calls_in(99)) == pytest.approx((2, 4, 4, 6))


@given(plan=plans("rate", 600))
def test_arrivals_count_the_integral_of_the_rate(plan: list[dict[str, Any]]) -> None:
    shape = arrivals(plan)
    offsets = shape.offsets_s(1)
    assert offsets == sorted(offsets)
    assert abs(len(offsets) - shape.calls_in(1e9)) <= 1 + 1e-6
    for number, at_s in list(enumerate(offsets))[:: max(1, len(offsets) // 7)]:
        assert shape.calls_in(at_s) == pytest.approx(number, abs=1e-6)


@given(plan=plans("rate", 300), at_random=st.booleans(), workers=st.integers(1, 5), seed=st.integers(0, 99))
def test_arrivals_of_all_workers_are_those_of_one(
    plan: list[dict[str, Any]], at_random: bool, workers: int, seed: int
) -> None:
    shape = arrivals(plan, arrival="poisson" if at_random else "constant", max_open=7)
    whole = shape.share(seed, worker=0, workers=1)
    parts = [shape.share(seed, worker=worker, workers=workers) for worker in range(workers)]
    together = sorted((i, o) for part in parts for i, o in zip(part.indices, part.offsets_s, strict=True))
    assert together == list(zip(whole.indices, whole.offsets_s, strict=True))
    assert sum(part.max_open or 0 for part in parts) == 7


def test_random_arrivals_have_the_asked_rate_in_each_phase() -> None:
    plan = [phase("ramp", 600, 200, kind="rate", ramp=True), phase("hold", 600, 100, kind="rate")]
    shape = arrivals(plan, arrival="poisson")
    first = shape.offsets_s(7)
    assert first == shape.offsets_s(7) != shape.offsets_s(8)
    ramp, hold = (sum(low <= at_s < high for at_s in first) for low, high in ((0, 200), (200, 300)))
    assert (ramp, hold) == (pytest.approx(1000, rel=0.1), pytest.approx(1000, rel=0.1))
    assert expected_calls(load(*plan, arrival="poisson")) == pytest.approx(2000)


def test_the_phase_of_an_instant() -> None:
    asked = load(phase("warm-up", 1, 4.1, warmup=True), phase("hold", 2, 5))
    start_ns = 1_000_000_007
    phases = phases_of_call(asked, 0, 0.0, start_ns)
    at = [phases.at(start_ns + round(offset_s * 1e9)) for offset_s in (-1, 0, 4.099999999, 4.1, 9.0999, 9.1, 99)]
    warm, hold, after = Phase("warm-up", warmup=True), Phase("hold"), Phase("finishing")
    assert at == [warm, warm, warm, hold, hold, after, after]
    assert phase_names(asked) == ["warm-up", "hold", "finishing"]


def test_what_follows_a_phase_that_is_left_out_is_left_out() -> None:
    asked = load(phase("hold", 2, 5), phase("cool-down", 1, 5, warmup=True))
    assert phases_of_call(asked, 0, 0.0, 0).at(11_000_000_000) == Phase("finishing", warmup=True)


def test_without_phases_a_whole_call_is_warm_up_or_not() -> None:
    asked = LoadConfig.model_validate({"callers": 2, "duration": "60s", "warmup": "30s"})
    assert [phases_of_call(asked, 5, offset_s, 0).at(10**12).name for offset_s in (29.9, 30)] == ["warmup", "main"]
    assert phase_names(asked) == ["main", "warmup"]
