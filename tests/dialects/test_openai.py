"""The openai dialect from recorded messages, at full speed, with no network."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dialects.dialect import Address
from bench.dialects.openai import SESSION_UPDATE_ID, OpenAIDialect
from bench.dialects.openai_fields import parse_usage
from bench.facts.signals import (
    AudioDelta,
    ErrorInfo,
    IdleTimeout,
    InputTranscript,
    Malformed,
    RateLimits,
    ResponseEnded,
    ResponseStarted,
    ServerError,
    SessionEnds,
    SessionReady,
    Signal,
    SpeechStopped,
    TextDelta,
    ToolCall,
    TranscriptionUsage,
    Unrecognised,
    Usage,
    signal_from_dict,
    signal_to_dict,
)
from bench.scenario.model import SessionConfig


def dialect(**config: Any) -> OpenAIDialect:
    return OpenAIDialect(SessionConfig.model_validate(config))


def receive(subject: OpenAIDialect, **event: Any) -> list[Signal]:
    return list(subject.receive(json.dumps(event), 7))


def audio(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


# what is sent


def test_configuration_is_ga_shaped_and_says_vad_and_transcription_explicitly() -> None:
    (message,) = dialect(instructions="Be brief.", voice="marin", transcription={"model": "whisper-1"}).opening()
    sent = json.loads(message)
    assert sent["type"] == "session.update"
    assert sent["event_id"] == SESSION_UPDATE_ID
    session = sent["session"]
    assert session["type"] == "realtime"
    assert session["output_modalities"] == ["audio"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"] == {"type": "server_vad", "silence_duration_ms": 500}
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1"}
    assert session["audio"]["output"]["voice"] == "marin"


def test_push_to_talk_sends_an_explicit_null() -> None:
    body = dialect(turn_detection="manual", transcription=None, input_format="pcmu").session_body()
    assert body["audio"]["input"]["turn_detection"] is None
    assert body["audio"]["input"]["transcription"] is None
    assert body["audio"]["input"]["format"] == {"type": "audio/pcmu"}


def test_extra_keys_are_laid_over_the_configuration() -> None:
    body = dialect(extra={"reasoning": {"effort": "low"}, "audio": {"output": {"speed": 1.2}}}).session_body()
    assert body["reasoning"] == {"effort": "low"}
    assert body["audio"]["output"]["speed"] == 1.2
    assert body["audio"]["output"]["format"]["type"] == "audio/pcm"


def test_only_push_to_talk_commits() -> None:
    assert dialect().end_of_turn(3) == ()
    commit, create = map(json.loads, dialect(turn_detection="manual").end_of_turn(3))
    assert (commit["type"], create["type"]) == ("input_audio_buffer.commit", "response.create")
    assert dialect(turn_detection="manual").refuses_turn(ErrorInfo(event_id=commit["event_id"]), 3)
    assert not dialect(turn_detection="manual").refuses_turn(ErrorInfo(event_id=commit["event_id"]), 4)


def test_a_busy_response_is_no_refusal_of_the_turn() -> None:
    benign = ErrorInfo(code="conversation_already_has_active_response", event_id="bench-0-response")
    assert not dialect(turn_detection="manual").refuses_turn(benign, 0)


def test_an_audio_message_carries_the_payload() -> None:
    sent = json.loads(dialect().audio_message(b"\x01\x02\x03\x04"))
    assert sent == {"type": "input_audio_buffer.append", "audio": audio(b"\x01\x02\x03\x04")}


@pytest.mark.parametrize(
    ("url", "model", "query", "expected"),
    [
        ("wss://api.openai.com/v1/realtime", "gpt-realtime-mini", {}, "?model=gpt-realtime-mini"),
        ("wss://a.example/openai/realtime?deployment=x", "m", {"api-version": "v"}, "?deployment=x&api-version=v"),
        ("wss://a.example/v1/realtime?model=other", "m", {}, "?model=other"),
        ("ws://127.0.0.1:9", "m", {}, "/v1/realtime?model=m"),
    ],
)
def test_the_model_goes_into_the_query_once(url: str, model: str, query: dict[str, str], expected: str) -> None:
    place = OpenAIDialect.endpoint(Address(url, model, {"api-key": "secret"}, query))
    assert place.url.endswith(expected)
    assert place.headers == {"api-key": "secret"}
    assert "secret" not in repr(place)


# what is received


def test_one_turn_as_neutral_signals() -> None:
    subject = dialect()
    events: list[dict[str, Any]] = [
        {"type": "session.updated", "session": {"id": "s"}},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "u", "audio_end_ms": 3800},
        {"type": "conversation.item.added", "item": {"id": "u"}},
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_audio_transcript.delta", "response_id": "r", "delta": "Hi", "obfuscation": "x8"},
        {"type": "response.output_audio.delta", "response_id": "r", "item_id": "a", "delta": audio(b"\0" * 480)},
        {"type": "response.done", "response": {"id": "r", "status": "completed", "output": [], "usage": None}},
    ]
    signals = [signal for event in events for signal in receive(subject, **event)]
    assert [type(signal) for signal in signals] == [
        SessionReady,
        SpeechStopped,
        ResponseStarted,
        TextDelta,
        AudioDelta,
        ResponseEnded,
    ]
    assert all(signal.at_ns == 7 for signal in signals)
    delta = signals[4]
    assert isinstance(delta, AudioDelta)
    assert (delta.samples, delta.wire_bytes) == (240, 480)
    ended = signals[5]
    assert isinstance(ended, ResponseEnded)
    assert (ended.status, ended.usage, ended.text) == ("completed", None, None)


def test_usage_keeps_the_cached_part_inside_the_input() -> None:
    usage = parse_usage(
        {
            "input_token_details": {
                "text_tokens": 14,
                "audio_tokens": 26,
                "image_tokens": 0,
                "cached_tokens": 9,
                "cached_tokens_details": {"text_tokens": 4, "audio_tokens": 5, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": 5, "audio_tokens": 15},
        }
    )
    assert usage == Usage(
        in_text_tokens=14,
        in_audio_tokens=26,
        in_image_tokens=0,
        in_cached_text_tokens=4,
        in_cached_audio_tokens=5,
        in_cached_image_tokens=0,
        out_text_tokens=5,
        out_audio_tokens=15,
    )


def test_an_unsplit_cached_total_is_flagged() -> None:
    usage = parse_usage({"input_token_details": {"text_tokens": 90, "audio_tokens": 10, "cached_tokens": 64}})
    assert usage is not None
    assert (usage.in_cached_text_tokens, usage.in_cached_audio_tokens) == (64, None)
    assert usage.cached_split_assumed


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"input_tokens": 120, "output_tokens": 60}, Usage(in_total_tokens=120, out_total_tokens=60)),
        (
            {
                "input_tokens": 100,
                "input_token_details": {"text_tokens": 90, "cached_tokens": 64, "cached_tokens_details": {}},
                "output_token_details": {"text_tokens": 30, "reasoning_tokens": 25},
            },
            Usage(
                in_text_tokens=90,
                in_cached_text_tokens=64,
                out_text_tokens=30,
                in_total_tokens=100,
                out_reasoning_tokens=25,
                cached_split_assumed=True,
            ),
        ),
    ],
)
def test_usage_of_totals_of_an_empty_split_and_of_reasoning(raw: object, expected: Usage) -> None:
    assert parse_usage(raw) == expected


@pytest.mark.parametrize("raw", [None, {}, {"prompt_tokens": 5, "completion_tokens": 6}, [], 3, "x"])
def test_usage_that_is_not_there_is_none(raw: object) -> None:
    assert parse_usage(raw) is None


def test_failed_response_carries_its_error() -> None:
    (ended,) = receive(
        dialect(),
        type="response.done",
        response={
            "id": "r",
            "status": "failed",
            "status_details": {
                "type": "failed",
                "error": {"type": "rate_limit_exceeded", "code": "inference_rate_limit_exceeded", "message": "slow"},
            },
        },
    )
    assert isinstance(ended, ResponseEnded)
    assert ended.error == ErrorInfo(
        "rate_limit_exceeded", "inference_rate_limit_exceeded", "slow", error_kind="rate_limit"
    )


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"type": "duration", "seconds": 2.5}, TranscriptionUsage(seconds=2.5)),
        (
            {"type": "tokens", "output_tokens": 9, "input_token_details": {"text_tokens": 0, "audio_tokens": 13}},
            TranscriptionUsage(in_text_tokens=0, in_audio_tokens=13, out_text_tokens=9),
        ),
        (None, None),
    ],
)
def test_transcription_usage(usage: object, expected: TranscriptionUsage | None) -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    (signal,) = receive(dialect(), type=kind, item_id="u", transcript="hello", usage=usage)
    assert signal == InputTranscript(7, "u", "hello", final=True, usage=expected)


def test_repeats_are_dropped_with_and_without_event_ids() -> None:
    subject = dialect()
    delta = {"type": "response.output_audio.delta", "event_id": "e1", "response_id": "r", "delta": audio(b"\0\0")}
    assert len(receive(subject, **delta)) == 1
    assert receive(subject, **delta) == []
    done = {"type": "response.done", "response": {"id": "r", "status": "completed"}}
    assert len(receive(subject, **done)) == 1
    assert receive(subject, **done) == []
    kind = "conversation.item.input_audio_transcription.completed"
    assert len(receive(subject, type=kind, item_id="u", transcript="a")) == 1
    assert receive(subject, type=kind, item_id="u", transcript="b") == []


def test_a_tool_call_told_three_times_is_one() -> None:
    subject = dialect()
    call = {"call_id": "c", "name": "lookup", "arguments": "{}"}
    first = receive(subject, type="response.function_call_arguments.done", response_id="r", **call)
    again = receive(subject, type="response.output_item.done", response_id="r", item={"type": "function_call", **call})
    assert first == [ToolCall(7, "r", "c", "lookup", "{}")]
    assert again == []


def test_errors_are_told_apart() -> None:
    (benign,) = receive(dialect(), type="error", error={"code": "response_cancel_not_active"})
    (fatal,) = receive(dialect(), type="error", error={"code": "session_expired", "type": "invalid_request_error"})
    (plain,) = receive(dialect(), type="error", error={"code": "odd", "event_id": SESSION_UPDATE_ID})
    assert isinstance(benign, ServerError)
    assert isinstance(fatal, ServerError)
    assert isinstance(plain, ServerError)
    assert (benign.benign, benign.fatal) == (True, False)
    assert (fatal.benign, fatal.fatal) == (False, True)
    assert (plain.benign, plain.fatal) == (False, False)
    assert dialect().refuses_session(plain.error)


def test_rate_limits_may_be_empty_or_odd() -> None:
    (empty,) = receive(dialect(), type="rate_limits.updated", rate_limits=[])
    assert empty == RateLimits(7, ())
    (some,) = receive(dialect(), type="rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": 5}, "x"])
    assert isinstance(some, RateLimits)
    assert [(limit.name, limit.remaining, limit.limit) for limit in some.limits] == [("tokens", 5.0, None)]


def test_samples_are_right_when_chunks_split_a_sample() -> None:
    subject = dialect()
    pcm = np.arange(-50, 51, dtype="<i2")
    raw = pcm.tobytes()
    heard: list[np.ndarray[Any, Any]] = []
    counted = 0
    for piece in (raw[:33], raw[33:34], raw[34:101], raw[101:]):
        (delta,) = receive(subject, type="response.output_audio.delta", response_id="r", delta=audio(piece))
        assert isinstance(delta, AudioDelta)
        counted += delta.samples
        heard.append(subject.decode_audio(delta))
    assert counted == len(pcm)
    assert np.array_equal(np.concatenate(heard), pcm)


def test_g711_deltas_count_a_sample_per_byte() -> None:
    subject = dialect(output_format="pcmu")
    (delta,) = receive(subject, type="response.output_audio.delta", response_id="r", delta=audio(b"\xff" * 81))
    assert isinstance(delta, AudioDelta)
    assert delta.samples == 81
    assert np.array_equal(subject.decode_audio(delta), np.zeros(81, dtype=np.int16))


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "3", '"x"', "{}", '{"type": 4}', b"\xff\xfe", '{"type":"response.output_audio.delta","delta":5}'],
)
def test_what_is_no_message_is_malformed(data: str | bytes) -> None:
    (signal,) = dialect().receive(data, 7)
    assert isinstance(signal, Malformed)
    assert signal.detail.startswith(("not JSON: ", "a JSON ", "an object without", "audio that is not base64: "))


def test_unknown_events_are_kept_by_name() -> None:
    assert receive(dialect(), type="response.video.delta") == [Unrecognised(7, "response.video.delta")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["event_id", "response", "response_id", "item_id", "item", "delta", "audio", "transcript", "usage", "error"]
FIELDS += ["session", "rate_limits", "audio_end_ms", "call_id", "name", "arguments", "id", "status", "output"]


@given(
    kind=st.sampled_from(sorted(dialect()._handlers)),
    fields=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6),
    inner=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4),
)
def test_no_message_can_raise_and_every_signal_survives_storage(
    kind: str, fields: dict[str, Any], inner: dict[str, Any]
) -> None:
    for body in (fields, {**fields, "response": inner, "error": inner, "item": inner, "session": inner}):
        for signal in dialect().receive(json.dumps({**body, "type": kind}), 7):
            stored = json.loads(json.dumps(signal_to_dict(signal)))
            assert signal_to_dict(signal_from_dict(stored)) == signal_to_dict(signal)


def test_detection_by_meaning_is_configured_as_it_was_asked_for() -> None:
    detection = dialect(turn_detection={"type": "semantic_vad", "eagerness": "high", "interrupt_response": False})
    sent = detection.session_body()["audio"]["input"]["turn_detection"]
    assert sent == {"type": "semantic_vad", "eagerness": "high", "interrupt_response": False}
    assert not detection.speech_interrupts
    assert dialect(turn_detection="semantic_vad").session_body()["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad"
    }


def test_a_server_that_does_not_answer_by_itself_is_asked_for_each_utterance() -> None:
    asking = dialect(turn_detection={"type": "server_vad", "create_response": False})
    committed = json.dumps({"type": "input_audio_buffer.committed", "item_id": "u"})
    assert len(asking.receive(committed, 1)) == 1
    (request,) = map(json.loads, asking.data_to_send())
    assert request["type"] == "response.create"
    assert asking.refuses_turn(ErrorInfo(event_id=request["event_id"]), 0)
    asking.receive(committed, 2)
    assert asking.data_to_send() == (), "the same event again"
    plain = dialect()
    plain.receive(committed, 1)
    assert plain.data_to_send() == ()


def test_what_is_sent_to_cut_in() -> None:
    assert [json.loads(each) for each in dialect().cancel_reply("r")] == [
        {"type": "response.cancel", "response_id": "r"}
    ]
    assert [json.loads(each) for each in dialect().cancel_reply(None)] == [{"type": "response.cancel"}]
    (message,) = dialect().truncate("item", 1_250)
    assert json.loads(message) == {
        "type": "conversation.item.truncate", "item_id": "item", "content_index": 0, "audio_end_ms": 1_250
    }  # fmt: skip
    (request,) = dialect().ask_to_speak(0)
    assert json.loads(request)["type"] == "response.create"


def test_silence_that_the_server_takes_in_is_not_answered_by_us() -> None:
    asking = dialect(turn_detection={"type": "server_vad", "create_response": False, "idle_timeout_ms": 5000})
    fired = {"type": "input_audio_buffer.timeout_triggered", "audio_start_ms": 1, "audio_end_ms": 2, "item_id": "s"}
    assert asking.receive(json.dumps(fired), 1) == (IdleTimeout(1, "s"),)
    assert asking.receive(json.dumps(fired), 2) == (), "the same event again"
    asking.receive(json.dumps({"type": "input_audio_buffer.committed", "item_id": "s"}), 3)
    assert asking.data_to_send() == ()


# sessions that end


def test_the_end_that_a_session_was_told() -> None:
    created = receive(dialect(), type="session.created", session={"id": "s", "expires_at": 1_800_000_000})
    assert SessionEnds(7, at_unix_s=1_800_000_000) in created
    for odd in (None, 0, "soon", True, -5):
        found = receive(dialect(), type="session.created", session={"id": "s", "expires_at": odd})
        assert not any(isinstance(signal, SessionEnds) for signal in found)


def test_a_new_session_may_use_the_names_of_the_one_before_again() -> None:
    subject = dialect()
    event = {"type": "input_audio_buffer.speech_stopped", "event_id": "e1", "item_id": "i1", "audio_end_ms": 5}
    assert receive(subject, **event)
    assert not receive(subject, **event)
    subject.renew()
    assert receive(subject, **event)


def test_a_new_session_is_told_what_was_said() -> None:
    subject = dialect()
    user, agent = (json.loads(subject.retell(role, "Hi.")[0])["item"] for role in ("user", "assistant"))
    assert (user["role"], user["content"]) == ("user", [{"type": "input_text", "text": "Hi."}])
    assert (agent["role"], agent["content"]) == ("assistant", [{"type": "output_text", "text": "Hi."}])
