"""Shares of a run: together they are the whole, whatever the number of workers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.plan import admission_s, describe, is_warmup, share_of, total_sessions
from bench.scenario.model import Load


def load(**values: Any) -> Load:
    return Load.model_validate(values)


@given(callers=st.integers(1, 60), workers=st.integers(1, 9))
def test_callers_of_all_workers_are_the_pool(callers: int, workers: int) -> None:
    asked = load(callers=callers, ramp="10s")
    shares = [share_of(asked, 1, worker=worker, workers=workers) for worker in range(workers)]
    assert sorted(caller for share in shares for caller in share.callers) == list(range(callers))
    whole = share_of(asked, 1, worker=0, workers=1)
    offsets = {c: o for share in shares for c, o in zip(share.callers, share.offsets_s, strict=True)}
    assert offsets == dict(zip(whole.callers, whole.offsets_s, strict=True))


@given(workers=st.integers(1, 6), arrival=st.sampled_from(["constant", "poisson"]), seed=st.integers(0, 99))
def test_arrivals_of_all_workers_are_the_plan(workers: int, arrival: str, seed: int) -> None:
    asked = load(arrival=arrival, rate="120/min", duration="30s")
    whole = share_of(asked, seed, worker=0, workers=1)
    parts = [share_of(asked, seed, worker=worker, workers=workers) for worker in range(workers)]
    together = sorted((i, o) for part in parts for i, o in zip(part.indices, part.offsets_s, strict=True))
    assert together == list(zip(whole.indices, whole.offsets_s, strict=True))


def test_schedule_and_bounds() -> None:
    asked = load(
        arrival="schedule", duration="4s", schedule=[{"at": "0s", "rate": "60/min"}, {"at": "2s", "rate": "120/min"}]
    )
    assert share_of(asked, 1, worker=0, workers=1).offsets_s == [0.0, 1.0, 2.0, 2.5, 3.0, 3.5]


def test_warmup_comes_on_top() -> None:
    counted = load(callers=2, sessions=10, warmup=3)
    assert total_sessions(counted) == 13
    assert [is_warmup(counted, index, 0) for index in (0, 2, 3)] == [True, True, False]
    timed = load(callers=2, duration="60s", warmup="30s")
    assert admission_s(timed) == 90
    assert [is_warmup(timed, 5, offset) for offset in (0, 29.9, 30)] == [True, True, False]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"callers": 6, "ramp": "3s", "sessions": 12}, "12 calls, 2 turns each, 6 callers at a time, ramp 3 s"),
        (
            {"arrival": "poisson", "rate": "30/min", "duration": "5m", "max_open": 50},
            "calls begun for 300 s, 2 turns each, arriving poisson at 30/min, at most 50 open",
        ),
    ],
)
def test_a_load_reads_as_a_sentence(values: dict[str, Any], sentence: str) -> None:
    assert describe(load(**values), 2) == sentence
