"""The server's side of Azure Voice Live: what only it has is taken, told back, and changes nothing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bench.server.protocol.config import default_session
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.variants import VoiceLiveShape

OWN: dict[str, Any] = {
    "voice": {"type": "azure-standard", "name": "en-US-Ava"},
    "input_audio_noise_reduction": {"type": "azure_deep_noise_suppression"},
    "input_audio_echo_cancellation": {"type": "server_echo_cancellation"},
    "input_audio_transcription": {"model": "azure-speech", "phrase_list": ["Contoso"]},
    "output_audio_timestamp_types": ["word"],
    "turn_detection": {
        "type": "azure_semantic_vad_multilingual",
        "silence_duration_ms": 300,
        "remove_filler_words": True,
        "languages": ["en"],
        "end_of_utterance_detection": {"model": "semantic_detection_v1"},
    },
    "parallel_tool_calls": True,
}


def opened() -> Session:
    shape = VoiceLiveShape()
    return Session(model="m", created_at_s=0, shape=shape, settings=shape.settings(default_session("m")))


def updated(session: Session, **asked: Any) -> dict[str, Any]:
    (event,) = session.handle_text(orjson.dumps({"type": "session.update", "session": asked})).events
    (message,) = session._shape.outgoing(event)
    return dict(message)


def test_keys_of_its_own_are_told_back() -> None:
    session = opened()
    answer = updated(session, **OWN)
    assert answer["type"] == "session.updated", answer
    shown = answer["session"]
    for key, value in OWN.items():
        if isinstance(value, dict):
            assert value.items() <= shown[key].items(), key
        else:
            assert shown[key] == value
    assert session.settings["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
    again = updated(session, input_audio_noise_reduction={"type": "near_field"}, instructions="Be brief.")["session"]
    assert again["input_audio_noise_reduction"]["type"] == "near_field"
    assert again["turn_detection"]["type"] == "azure_semantic_vad_multilingual"


@pytest.mark.parametrize("wrong", [{"turn_detection": {"type": "azure_vad"}}, {"no_such_key": 1}])
def test_what_nobody_knows_is_refused(wrong: dict[str, Any]) -> None:
    assert updated(opened(), **wrong)["type"] == "error"
