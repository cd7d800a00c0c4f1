"""Dialects that differ from `openai` or `openai-beta` in a few places: what each sends and reads otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.audio.formats import AudioFormat
from bench.dialects import dialect_of
from bench.dialects.dialect import Address
from bench.dialects.openai import OpenAIDialect
from bench.facts.signals import ResponseEnded, ServerError, SessionReady
from bench.scenario.model import SessionConfig

VARIANTS = ("azure-voice-live", "qwen-omni", "xai")


def dialect(name: str, **config: Any) -> OpenAIDialect:
    made = dialect_of(name)(SessionConfig.model_validate(config))
    assert isinstance(made, OpenAIDialect)
    return made


@pytest.mark.parametrize(
    ("name", "url", "expected"),
    [
        ("azure-voice-live", "wss://r.example", "/voice-live/realtime?api-version=2025-10-01&model=m"),
        ("azure-voice-live", "wss://r.example/x?api-version=v", "/x?api-version=v&model=m"),
        ("qwen-omni", "wss://r.example", "/api-ws/v1/realtime?model=m"),
        ("xai", "wss://r.example", "/v1/realtime?model=m"),
    ],
)
def test_where_it_is_called(name: str, url: str, expected: str) -> None:
    place = dialect_of(name).endpoint(Address(url, "m", {"api-key": "secret"}))
    assert place.url == f"wss://r.example{expected}"
    assert place.headers == {"api-key": "secret"}, "no header asks for the beta shape"


def test_voice_live_names_the_rate_and_its_own_detection() -> None:
    body = dialect("azure-voice-live", turn_detection="semantic_vad").session_body()
    assert body["input_audio_sampling_rate"] == 24_000
    assert body["turn_detection"] == {"type": "azure_semantic_vad"}
    assert "input_audio_sampling_rate" not in dialect("azure-voice-live", input_format="pcmu").session_body()


def test_qwen_hears_16_khz_and_speaks_24() -> None:
    subject = dialect("qwen-omni")
    assert subject.input_format == AudioFormat("pcm16", 16_000)
    assert subject.output_format == AudioFormat.PCM16
    body = subject.session_body()
    assert (body["input_audio_format"], body["output_audio_format"]) == ("pcm", "pcm")
    assert body["modalities"] == ["text", "audio"]


@pytest.mark.parametrize("words", [("pcm", "pcm"), ("pcm16", "pcm24")])
def test_qwen_may_call_its_formats_otherwise(words: tuple[str, str]) -> None:
    subject = dialect("qwen-omni")
    told = {**subject.session_body(), "input_audio_format": words[0], "output_audio_format": words[1]}
    assert subject.receive(json.dumps({"type": "session.updated", "session": told}), 7) == (SessionReady(7, ()),)


def test_xai_has_two_keys_at_the_top_and_is_asked_to_answer() -> None:
    body = dialect("xai", voice={"name": "Ara"}).session_body()
    assert body["voice"] == "Ara"
    assert body["turn_detection"] == {"create_response": True, "type": "server_vad", "silence_duration_ms": 500}
    assert not {"turn_detection", "voice"} & {*body["audio"]["input"], *body["audio"]["output"]}
    quiet = dialect("xai", turn_detection={"type": "server_vad", "create_response": False})
    assert quiet.session_body()["turn_detection"]["create_response"] is False
    assert dialect("xai", turn_detection="manual").session_body()["turn_detection"] is None


def test_xai_that_keeps_detecting_turns_is_noticed() -> None:
    subject = dialect("xai", turn_detection="manual")
    told = {**subject.session_body(), "turn_detection": {"type": "server_vad"}}
    (error,) = subject.receive(json.dumps({"type": "session.updated", "session": told}), 7)
    assert isinstance(error, ServerError)
    assert error.error.code == "session_not_applied"


def test_xai_may_give_usage_beside_the_response() -> None:
    usage = {"input_token_details": {"audio_tokens": 4}, "output_token_details": {"audio_tokens": 6}}
    done = {"type": "response.done", "usage": usage, "response": {"id": "r", "status": "completed", "usage": {}}}
    (ended,) = dialect("xai").receive(json.dumps(done), 7)
    assert isinstance(ended, ResponseEnded)
    assert ended.usage is not None
    assert (ended.usage.in_audio_tokens, ended.usage.out_audio_tokens) == (4, 6)
    (ended,) = dialect("xai").receive(json.dumps({**done, "usage": {}, "response": {"id": "q"}}), 7)
    assert isinstance(ended, ResponseEnded)
    assert ended.usage is None


values = st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=2))
bodies = st.dictionaries(st.sampled_from(["id", "usage", "audio", "voice", "turn_detection", "status"]), values)


@pytest.mark.parametrize("name", VARIANTS)
@given(kind=st.sampled_from(["session.created", "session.updated", "response.done", "error"]), fields=bodies)
def test_no_message_can_raise(name: str, kind: str, fields: dict[str, Any]) -> None:
    found = dialect(name).receive(json.dumps({**fields, "type": kind, "session": fields, "response": fields}), 7)
    assert found, "a message that is understood or not is a fact"
    assert all(signal.at_ns == 7 for signal in found)
