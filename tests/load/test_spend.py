"""The sums of a run under way, against rows written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.spend import Expectation, Ledger, Spend
from bench.measure.records import SessionRecord, TurnRecord

WHO: dict[str, Any] = {
    "run_id": "r", "worker": "w0", "session_index": 0, "caller": 0, "scenario": "s", "phase": "main", "warmup": False,
    "provider": "p", "model": "m", "dialect": "openai", "transport": "ws", "started_at": 0.0, "ended_at": 1.0,
}  # fmt: skip
NO_USAGE = "tokens (the server reported no usage)"


def turn(call: str, number: int, usd: float | None = None, **more: Any) -> TurnRecord:
    return TurnRecord(
        **WHO, session_id=call, turn=number, step=number, fixture="f", language="en", accent="us", voice="v",
        condition=None, open_sessions=1, talking_sessions=1, manual=False, speech_ms=1000, status="ok", cost_usd=usd,
        **more,
    )  # fmt: skip


def session(call: str, usd: float | None = None, **more: Any) -> SessionRecord:
    return SessionRecord(**WHO, session_id=call, status="ok", cost_usd=usd, **more)


def ledger(*planned: float, turns: int = 3, **more: Any) -> Ledger:
    return Ledger(Expectation(planned, **more), turns)


def test_a_call_counts_once_though_its_turns_were_told_before() -> None:
    book = ledger()
    book.turn(turn("a", 0, 0.01))
    book.turn(turn("a", 1, 0.02))
    assert book.spend(calls_open=0, call_s=0).known_usd == pytest.approx(0.03)
    book.session(session("a", 0.035, other_cost_usd=0.005))
    assert book.spend(calls_open=0, call_s=0) == Spend(known_usd=0.035, priced=True)


def test_what_is_in_flight_is_the_next_turn_of_each_open_call() -> None:
    book = ledger(0.01, 0.02, 0.04)
    found = book.spend(calls_open=2, call_s=0)
    assert (found.known_usd, found.in_flight, found.in_flight_usd) == (0.0, 2, pytest.approx(0.02))
    book.turn(turn("a", 0, 0.01))
    found = book.spend(calls_open=2, call_s=0)
    assert (found.in_flight, found.in_flight_usd) == (2, pytest.approx(0.02 + 0.01))
    book.turn(turn("a", 1, 0.02))
    book.turn(turn("a", 2, 0.04))
    assert book.spend(calls_open=1, call_s=0).in_flight == 0, "after its last turn a call only hangs up"
    assert book.spend(calls_open=1, call_s=0).committed_usd == pytest.approx(0.07)


def test_what_turns_cost_corrects_what_was_planned_for_others() -> None:
    expected = Expectation((0.01, 0.02))
    expected.learn(0, 0.03)
    expected.learn(0, 0.03)
    assert expected.usd(0) == pytest.approx(0.03)
    assert expected.usd(1) == pytest.approx(0.06), "three times what was planned, as the first turn was"
    expected.learn(1, 0.05)
    assert expected.usd(1) == pytest.approx(0.05)
    wild = Expectation((0.01, 0.02))
    wild.learn(0, 5.0)
    assert wild.usd(1) == pytest.approx(0.08), "one odd turn does not make every other one dear"


def test_until_a_turn_is_priced_the_low_case_counts() -> None:
    expected = Expectation((0.01, 0.02), low_usd=(0.004, 0.008))
    assert [expected.usd(turn) for turn in (0, 1, 9)] == [0.004, 0.008, 0.008]
    expected.learn(0, 0.01)
    assert expected.usd(1) == pytest.approx(0.02)


def test_without_a_plan_a_turn_costs_what_the_dearest_before_it_did() -> None:
    expected = Expectation()
    assert expected.usd(0) == 0.0
    expected.learn(0, 0.01)
    assert expected.usd(4) == pytest.approx(0.01)


def test_a_turn_without_usage_is_estimated_and_said() -> None:
    book = ledger(0.01, 0.02, 0.04)
    book.turn(turn("a", 0, cost_unknown=NO_USAGE))
    book.turn(turn("a", 1, cost_partial_usd=0.004, cost_unknown="audio input (no price for audio input tokens)"))
    found = book.spend(calls_open=0, call_s=0)
    assert (found.known_usd, found.guessed) == (0.004, 2)
    assert found.estimated_usd == pytest.approx(0.01 + 0.016)
    book.session(session("a", cost_partial_usd=0.004, cost_unknown=NO_USAGE))
    assert book.spend(calls_open=0, call_s=0) == found, "the end of the call changes nothing of it"


def test_a_turn_that_was_cut_off_is_estimated_as_the_next_one() -> None:
    book = ledger(0.01, 0.02, 0.04)
    book.turn(turn("a", 0, 0.01))
    book.session(
        session("a", cost_partial_usd=0.013, cost_unknown="x", other_cost_partial_usd=0.003, other_cost_unknown="x")
    )
    found = book.spend(calls_open=0, call_s=0)
    assert (found.known_usd, found.guessed, found.estimated_usd) == (0.013, 1, pytest.approx(0.017))


def test_a_turn_that_nobody_answered_has_nothing_to_bill() -> None:
    book = ledger(0.01, 0.02)
    book.turn(turn("a", 0))
    book.session(session("a"))
    assert book.spend(calls_open=0, call_s=0) == Spend()


def test_a_missing_transcription_is_estimated_as_one_and_not_as_a_turn() -> None:
    book = ledger(0.01, 0.02, transcription_usd=(0.001, 0.002))
    book.turn(turn("a", 1, cost_partial_usd=0.005, cost_unknown="transcription (no price for 'mine')"))
    found = book.spend(calls_open=0, call_s=0)
    assert (found.known_usd, found.estimated_usd) == (0.005, 0.002)


def test_what_a_call_costs_outside_its_turns_is_expected_of_every_open_call() -> None:
    book = ledger(0.01, 0.02, beside_usd=0.001)
    assert book.spend(calls_open=2, call_s=0).in_flight_usd == pytest.approx(0.022)
    book.turn(turn("a", 0, 0.01))
    book.session(session("a", 0.015, other_cost_usd=0.005))
    assert book.spend(calls_open=2, call_s=0).in_flight_usd == pytest.approx(0.03)


def test_a_model_billed_by_the_minute_costs_while_calls_are_open() -> None:
    book = Ledger(Expectation(), 2, usd_per_minute=0.06)
    assert book.spend(calls_open=2, call_s=30).known_usd == pytest.approx(0.03)
    book.turn(turn("a", 0))
    book.session(session("a", 0.02, duration_ms=20_000))
    assert book.spend(calls_open=1, call_s=50).known_usd == pytest.approx(0.02 + 0.03)
    assert book.spend(calls_open=0, call_s=20).committed_usd == pytest.approx(0.02)


@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.floats(0, 2))), max_size=40))
def test_sums_never_shrink_as_turns_end_and_never_go_below_what_is_known(ended: list[tuple[int, float | None]]) -> None:
    book, known = ledger(0.01, 0.02, 0.03), 0.0
    for at, (call, usd) in enumerate(ended):
        book.turn(turn(str(call), at % 3, usd, cost_unknown=None if usd is not None else NO_USAGE))
        known += usd or 0.0
        found = book.spend(calls_open=5, call_s=0)
        assert found.known_usd == pytest.approx(known)
        assert found.committed_usd >= found.known_usd + found.estimated_usd >= found.known_usd - 1e-12
