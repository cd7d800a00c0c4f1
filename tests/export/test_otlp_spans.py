"""A call as a trace: which spans there are, when they begin and end, and what they do not tell."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.export.otlp.identity import is_sampled, span_of, trace_of
from bench.export.otlp.spans import Artist, Drawn
from bench.measure.records import TurnRecord
from tests.report import build

SECRET = "forty-two pounds"
START = build.START.timestamp()
LEAD_MS = 150.0


def turn(**columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    row = build.turn_row(rng, build.identity(build.RUN_ID, 7, warmup=False), 2, 4.0, 3)
    row.speech_start_ms, row.reply_text, row.target = LEAD_MS, SECRET, "one"
    return known({**asdict(row), **columns})


def known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def drawn(row: dict[str, Any], *, texts: bool = False) -> dict[str, Drawn]:
    artist = Artist({"one": {"server.address": "voice.example", "server.port": 443}}, texts)
    return {each.name.split(" ")[0]: each for each in artist.turn(row)}


def s(ns: int) -> float:
    return ns / 1e9 - START


def test_times_are_those_of_the_row() -> None:
    row = turn()
    found = drawn(row)
    zero = 4.0 + (LEAD_MS + row["speech_ms"]) / 1000
    speech, reply, heard = found["user_speech"], found["realtime_inference"], found["playback"]
    assert s(found["turn"].start_ns) == pytest.approx(4.0, abs=1e-6)
    assert (s(speech.start_ns), s(speech.end_ns)) == pytest.approx((4.0 + LEAD_MS / 1000, zero), abs=1e-6)
    assert s(reply.start_ns) == pytest.approx(zero + row["response_created_ms"] / 1000, abs=1e-6)
    assert s(reply.end_ns) == pytest.approx(zero + row["response_done_ms"] / 1000, abs=1e-6)
    assert s(heard.start_ns) == pytest.approx(zero + row["first_audible_ms"] / 1000, abs=1e-6)
    assert s(heard.end_ns) == pytest.approx(zero + row["reply_heard_ms"] / 1000, abs=1e-6)
    events = dict(found["turn"].events)
    assert s(events["ttft"]) == pytest.approx(zero + row["ttft_ms"] / 1000, abs=1e-6)
    assert [at for _, at in found["turn"].events] == sorted(events.values())
    assert all(
        found["turn"].start_ns <= each.start_ns <= each.end_ns <= found["turn"].end_ns for each in found.values()
    )


def test_spans_are_a_tree_in_the_trace_of_the_call() -> None:
    row = turn()
    found = drawn(row)
    call = span_of(trace_of(row["run_id"], row["session_id"]), "call")
    assert found["turn"].parent == call
    for name in ("user_speech", "realtime_inference", "playback"):
        assert found[name].parent == found["turn"].context
    assert {each.context.trace_id for each in found.values()} == {call.trace_id}
    assert len({each.context.span_id for each in found.values()} | {call.span_id}) == len(found) + 1


def test_the_conventions_name_what_they_have_a_name_for() -> None:
    row = turn(in_total=500)
    told = drawn(row)["realtime_inference"].attributes
    assert told["gen_ai.operation.name"] == "realtime_inference"
    assert told["gen_ai.provider.name"] == "openai"
    assert told["gen_ai.request.model"] == "reference-voice"
    assert told["gen_ai.conversation.id"] == row["session_id"]
    assert told["gen_ai.usage.input_tokens"] == 500
    assert told["gen_ai.usage.output_tokens"] == row["out_text"] + row["out_audio"]
    assert told["server.address"] == "voice.example"
    assert drawn(row)["user_speech"].attributes["gen_ai.operation.name"] == "user_speech"


def test_a_total_that_nobody_told_is_left_out() -> None:
    told = drawn(turn(in_text=None, out_audio=None))["realtime_inference"].attributes
    assert "gen_ai.usage.input_tokens" not in told
    assert "gen_ai.usage.output_tokens" not in told
    assert told["gen_ai.usage.text.output_tokens"] == 24


def test_a_span_without_both_its_ends_is_left_out() -> None:
    assert set(drawn(turn(response_done_ms=None))) == {"turn", "user_speech", "playback"}
    assert set(drawn(turn(first_audible_ms=None))) == {"turn", "user_speech", "realtime_inference"}
    assert set(drawn(turn(session_type="transcription"))) == {"turn", "user_speech"}
    older = drawn(turn(speech_start_ms=None))
    assert set(older) == {"turn"}
    assert older["turn"].events == []
    assert older["turn"].attributes["voicebench.ttft_ms"] == turn()["ttft_ms"]


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"status": "failed", "error_kind": "rate_limit", "error_message": "too many"}, "rate_limit"),
        ({"status": "no_reply"}, "no_reply"),
        ({"status": "interrupted"}, None),
        ({"status": "early"}, None),
    ],
)
def test_a_failed_turn_is_an_error(columns: dict[str, Any], error: str | None) -> None:
    found = drawn(turn(**columns))["turn"]
    assert found.error == error
    assert found.message == columns.get("error_message")


def test_one_tool_call_is_a_span_and_several_are_not() -> None:
    called = '[{"name": "get_balance", "arguments": {"account": "savings"}}]'
    row = turn(tool_calls=1, tool_ms=900.0, tool_answer_ms=40.0, tools_called=called)
    tool = drawn(row)["execute_tool"]
    assert tool.name == "execute_tool get_balance"
    assert tool.parent == drawn(row)["turn"].context
    assert (tool.end_ns - tool.start_ns) / 1e6 == pytest.approx(40.0)
    assert "savings" not in str(tool.attributes)
    assert "savings" in str(drawn(row, texts=True)["execute_tool"].attributes["gen_ai.tool.call.arguments"])
    assert "execute_tool" not in drawn({**row, "tool_calls": 2})
    assert drawn({**row, "tools_called": "not JSON"})["execute_tool"].name == "execute_tool"


def test_what_was_said_leaves_only_when_asked() -> None:
    kept = drawn(turn(), texts=True)["realtime_inference"].attributes
    assert SECRET in str(kept["gen_ai.output.messages"])
    texts = {name: f"{SECRET} {name}" for name, kind in TurnRecord.__annotations__.items() if kind == "str | None"}
    told = [each.attributes.values() for each in drawn(turn(**texts)).values()]
    labels = {name for name, text in texts.items() if any(text in values for values in told)}
    assert not labels & {"reference", "hypothesis", "reply_text", "reply_hypothesis", "tools_called", "expectations"}
    assert not labels & {"expect_failed", "caption_words", "error_message", "transcription_error"}
    assert labels >= {"target", "model", "error_kind", "cell"}


def test_a_call_begins_when_it_was_due() -> None:
    rng = np.random.default_rng(3)
    who = build.identity(build.RUN_ID, 7, warmup=False)
    row = known(asdict(build.call_row(who, [], 9.0, rng)))
    row |= {"status": "failed", "error_kind": "connect", "error_message": "refused", "server_session_id": "sess_1"}
    call, connect = Artist({}).call(row)
    due = 9.0 - row["start_late_ms"] / 1000
    assert (s(call.start_ns), s(connect.start_ns)) == pytest.approx((due, due), abs=1e-6)
    assert s(connect.end_ns) == pytest.approx(due + row["session_ready_ms"] / 1000, abs=1e-6)
    assert (call.parent, connect.parent) == (None, call.context)
    assert (call.error, call.message) == ("connect", "refused")
    assert call.attributes["gen_ai.realtime_session.id"] == "sess_1"


@settings(max_examples=25)
@given(st.text(), st.text(), st.text())
def test_numbers_are_the_same_each_time_and_never_none(run: str, call: str, name: str) -> None:
    trace = trace_of(run, call)
    assert trace == trace_of(run, call)
    assert 0 < trace < 1 << 128
    assert span_of(trace, name).is_valid
    assert is_sampled(trace, 1.0)
    assert not is_sampled(trace, 0.0)


def test_a_share_of_the_calls_is_about_that_many() -> None:
    kept = {n for n in range(4000) if is_sampled(trace_of("run", str(n)), 0.25)}
    assert 900 < len(kept) < 1100
    assert kept <= {n for n in range(4000) if is_sampled(trace_of("run", str(n)), 0.5)}
