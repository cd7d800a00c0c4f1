"""The openai-beta dialect from recorded messages, and how each of the two shapes notices the other."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.beta.realtime import SessionUpdateEvent
from openai.types.beta.realtime.session_update_event import Session as SdkSession

from bench.dialects.dialect import Address
from bench.dialects.openai import OpenAIDialect
from bench.dialects.openai_beta import OpenAIBetaDialect
from bench.dialects.openai_shapes import flat, nested, shape_of_session
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    Malformed,
    RateLimits,
    ResponseEnded,
    ServerError,
    SessionReady,
    Signal,
    TextDelta,
    signal_from_dict,
    signal_to_dict,
)
from bench.scenario.model import SessionConfig


def dialect(kind: type[OpenAIDialect] = OpenAIBetaDialect, **config: Any) -> OpenAIDialect:
    return kind(SessionConfig.model_validate(config))


def receive(subject: OpenAIDialect, **event: Any) -> list[Signal]:
    return list(subject.receive(json.dumps(event), 7))


# what is sent


CONFIGS: list[dict[str, Any]] = [
    {},
    {"turn_detection": "manual", "transcription": None},
    {"output": "text", "max_output_tokens": "inf"},
    {"input_format": "pcmu", "output_format": "pcma", "instructions": "Be brief.", "voice": "ash"},
    {"noise_reduction": "near_field", "turn_detection": {"type": "semantic_vad", "eagerness": "low"}},
    {"extra": {"temperature": 0.8}},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_session_is_flat_and_of_the_published_types(config: dict[str, Any]) -> None:
    (message,) = dialect(**config).opening()
    sent = json.loads(message)
    event = SessionUpdateEvent.model_validate(sent)
    known = set(SdkSession.model_fields)
    assert set(sent["session"]) <= known, "no key that this shape does not have"
    assert event.type == "session.update"
    assert shape_of_session(sent["session"]) == "beta"


def test_what_the_flat_session_says() -> None:
    session = dialect(instructions="Be brief.", input_format="pcmu", max_output_tokens=100).session_body()
    assert session["modalities"] == ["text", "audio"]
    assert session["input_audio_format"] == "g711_ulaw"
    assert session["output_audio_format"] == "pcm16"
    assert session["max_response_output_tokens"] == 100
    assert session["turn_detection"] == {"type": "server_vad", "silence_duration_ms": 500}
    silent = dialect(turn_detection="manual", transcription=None, output="text").session_body()
    assert silent["turn_detection"] is None
    assert silent["input_audio_transcription"] is None
    assert silent["modalities"] == ["text"]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_session_made_flat_and_nested_again_says_the_same(config: dict[str, Any]) -> None:
    body = dialect(OpenAIDialect, **config).session_body()
    again = nested(flat(body))
    assert again["audio"]["input"]["turn_detection"] == body["audio"]["input"]["turn_detection"]
    assert again["audio"]["input"]["format"]["type"] == body["audio"]["input"]["format"]["type"]
    assert set(body["output_modalities"]) <= set(again["output_modalities"])
    assert nested(body) is body


def test_the_header_asks_for_the_shape_unless_the_scenario_does() -> None:
    address = Address("wss://a.example/v1/realtime", "m", {"Authorization": "secret"})
    assert OpenAIBetaDialect.endpoint(address).headers == {"Authorization": "secret", "OpenAI-Beta": "realtime=v1"}
    own = Address("wss://a.example/v1/realtime", "m", {"openai-beta": "realtime=v2"})
    assert OpenAIBetaDialect.endpoint(own).headers == {"openai-beta": "realtime=v2"}


def test_a_deployment_in_the_query_is_the_model() -> None:
    address = Address("wss://a.example/openai/realtime", "m", {}, {"api-version": "v", "deployment": "d"})
    assert OpenAIBetaDialect.endpoint(address).url.endswith("/openai/realtime?api-version=v&deployment=d")


# what is received


def test_a_reply_in_the_names_of_this_shape() -> None:
    subject = dialect()
    sound = base64.b64encode(b"\0\1" * 240).decode()
    ids = {"response_id": "r", "item_id": "a"}
    (delta,) = receive(subject, type="response.audio.delta", delta=sound, **ids)
    assert isinstance(delta, AudioDelta)
    assert (delta.response_id, delta.item_id, delta.samples) == ("r", "a", 240)
    assert receive(subject, type="response.audio_transcript.delta", delta="Hi", **ids) == [
        TextDelta(7, "r", "Hi", "transcript")
    ]
    assert receive(subject, type="response.text.delta", delta="Hi", **ids) == [TextDelta(7, "r", "Hi", "text")]
    assert receive(subject, type="response.audio.done", **ids) == [AudioDone(7, "r")]
    for quiet in ("conversation.item.created", "response.audio_transcript.done", "response.text.done"):
        assert receive(subject, type=quiet, item={}) == []


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 4}])
def test_usage_that_is_missing_is_unknown(usage: Any) -> None:
    (ended,) = receive(dialect(), type="response.done", response={"id": "r", "status": "completed", "usage": usage})
    assert isinstance(ended, ResponseEnded)
    assert ended.usage is None


def test_cached_tokens_come_as_one_total() -> None:
    usage = {"input_token_details": {"text_tokens": 9, "audio_tokens": 20, "cached_tokens": 8}}
    (ended,) = receive(dialect(), type="response.done", response={"id": "r", "status": "completed", "usage": usage})
    assert isinstance(ended, ResponseEnded)
    assert ended.usage is not None
    assert (ended.usage.in_cached_text_tokens, ended.usage.in_cached_audio_tokens) == (8, None)
    assert ended.usage.cached_split_assumed
    assert ended.usage.out_audio_tokens is None


def test_an_empty_list_of_limits_is_no_limit() -> None:
    assert receive(dialect(), type="rate_limits.updated", rate_limits=[]) == [RateLimits(7, ())]


def test_the_acknowledged_session_is_compared_with_what_was_asked() -> None:
    subject = dialect(voice="ash")
    body = subject.session_body()
    assert receive(subject, type="session.updated", session=body) == [SessionReady(7, ())]
    (ready,) = receive(subject, type="session.updated", session={**body, "voice": "coral"})
    assert ready == SessionReady(7, ("the server set session.audio.output.voice to coral, not to ash as asked",))
    (error,) = receive(subject, type="session.updated", session={**body, "input_audio_format": "g711_alaw"})
    assert isinstance(error, ServerError)
    assert (error.fatal, error.error.code) == (True, "session_not_applied")


# a server of the other shape

BETA_SAYS = "this server speaks the beta shape; use dialect: openai-beta"
GA_SAYS = "this server speaks the GA shape; use dialect: openai"
FLAT = {"id": "s", "modalities": ["text", "audio"], "input_audio_format": "pcm16", "turn_detection": None}
NESTED = {"id": "s", "type": "realtime", "output_modalities": ["audio"], "audio": {"input": {}}}
TOLD: list[tuple[type[OpenAIDialect], str, dict[str, Any]]] = [
    (OpenAIDialect, BETA_SAYS, {"type": "session.created", "session": FLAT}),
    (OpenAIDialect, BETA_SAYS, {"type": "response.audio.delta", "delta": "AAAA"}),
    (OpenAIDialect, BETA_SAYS, {"type": "response.audio_transcript.delta", "delta": "Hi"}),
    (OpenAIDialect, BETA_SAYS, {"type": "response.text.delta", "delta": "Hi"}),
    (OpenAIBetaDialect, GA_SAYS, {"type": "session.created", "session": NESTED}),
    (OpenAIBetaDialect, GA_SAYS, {"type": "response.output_audio.delta", "delta": "AAAA"}),
    (OpenAIBetaDialect, GA_SAYS, {"type": "error", "error": {"code": "beta_api_shape_disabled"}}),
]


@pytest.mark.parametrize(("kind", "said", "event"), TOLD)
def test_a_server_of_the_other_shape_is_named(kind: type[OpenAIDialect], said: str, event: dict[str, Any]) -> None:
    (error,) = receive(dialect(kind), **event)
    assert isinstance(error, ServerError)
    assert (error.fatal, error.error.code, error.error.message) == (True, "wrong_dialect", said)
    assert error.error.error_kind == "protocol"


@pytest.mark.parametrize("session", [{}, {"id": "s"}, {"voice": "ash", "turn_detection": None}, None, [], "x"])
@pytest.mark.parametrize("kind", [OpenAIDialect, OpenAIBetaDialect])
def test_a_session_that_does_not_tell_is_no_reason(kind: type[OpenAIDialect], session: Any) -> None:
    (created,) = receive(dialect(kind), type="session.created", session=session)
    assert not isinstance(created, ServerError)


def test_a_server_that_uses_both_spellings_is_understood() -> None:
    subject = dialect(OpenAIDialect)
    assert len(receive(subject, type="response.output_audio_transcript.delta", delta="Hi")) == 1
    assert receive(subject, type="response.audio_transcript.delta", delta="Hi")[0].__class__.__name__ == "Unrecognised"


# whatever a server sends

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted({"modalities", "input_audio_format", "audio", "voice", "turn_detection", "delta", "usage", "id", "item"})
bodies = st.dictionaries(st.sampled_from(KEYS), json_values, max_size=5)


@given(kind=st.sampled_from(sorted(OpenAIBetaDialect._handlers)), fields=bodies, inner=bodies)
def test_no_message_can_raise(kind: str, fields: dict[str, Any], inner: dict[str, Any]) -> None:
    for body in (fields, {**fields, "response": inner, "session": inner, "error": inner}):
        for signal in dialect().receive(json.dumps({**body, "type": kind}), 7):
            stored = json.loads(json.dumps(signal_to_dict(signal)))
            assert signal_to_dict(signal_from_dict(stored)) == signal_to_dict(signal)


def test_what_is_no_message_of_the_protocol_is_told() -> None:
    (broken,) = dialect().receive(b"\xff\x00", 7)
    assert isinstance(broken, Malformed)
