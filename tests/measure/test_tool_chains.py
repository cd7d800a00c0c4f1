"""A turn with tool calls: one answer in several responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.facts.acts import ToolUse
from bench.facts.signals import AudioDelta, Onset, ResponseEnded, ResponseStarted, Signal, TextDelta, ToolCall, Usage
from bench.measure.records import TurnRecord
from tests.measure.build import RATE_HZ, measure, ns

SAMPLES = RATE_HZ // 5


def said(number: str, at_ms: float, text: str, chunks: int = 2) -> list[Signal]:
    found: list[Signal] = [TextDelta(ns(at_ms), number, text)]
    for place in range(chunks):
        found.append(AudioDelta(ns(at_ms + 50 * place), number, f"i{number}", SAMPLES))
    return [*found, Onset(ns(at_ms), number, 240)]


def ended(number: str, at_ms: float, text: str | None = None) -> ResponseEnded:
    return ResponseEnded(ns(at_ms), number, "completed", usage=Usage(in_text_tokens=10, out_text_tokens=5), text=text)


def call(number: str, at_ms: float, name: str = "lookup", call_id: str = "c1") -> ToolCall:
    return ToolCall(ns(at_ms), number, call_id, name, '{"id": 1}')


def use(response: int, called: float, sent: float | None = None, **more: Any) -> ToolUse:
    values: dict[str, Any] = {"call_id": f"c{response + 1}", "name": "lookup", "turn": 0}
    if sent is not None:
        values |= {"sent_ns": ns(sent), "asked_ns": ns(sent)}
    return ToolUse(response=response, called_ns=ns(called), **values | more)


def row(signals: list[Signal], uses: list[ToolUse], **more: Any) -> TurnRecord:
    return measure(signals, line={"tools": uses}, **more)


PREAMBLE = [
    ResponseStarted(ns(400), "r1"),
    *said("r1", 500, "One moment."),
    call("r1", 600),
    ended("r1", 620, "One moment."),
]
SILENT = [ResponseStarted(ns(400), "r1"), call("r1", 600), ended("r1", 620)]
ANSWER = [
    ResponseStarted(ns(950), "r2"),
    *said("r2", 1_300, "It is on its way."),
    ended("r2", 1_400, "It is on its way."),
]


def test_the_turn_spans_both_responses() -> None:
    found = row([*PREAMBLE, *ANSWER], [use(0, 600, 900)])
    assert (found.status, found.responses, found.tool_calls, found.tool_rounds) == ("ok", 2, 1, 1)
    assert (found.tool_ms, found.tool_answer_ms) == (600, 300)
    assert (found.first_audible_ms, found.response_done_ms) == (510, 1_400)
    assert found.tool_resume_ms == 410
    assert found.preamble is True
    assert found.reply_text == "One moment. It is on its way."
    assert found.reply_audio_ms == 800
    assert (found.in_text, found.out_text) == (20, 10)
    assert found.stalls == 0, "the wait for a tool is none"
    assert json.loads(found.tools_called or "") == [{"name": "lookup", "arguments": '{"id": 1}'}]


def test_without_a_preamble_the_first_sound_is_that_of_the_answer() -> None:
    found = row([*SILENT, *ANSWER], [use(0, 600, 900)])
    assert (found.status, found.first_audible_ms, found.preamble) == ("ok", 1_310, False)


def test_an_answer_is_heard_after_the_preamble_and_not_beside_it() -> None:
    long = [ResponseStarted(ns(400), "r1"), *said("r1", 500, "One moment.", 6), call("r1", 800), ended("r1", 810)]
    found = row([*long, *ANSWER], [use(0, 800, 900)])
    assert found.tool_resume_ms == 500 + 6 * 200 - 900 + 10
    # 60 ms of buffer are full with the first chunk, so that both are played without a gap.
    assert found.reply_heard_ms == 500 + 6 * 200 + 2 * 200


def test_the_last_result_before_speech_counts() -> None:
    second = [ResponseStarted(ns(950), "r2"), call("r2", 1_000, call_id="c2"), ended("r2", 1_010)]
    third = [ResponseStarted(ns(1_250), "r3"), *said("r3", 1_300, "Done."), ended("r3", 1_400)]
    found = row([*SILENT, *second, *third], [use(0, 600, 900), use(1, 1_000, 1_200)])
    assert (found.tool_rounds, found.tool_calls, found.tool_resume_ms) == (2, 2, 110)


@pytest.mark.parametrize("error", ["unknown_tool", "bad_arguments", "tool_timeout", "tool_failed"])
def test_a_mistake_fails_the_turn_unless_it_is_made_good(error: str) -> None:
    wrong = use(0, 600, 900, error=error, detail="why", decided_ns=ns(900))
    found = row([*SILENT, *ANSWER], [wrong])
    assert (found.status, found.error_kind, found.error_code, found.tool_error) == ("failed", "tool", error, error)
    assert found.first_audible_ms == 1_310
    again = [ResponseStarted(ns(910), "r2"), call("r2", 920, call_id="c2"), ended("r2", 930)]
    third = [ResponseStarted(ns(1_250), "r3"), *said("r3", 1_300, "Done."), ended("r3", 1_400)]
    mended = row([*SILENT, *again, *third], [wrong, use(1, 920, 1_200)])
    assert (mended.status, mended.tool_error) == ("ok", error)
    other = row([*SILENT, *again, *third], [wrong, use(1, 920, 1_200, name="another")])
    assert (other.status == "ok") == (error == "unknown_tool")


def test_what_became_of_a_tool_after_the_turn_is_not_part_of_its_row() -> None:
    late = use(0, 600, 5_000, error="tool_timeout", detail="slow", decided_ns=ns(5_000))
    found = row(SILENT, [late], end="interrupted", turn={"ended_ns": ns(2_000)})
    assert (found.tool_error, found.tool_answer_ms, found.tool_rounds) == (None, None, 0)


def test_calls_that_nobody_answers_are_no_answer() -> None:
    found = row(SILENT, [])
    assert (found.status, found.error_code, found.tool_calls) == ("no_reply", "tool_only", 1)
    assert found.preamble is None


def test_too_many_calls() -> None:
    found = row(SILENT, [use(0, 600, error="too_many_calls", detail="8 rounds", decided_ns=ns(600))])
    assert (found.status, found.error_code) == ("failed", "too_many_calls")
