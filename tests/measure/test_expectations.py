"""Expectations: each kind is met by a turn that did it and missed by one that did not, with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.expectations import graded, names_number, numbers_in, says
from bench.measure.records import TurnRecord
from bench.scenario.steps.expect import Expect
from tests.measure.build import good_reply, measure

CALLS = json.dumps([{"name": "lookup", "arguments": '{"id": "4719", "n": 2}'}])


def row(wanted: dict[str, Any], **changes: Any) -> TurnRecord:
    found = measure(good_reply())
    values: dict[str, Any] = {
        "expectations": json.dumps(Expect.model_validate(wanted).facts),
        "reply_text": "Your order, four seven one nine, isn't late: it costs $246.10 and arrives on Thursday.",
        "tools_called": CALLS,
        "first_audible_ms": 900.0,
        "reply_heard_ms": 4_000.0,
    }
    for name, value in (values | changes).items():
        setattr(found, name, value)
    return graded(found)


@pytest.mark.parametrize(
    ("wanted", "missed"),
    [
        ({"contains": "ARRIVES on thursday"}, {"contains": "arrives on Friday"}),
        ({"contains": ["order", "is not late"]}, {"contains": ["order", "is late"]}),
        ({"one_of": ["Friday", "Thursday"]}, {"one_of": ["Friday", "Thurs"]}),
        ({"matches": "order.*thursday"}, {"matches": "thursday.*order"}),
        ({"number": 4719}, {"number": 471}),
        ({"number": {"value": 246, "tolerance": 0.2}}, {"number": {"value": 245, "tolerance": 0.5}}),
        ({"language": "English"}, {"language": "de"}),
        ({"tool": "lookup"}, {"tool": "other"}),
        ({"tool": {"name": "lookup", "arguments": {"id": 4719}}}, {"tool": {"name": "lookup", "arguments": {"id": 4}}}),
        (
            {"tool": [{"name": "lookup", "arguments": {"id": {"matches": "47.."}, "n": {"one_of": [1, 2]}}}]},
            {"tool": {"name": "lookup", "arguments": {"id": {"matches": "47"}}}},
        ),
        ({"latency": "900ms"}, {"latency": "899ms"}),
        ({"ends_within": "4s"}, {"ends_within": "3900ms"}),
    ],
)
def test_each_kind_is_met_and_missed(wanted: dict[str, Any], missed: dict[str, Any]) -> None:
    good, bad = row(wanted), row(missed)
    assert (good.expect_pass, good.expect_failed) == (True, None)
    assert bad.expect_pass is False
    assert str(bad.expect_failed).startswith(next(iter(missed)))


def test_all_of_them_must_be_met_and_each_reason_is_named() -> None:
    found = row({"contains": "Thursday", "number": 1, "latency": "1ms"})
    assert found.expect_failed == "number: 1 is not among 246.1, 4719, 246, 10; latency: 900 ms, more than 1 ms"


def test_a_turn_that_was_not_answered_met_nothing_and_one_that_was_cut_off_is_not_graded() -> None:
    found = row({"latency": "5s"}, status="failed", error_code="close_1006")
    assert (found.expect_pass, found.expect_failed) == (False, "not answered (close_1006)")
    assert row({"latency": "5s"}, stage="stopped").expect_pass is None
    assert graded(measure(good_reply())).expect_pass is None
    assert row({"latency": "5s"}, first_audible_ms=None, ttft_ms=None).expect_failed == "latency: not measured"
    assert row({"contains": "x"}, reply_text=None).expect_failed == "the reply has no text"


def test_words_are_whole_except_where_a_language_has_none() -> None:
    assert says("Thursdays", "Thursday", "en") is False
    assert says("您的订单正在路上", "订单", "zh") is True


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twelve hundred and five", [1205]),
        ("minus three point five degrees", [-3.5]),
        ("It is 3,100 dollars, of 42.", [3100, 42]),
        ("nothing", []),
    ],
)
def test_numbers_in_words_and_digits(text: str, numbers: list[float]) -> None:
    assert numbers_in(text, "en") == numbers


@given(st.integers(0, 9_999))
def test_a_number_is_found_in_its_digits(number: int) -> None:
    assert names_number(f"The answer is {number}.", number, 0, "en")


@given(st.text(), st.sampled_from(["en", "de", "zh", "unknown"]))
def test_any_text_can_be_graded(text: str, language: str) -> None:
    wanted = {"contains": "a", "one_of": "b", "matches": "c", "number": 1, "language": "en"}
    assert row(wanted, reply_text=text, language=language).expect_pass in {True, False}
