"""The openai-live dialect from recorded messages: replies found in what is audible and what is said."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address
from bench.dialects.openai_live import MORE_NS, PATH, START_ID, OpenAILiveDialect
from bench.dialects.reply_finder import LONGEST_QUIET_NS, QUIET_NS, SHORT_QUIET_NS
from bench.facts.signals import (
    AudioDelta,
    InputTranscript,
    Malformed,
    ResponseEnded,
    ServerError,
    SessionCreated,
    SessionReady,
    Signal,
    TextDelta,
    ToolCall,
    Unrecognised,
)
from bench.scenario.model import SessionConfig

S = 1_000_000_000
MS = 1_000_000
VOICE = base64.b64encode(AudioFormat.PCM16.encode((np.sin(np.arange(2_400) * 0.3) * 8000).astype(np.int16))).decode()
"""100 ms of sound,"""
SILENCE = base64.b64encode(bytes(4_800)).decode()
"""and of silence."""


def dialect(**config: Any) -> OpenAILiveDialect:
    return OpenAILiveDialect(SessionConfig.model_validate(config, context={"dialect": "openai-live"}), "gpt-live-1")


def receive(subject: OpenAILiveDialect, at_ns: int, kind: str, **fields: Any) -> list[Signal]:
    return list(subject.receive(json.dumps({"type": kind, **fields}), at_ns))


def audio(subject: OpenAILiveDialect, at_ns: int, sound: str) -> list[Signal]:
    return receive(subject, at_ns, "session.output_audio.delta", delta=sound)


# what is sent


def test_the_session_says_what_the_scenario_says() -> None:
    (message,) = map(json.loads, dialect(instructions="Be brief.", voice="marin", extra={"store": False}).opening())
    assert (message["type"], message["event_id"]) == ("session.start", START_ID)
    assert message["session"] == {
        "model": "gpt-live-1",
        "instructions": "Be brief.",
        "audio": {"format": {"type": "audio/pcm", "rate": 24_000}, "output": {"voice": "marin"}},
        "store": False,
    }
    assert OpenAILiveDialect.endpoint(Address("wss://o.example", "gpt-live-1")).url == f"wss://o.example{PATH}"


def test_one_format_serves_both_directions() -> None:
    subject = dialect(output_format="pcmu")
    assert subject.input_format == subject.output_format == AudioFormat.PCMU
    assert json.loads(subject.opening()[0])["session"]["audio"]["format"] == {"type": "audio/pcmu", "rate": 8_000}
    ready = receive(dialect(input_format="pcma", output_format="pcmu", max_output_tokens=5), 7, "session.started")[1]
    assert isinstance(ready, SessionReady)
    assert ready.differences == (
        "max_output_tokens has no counterpart in this protocol",
        "output_format is pcma: one format serves both directions",
    )


def test_the_session_is_closed_before_the_caller_hangs_up() -> None:
    subject = dialect()
    assert subject.closing() == ('{"type":"session.close"}',)
    assert receive(subject, 7, "session.closed", reason="close_requested") == []


# what is received


def test_a_whole_turn() -> None:
    subject = dialect()
    assert receive(subject, 7, "session.started", session={"id": "s"}) == [
        SessionCreated(7, "s", "gpt-live-1"),
        SessionReady(7),
    ]
    assert [each for k in range(20) for each in audio(subject, S + k * 100 * MS, SILENCE)] == []
    for k, words in enumerate(("hel", "lo")):
        heard = receive(subject, 3 * S + k, "session.input_transcript.delta", delta=words)
        assert heard == [InputTranscript(3 * S + k, None, words, final=False)]
    said = receive(subject, 4 * S, "session.output_transcript.delta", delta="Hi")
    assert said == [TextDelta(4 * S, "reply-1", "Hi")], "words open a reply as well as sound"
    assert audio(subject, 4 * S + 50 * MS, SILENCE) == [], "which begins with its first sound"
    (delta,) = audio(subject, 4 * S + 150 * MS, VOICE)
    assert isinstance(delta, AudioDelta)
    assert (delta.at_ns, delta.samples, delta.response_id) == (4 * S + 150 * MS, 2_400, "reply-1")
    assert audio(subject, 4 * S + 250 * MS, SILENCE) == [], "perhaps a pause"
    pause, more = audio(subject, 4 * S + 350 * MS, VOICE)
    assert isinstance(pause, AudioDelta)
    assert isinstance(more, AudioDelta)
    assert (pause.at_ns, more.at_ns) == (4 * S + 250 * MS, 4 * S + 350 * MS)
    over_ns = subject.next_tick_ns()
    assert over_ns is not None
    assert over_ns == pytest.approx(4 * S + 450 * MS + QUIET_NS, abs=2 * MS)
    audio(subject, 5 * S, SILENCE)
    assert subject.tick(over_ns - 1) == ()
    assert subject.tick(over_ns) == [
        InputTranscript(3 * S + 1, None, "hello", final=True),
        ResponseEnded(4 * S + 350 * MS, "reply-1", "completed"),
    ]
    (again,) = audio(subject, over_ns + S, VOICE)
    assert isinstance(again, AudioDelta)
    assert again.response_id == "reply-1"


def test_another_reply_is_one_after_the_caller_spoke_or_after_a_while() -> None:
    subject = dialect()
    audio(subject, S, VOICE)
    subject.tick(5 * S)
    subject.start_of_turn(1)
    (second,) = audio(subject, 5 * S + 1, VOICE)
    over_ns = subject.next_tick_ns()
    assert over_ns is not None
    subject.tick(over_ns)
    (third,) = audio(subject, over_ns + MORE_NS + 1, VOICE)
    assert isinstance(second, AudioDelta)
    assert isinstance(third, AudioDelta)
    assert (second.response_id, third.response_id) == ("reply-2", "reply-3")


def test_what_comes_after_the_caller_cut_in_is_another_reply() -> None:
    subject = dialect()
    audio(subject, S, VOICE)
    subject.start_of_turn(1)
    over_ns = subject.next_tick_ns()
    assert over_ns == pytest.approx(S + 100 * MS + SHORT_QUIET_NS, abs=2 * MS)
    subject.tick(over_ns)
    (answer,) = audio(subject, over_ns + 1, VOICE)
    assert isinstance(answer, AudioDelta)
    assert answer.response_id == "reply-2"


def test_words_without_sound_end_too() -> None:
    subject = dialect()
    receive(subject, S, "session.output_transcript.delta", delta="Hi")
    assert subject.next_tick_ns() == S + LONGEST_QUIET_NS
    assert subject.tick(S + LONGEST_QUIET_NS) == [ResponseEnded(S, "reply-1", "completed")]


@pytest.mark.parametrize(
    ("reason", "code"),
    [("expired", "session_expired"), ("content", "session_closed_content"), (None, "session_closed_unknown")],
)
def test_a_session_that_the_server_closes_says_why(reason: str | None, code: str) -> None:
    (error,) = receive(dialect(), 7, "session.closed", reason=reason)
    assert isinstance(error, ServerError)
    assert (error.fatal, error.error.code, error.error.error_kind) == (True, code, "closed")


def test_an_error_names_the_command_that_caused_it() -> None:
    error = {"type": "invalid_request_error", "code": "unknown_parameter", "message": "m", "client_event_id": START_ID}
    (found,) = receive(dialect(), 7, "error", error=error)
    assert isinstance(found, ServerError)
    assert dialect().refuses_session(found.error)
    (other,) = receive(dialect(), 7, "error", error={**error, "client_event_id": "x"})
    assert isinstance(other, ServerError)
    assert not dialect().refuses_session(other.error)


def test_what_is_of_no_use_is_quiet_and_what_is_unknown_is_named() -> None:
    assert receive(dialect(), 7, "session.usage.updated", usage={"seconds": 3}) == []
    assert receive(dialect(), 7, "weather") == [Unrecognised(7, "weather")]
    assert isinstance(audio(dialect(), 7, "%")[0], Malformed)
    (other,) = receive(dialect(), 7, "session.created", session={"audio": {}})
    assert isinstance(other, ServerError)
    assert other.error.message == "this server speaks the OpenAI Realtime protocol; use dialect: openai"


# tools, called by the model behind

TOOL = {"type": "function", "name": "lookup", "parameters": {"type": "object"}, "answer": 5}
BEHIND = {"delegation": {"responses": {"model": "gpt-behind"}}}


def behind(subject: OpenAILiveDialect, at_ns: int, kind: str, **fields: Any) -> list[Signal]:
    return receive(subject, at_ns, "response.event", delegation_id="d", event={"type": kind, **fields})


def test_tools_are_those_of_the_model_behind() -> None:
    session = dialect(tools=[TOOL], tool_choice="required", extra=BEHIND).session()
    wired = {key: value for key, value in TOOL.items() if key != "answer"}
    told = {"model": "gpt-behind", "tools": [wired], "tool_choice": "required"}
    assert session["delegation"] == {"type": "responses", "responses": told}
    assert "delegation" not in dialect().session()


def test_a_tool_is_called_answered_and_replied_to() -> None:
    subject = dialect(tools=[TOOL], extra=BEHIND)
    audio(subject, S, VOICE)
    item = {"type": "function_call", "call_id": "c1", "name": "lookup", "arguments": "{}"}
    (call,) = behind(subject, 2 * S, "response.output_item.done", item=item)
    assert call == ToolCall(2 * S, "reply-1", "c1", "lookup", "{}"), "what is being said is its preamble"
    usage, ended = behind(subject, 2 * S + 1, "response.completed", response={"usage": {"input_tokens": 9}})
    assert usage == Unrecognised(2 * S + 1, "usage of a delegated response")
    assert ended == ResponseEnded(2 * S + 1, "reply-1", "completed")
    (rest,) = audio(subject, 2 * S + 2, VOICE)
    assert isinstance(rest, AudioDelta)
    assert rest.response_id == "reply-1", "the rest of the preamble"
    (result,) = map(json.loads, subject.tool_result("c1", "5"))
    assert result == {
        "type": "response.item.create",
        "item": {"type": "function_call_output", "call_id": "c1", "output": "5"},
    }
    assert [json.loads(each) for each in subject.reply_to_tools(0)] == [{"type": "response.create"}]
    assert subject.next_tick_ns() == 0
    (over,) = subject.tick(2 * S + 3)
    assert isinstance(over, ResponseEnded)
    (reply,) = audio(subject, 2 * S + 4, VOICE)
    assert isinstance(reply, AudioDelta)
    assert reply.response_id == "reply-2"


def test_the_model_behind_fails_alone_or_with_its_call() -> None:
    (error,) = behind(dialect(), S, "response.failed", response={"error": {"code": "server_error"}})
    assert isinstance(error, ServerError)
    subject = dialect(tools=[TOOL], extra=BEHIND)
    item = {"type": "function_call", "call_id": "c1", "name": "lookup", "arguments": "{}"}
    (call,) = behind(subject, S, "response.output_item.done", item=item)
    assert isinstance(call, ToolCall)
    (ended,) = behind(subject, S, "response.failed", response={"error": {"code": "server_error"}})
    assert isinstance(ended, ResponseEnded)
    assert (ended.response_id, ended.status) == (call.response_id, "failed")
    assert behind(subject, S, "response.completed", response={}) == []
    assert behind(subject, S, "response.output_text.delta", delta="unheard") == []
    (broken,) = behind(subject, S, "response.output_item.done", item={"type": "function_call"})
    assert isinstance(broken, Malformed)
