"""The elevenlabs-agents dialect from recorded messages: a whole turn, its quiet end, what is missing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from bench.audio.formats import AudioFormat
from bench.dialects import dialect_of
from bench.dialects.dialect import Address, KeyTerms
from bench.dialects.elevenlabs_agents import LONGEST_QUIET_NS, PATH, QUIET_NS, ElevenLabsAgentsDialect
from bench.facts.signals import (
    AudioDelta,
    InputTranscript,
    Malformed,
    ResponseEnded,
    ServerError,
    SessionCreated,
    SessionReady,
    Signal,
    SpeechStarted,
    TextDelta,
    ToolCall,
    Unrecognised,
)
from bench.scenario.model import SessionConfig

SOUND = base64.b64encode(b"\0\1" * 160).decode()
S = 1_000_000_000
PIECE_NS = 10_000_000
"""Length of `SOUND` at 16 kHz."""


def dialect(**config: Any) -> ElevenLabsAgentsDialect:
    return ElevenLabsAgentsDialect(SessionConfig.model_validate(config, context={"dialect": "elevenlabs-agents"}), "a1")


def receive(subject: ElevenLabsAgentsDialect, kind: str, key: str, at_ns: int = 7, **fields: Any) -> list[Signal]:
    return list(subject.receive(json.dumps({"type": kind, key: fields}), at_ns))


def initiated(subject: ElevenLabsAgentsDialect, **fields: Any) -> list[Signal]:
    key = "conversation_initiation_metadata"
    return receive(subject, key, f"{key}_event", conversation_id="c", **fields)


def audio(subject: ElevenLabsAgentsDialect, number: int, at_ns: int = 7, sound: str = SOUND) -> list[Signal]:
    return receive(subject, "audio", "audio_event", at_ns, audio_base_64=sound, event_id=number)


def said(subject: ElevenLabsAgentsDialect, words: str, at_ns: int = 7) -> list[Signal]:
    return receive(subject, "agent_response", "agent_response_event", at_ns, agent_response=words)


def part(subject: ElevenLabsAgentsDialect, kind: str, words: str = "") -> list[Signal]:
    return receive(subject, "agent_chat_response_part", "text_response_part", text=words, type=kind)


# what is sent


def test_the_init_message_overrides_what_the_scenario_says() -> None:
    assert json.loads(dialect().opening()[0]) == {"type": "conversation_initiation_client_data"}
    extra = {"conversation_config_override": {"agent": {"first_message": ""}}, "dynamic_variables": {"name": "Jo"}}
    sent = json.loads(dialect(instructions="Be brief.", voice={"id": "v1"}, extra=extra).opening()[0])
    assert sent["conversation_config_override"] == {
        "agent": {"prompt": {"prompt": "Be brief."}, "first_message": ""},
        "tts": {"voice_id": "v1"},
    }
    assert sent["dynamic_variables"] == {"name": "Jo"}


def test_the_agent_is_named_in_the_address() -> None:
    place = ElevenLabsAgentsDialect.endpoint(Address("wss://e.example/", "a1", {"xi-api-key": "secret"}))
    assert place.url == f"wss://e.example{PATH}?agent_id=a1"
    named = ElevenLabsAgentsDialect.endpoint(Address("wss://e.example/x?agent_id=a2", "a1"))
    assert named.url == "wss://e.example/x?agent_id=a2"


def test_a_signed_url_is_asked_for_with_the_key_and_called_without_it() -> None:
    address = Address("wss://e.example", "a1", {"xi-api-key": "secret", "X": "1"}, key_header="xi-api-key")
    asked = ElevenLabsAgentsDialect.short_key_request(address, KeyTerms(600))
    assert (asked.method, asked.url) == ("GET", f"https://e.example{PATH}/get-signed-url?agent_id=a1")
    assert asked.headers["xi-api-key"] == "secret"
    key = ElevenLabsAgentsDialect.short_key(b'{"signed_url": "wss://e.example/x?conversation_signature=s"}')
    place = ElevenLabsAgentsDialect.endpoint_with(address, key)
    assert (place.url, place.headers) == ("wss://e.example/x?conversation_signature=s", {"X": "1"})
    for body in (b"{}", b"[]", b"no", b'{"signed_url": "https://e.example"}'):
        with pytest.raises(ValueError, match="the answer"):
            ElevenLabsAgentsDialect.short_key(body)


def test_audio_has_no_type() -> None:
    assert json.loads(dialect().audio_message(b"\1\2")) == {"user_audio_chunk": "AQI="}


def test_a_ping_is_answered_at_once() -> None:
    subject = dialect()
    assert receive(subject, "ping", "ping_event", event_id=12, ping_ms=None) == []
    assert list(map(json.loads, subject.data_to_send())) == [{"type": "pong", "event_id": 12}]


# what is received


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pcm_44100", AudioFormat("pcm16", 44_100)),
        ("pcm_8000", AudioFormat("pcm16", 8_000)),
        ("ulaw_8000", AudioFormat.PCMU),
    ],
)
def test_the_server_says_which_formats_there_are(word: str, expected: AudioFormat) -> None:
    subject = dialect()
    created, ready = initiated(subject, agent_output_audio_format=word, user_input_audio_format="pcm_16000")
    assert created == SessionCreated(7, "c", "a1")
    assert ready == SessionReady(7)
    assert subject.output_format == expected
    assert subject.input_format == AudioFormat("pcm16", 16_000)
    assert initiated(subject, agent_output_audio_format="pcm_8000") == [], "frames are made by then"
    assert subject.output_format == expected


def test_a_format_that_nobody_here_can_hear_ends_the_call() -> None:
    (error,) = initiated(dialect(), agent_output_audio_format="mp3_44100")
    assert isinstance(error, ServerError)
    assert error.fatal
    assert error.error.code == "unsupported_format"


def test_what_the_agent_decides_by_itself_is_named() -> None:
    subject = dialect(turn_detection={"silence_duration_ms": 300}, max_output_tokens=100)
    ready = initiated(subject)[1]
    assert isinstance(ready, SessionReady)
    assert ready.differences == (
        "max_output_tokens is set by the agent's own configuration",
        "turn_detection.silence_duration_ms is set by the agent's own configuration",
    )


def test_a_whole_turn_ends_when_its_listener_has_had_nothing_for_a_second() -> None:
    subject = dialect()
    initiated(subject)
    heard = receive(subject, "user_transcript", "user_transcription_event", user_transcript="Hello.")
    assert heard == [InputTranscript(7, None, "Hello.", final=True)]
    assert said(subject, "Hi there", S) == [TextDelta(S, "reply-1", "Hi there")]
    (first,) = audio(subject, 1, S)
    assert isinstance(first, AudioDelta)
    assert (first.samples, first.response_id) == (160, "reply-1")
    audio(subject, 2, S)
    due_ns = S + 2 * PIECE_NS + QUIET_NS
    assert subject.next_tick_ns() == due_ns, "two pieces are played one after the other"
    assert subject.tick(due_ns - 1) == ()
    assert subject.tick(due_ns) == [ResponseEnded(S, "reply-1", "completed")], "it was over with its last piece"
    assert subject.next_tick_ns() is None
    (late,) = audio(subject, 3, due_ns + S)
    assert isinstance(late, AudioDelta)
    assert late.response_id == "reply-1", "the agent was only slow"
    subject.start_of_turn(1)
    (following,) = audio(subject, 4, due_ns + 2 * S)
    assert isinstance(following, AudioDelta)
    assert following.response_id == "reply-2"


def test_much_audio_ahead_does_not_keep_a_reply_open() -> None:
    subject = dialect()
    audio(subject, 1, S, base64.b64encode(bytes(32_000 * 20)).decode())
    assert subject.next_tick_ns() == S + LONGEST_QUIET_NS


def test_words_without_audio_are_waited_on_longer() -> None:
    subject = dialect()
    said(subject, "Hi", S)
    assert subject.next_tick_ns() == S + LONGEST_QUIET_NS


def test_words_in_parts_are_not_said_twice() -> None:
    subject = dialect()
    assert part(subject, "start") == []
    assert part(subject, "delta", "Hi") == [TextDelta(7, "reply-1", "Hi")]
    assert said(subject, "Hi") == []
    ended, words = said(subject, "And more")
    assert isinstance(ended, ResponseEnded)
    assert words == TextDelta(7, "reply-2", "And more"), "whole words open another reply"


def test_an_interruption_silences_what_was_sent_up_to_an_event() -> None:
    subject = dialect()
    said(subject, "A long story")
    audio(subject, 5)
    heard = receive(subject, "interruption", "interruption_event", event_id=5)
    assert heard == [SpeechStarted(7), ResponseEnded(7, "reply-1", "cancelled", "interrupted")]
    assert audio(subject, 5) == []
    key = "agent_response_correction"
    corrected = receive(subject, key, f"{key}_event", original_agent_response="x", corrected_agent_response="A long")
    assert corrected == [ResponseEnded(7, "reply-1", "cancelled", "interrupted", text="A long")]
    subject.start_of_turn(1)
    assert len(audio(subject, 6)) == 1


def test_a_tool_call_ends_a_reply_and_its_failure_is_said() -> None:
    subject = dialect()
    call = receive(
        subject, "client_tool_call", "client_tool_call", tool_name="n", tool_call_id="i", parameters={"a": 1}
    )
    assert call[0] == ToolCall(7, "reply-1", "i", "n", '{"a":1}')
    assert isinstance(call[1], ResponseEnded)
    sent = json.loads(subject.tool_result("i", "found")[0])
    assert sent == {"type": "client_tool_result", "tool_call_id": "i", "result": "found", "is_error": False}
    assert json.loads(subject.tool_result("i", '{"error":"none"}')[0])["is_error"] is True


def test_an_error_ends_the_reply_under_way() -> None:
    subject = dialect()
    said(subject, "Hi")
    error, ended = receive(subject, "client_error", "client_error_event", code=429, message="slow down")
    assert isinstance(error, ServerError)
    assert error.error.error_kind == "rate_limit"
    assert isinstance(ended, ResponseEnded)
    assert ended.status == "failed"


def test_what_is_of_no_use_is_quiet_and_what_is_unknown_is_named() -> None:
    assert receive(dialect(), "vad_score", "vad_score_event", vad_score=0.9) == []
    assert receive(dialect(), "weather", "weather_event") == [Unrecognised(7, "weather")]
    assert isinstance(audio(dialect(), 1, sound="%")[0], Malformed)


@pytest.mark.parametrize(
    ("spoken", "message"),
    [
        ("openai", {"type": "error", "error": {"type": "invalid_request_error", "event_id": None}}),
        ("openai", {"type": "session.created", "session": {"audio": {}}}),
        ("openai-beta", {"type": "session.created", "session": {"modalities": []}}),
        ("gemini-live", {"setupComplete": {}}),
        ("openai-live", {"type": "session.started"}),
        ("elevenlabs-agents", {"type": "client_error", "client_error_event": {}}),
    ],
)
def test_another_protocol_is_named_by_each_dialect(spoken: str, message: dict[str, Any]) -> None:
    for name in ("openai", "gemini-live", "elevenlabs-agents"):
        subject = dialect_of(name)(SessionConfig.model_validate({}, context={"dialect": name}), "m")
        signals = subject.receive(json.dumps(message), 7)
        named = [each.error.message for each in signals if isinstance(each, ServerError) and each.fatal]
        assert name == spoken or (named and str(named[0]).endswith(f"use dialect: {spoken}")), name
