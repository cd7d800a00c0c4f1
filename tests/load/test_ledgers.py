"""The sums of a run with several targets: each row to its own, and what is not known dealt out evenly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.spend import Expectation, Ledger, Ledgers
from tests.load.test_spend import session, turn


def ledgers(**planned: tuple[float, ...]) -> Ledgers:
    return Ledgers({name: Ledger(Expectation(values), len(values)) for name, values in planned.items()})


def of(target: str, row: Any) -> Any:
    return replace(row, target=target)


def test_rows_are_summed_and_calls_that_told_nothing_yet_are_dealt_out() -> None:
    books = ledgers(cheap=(0.01, 0.02), dear=(0.10, 0.20))
    found = books.spend(calls_open=4, call_s=0)
    assert (found.known_usd, found.in_flight, found.in_flight_usd) == (0.0, 4, pytest.approx(2 * 0.01 + 2 * 0.10))
    books.turn(of("dear", turn("a", 0, 0.10)))
    found = books.spend(calls_open=3, call_s=0)
    assert found.known_usd == pytest.approx(0.10)
    assert found.in_flight_usd == pytest.approx(0.20 + 0.01 + 0.10), "the second turn of one, the first of two others"
    books.session(of("dear", session("a", 0.30)))
    assert books.spend(calls_open=0, call_s=0).committed_usd == pytest.approx(0.30)


def test_a_target_that_is_billed_by_the_minute_is_billed_for_its_own_calls() -> None:
    books = Ledgers({"tokens": Ledger(Expectation((0.0,)), 1), "minutes": Ledger(Expectation(), 1, 0.60)})
    books.session(of("tokens", session("a", 0.05, duration_ms=60_000)))
    books.session(of("minutes", session("b", 0.60, duration_ms=60_000)))
    assert books.spend(calls_open=0, call_s=120).known_usd == pytest.approx(0.65)
    # Two minutes of two open calls, of which one is each target's.
    assert books.spend(calls_open=2, call_s=240).known_usd == pytest.approx(0.65 + 0.60)


@given(calls_open=st.integers(0, 50), known=st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_every_open_call_is_one_targets(calls_open: int, known: list[int]) -> None:
    books = ledgers(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0))
    for name, count in zip("abc", known, strict=True):
        for number in range(count):
            books.turn(of(name, turn(f"{name}{number}", 0, 0.0)))
    assert books.spend(calls_open=calls_open, call_s=0).in_flight == calls_open
