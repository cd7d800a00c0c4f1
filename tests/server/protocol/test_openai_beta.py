"""The server's beta shape: every message that it sends is one of the SDK's published types of that shape."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from bench.audio.formats import AudioFormat
from bench.server.protocol.commands import Actions, ReplyRequest
from bench.server.protocol.config import default_session
from bench.server.protocol.responses import Ending
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.openai_beta import BetaShape
from bench.server.protocol.shapes.shape import Shape
from bench.server.protocol.shapes.variants import QwenShape, VoiceLiveShape
from bench.server.protocol.shapes.xai import XaiShape
from tests.server.support import frames, silence, speech, types, user_text

BETA_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
MODEL = "gpt-4o-mini-realtime-preview"
"""The published types list the models."""


class BetaTalk:
    """A session behind the beta shape; checks all that it would send."""

    def __init__(self, *setup: dict[str, Any]) -> None:
        self.shape = BetaShape()
        settings = self.shape.settings(default_session(MODEL))
        self.session = Session(model=MODEL, created_at_s=0, shape=self.shape, settings=settings)
        self.sent: list[dict[str, Any]] = []
        self.requests: list[ReplyRequest] = []
        self.take(self.session.open())
        self.send(*setup)

    def take(self, actions: Actions) -> list[dict[str, Any]]:
        said = [dict(message) for event in actions.events for message in self.shape.outgoing(event)]
        for message in said:
            model = BETA_EVENTS.validate_json(json.dumps(message))
            assert type(model).model_fields["type"].annotation.__args__ == (message["type"],), message  # type: ignore[union-attr]
        self.sent += said
        self.requests += [each for each in actions.commands if isinstance(each, ReplyRequest)]
        return said

    def send(self, *messages: dict[str, Any]) -> list[dict[str, Any]]:
        return [said for message in messages for said in self.take(self.session.handle_text(orjson.dumps(message)))]

    def error(self, message: dict[str, Any]) -> dict[str, Any]:
        (said,) = self.send(message)
        assert said["type"] == "error", said
        return dict(said["error"])


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "event_id": "u1", "session": session}


def test_a_spoken_turn_from_end_to_end() -> None:
    talk = BetaTalk(
        update(
            modalities=["audio", "text"],
            voice="ash",
            input_audio_format="pcm16",
            input_audio_transcription={"model": "whisper-1"},
            turn_detection={"type": "server_vad", "silence_duration_ms": 300},
            max_response_output_tokens=100,
            temperature=0.7,
            tools=[],
        )
    )
    session = talk.sent[-1]["session"]
    assert session["input_audio_format"] == session["output_audio_format"] == "pcm16"
    assert (session["voice"], session["temperature"], session["max_response_output_tokens"]) == ("ash", 0.7, 100)
    assert sorted(session["modalities"]) == ["audio", "text"]
    assert session["turn_detection"]["silence_duration_ms"] == 300
    assert not {"audio", "type", "output_modalities", "max_output_tokens"} & set(session)
    talk.send(*frames(speech("yes-rms")), *frames(silence(900)))
    (request,) = talk.requests
    assert request.voice == "ash"
    talk.take(talk.session.reply_text(request.response_id, "Good day."))
    talk.take(talk.session.reply_audio(request.response_id, bytes(960)))
    talk.take(talk.session.reply_ended(request.response_id, Ending("completed")))
    assert types(talk.sent) == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    response = talk.sent[-1]["response"]
    assert response["output"][0]["content"] == [{"type": "audio", "transcript": "Good day."}]
    assert response["usage"]["input_token_details"].keys() == {"text_tokens", "audio_tokens", "cached_tokens"}


def test_a_typed_turn_by_hand() -> None:
    talk = BetaTalk(update(modalities=["text"], turn_detection=None))
    assert talk.sent[-1]["session"]["turn_detection"] is None
    talk.send(user_text("Hello"))
    old = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi."}]}
    talk.send({"type": "conversation.item.create", "item": old})
    assert talk.sent[-1]["item"]["content"] == [{"type": "text", "text": "Hi."}]
    talk.send({"type": "response.create", "response": {"modalities": ["text"], "max_output_tokens": 50}})
    (request,) = talk.requests
    assert (request.modality, request.max_output_tokens) == ("text", 50)
    assert [item.text for item in request.context] == ["Hello", "Hi."]
    talk.take(talk.session.reply_text(request.response_id, "Bye."))
    talk.take(talk.session.reply_ended(request.response_id, Ending("completed")))
    assert "response.text.delta" in types(talk.sent)


def test_g711_is_called_by_its_old_names() -> None:
    talk = BetaTalk(update(input_audio_format="g711_ulaw", output_audio_format="g711_alaw"))
    assert talk.session.input.format == AudioFormat.PCMU
    assert talk.sent[-1]["session"]["output_audio_format"] == "g711_alaw"


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"audio": {"input": {}}}, "session.audio"),
        ({"output_modalities": ["audio"]}, "session.output_modalities"),
        ({"type": "realtime"}, "session.type"),
        ({"modalities": ["audio"]}, "session.modalities"),
        ({"input_audio_format": "mp3"}, "session.input_audio_format"),
        ({"temperature": 2}, "session.temperature"),
        ({"temperature": "hot"}, "session.temperature"),
        ({"turn_detection": {"type": "server_vad", "threshold": 3}}, "session.turn_detection.threshold"),
        ({"max_response_output_tokens": -1}, "session.max_response_output_tokens"),
        ({"voice": "nobody"}, "session.voice"),
    ],
)
def test_a_refusal_names_the_parameter_as_the_client_knows_it(session: dict[str, Any], param: str) -> None:
    error = BetaTalk().error(update(**session))
    assert (error["param"], error["event_id"]) == (param, "u1")
    assert "session.audio.input" not in error["message"]


# whatever a client sends

ODD: list[Any] = [None, True, -1, 0, 1e308, "", "x" * 500, [], {}, [[]], {"id": {}}, {"type": "text"}, ["text"]]


def spoiled(message: dict[str, Any], draw: random.Random) -> bytes:
    """A message with a value exchanged or dropped, or its text cut or flipped."""
    message = json.loads(json.dumps(message))
    owner: Any = message
    while (inner := [value for value in owner.values() if isinstance(value, dict)]) and draw.random() < 0.6:
        owner = draw.choice(inner)
    key = draw.choice([*owner, "odd"])
    if draw.random() < 0.2:
        owner.pop(key, None)
    else:
        owner[key] = draw.choice(ODD)
    data = json.dumps(message).encode()
    if draw.random() < 0.2:
        at = draw.randrange(len(data))
        return data[:at] if draw.random() < 0.5 else data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    return data


@pytest.mark.parametrize("speaks", [BetaShape, VoiceLiveShape, QwenShape, XaiShape])
def test_two_thousand_spoiled_messages_crash_nothing(speaks: type[Shape]) -> None:
    draw = random.Random(7)
    part = {"type": "text", "text": "Hi."}
    healthy: list[dict[str, Any]] = [
        update(modalities=["text"], voice="ash", turn_detection={"type": "server_vad"}, temperature=0.8),
        update(input_audio_format="g711_ulaw", input_audio_transcription={"model": "whisper-1"}),
        {"type": "response.create", "response": {"modalities": ["text"], "input": [{"type": "item_reference"}]}},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [part]}},
        {"type": "input_audio_buffer.append", "audio": "AAAA"},
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 5},
        {"type": "input_audio_buffer.commit"},
        {"type": "response.cancel"},
    ]
    errors = 0
    for _ in range(20):
        shape = speaks()
        session = Session(model="m", created_at_s=0, shape=shape)
        for _ in range(100):
            actions = session.handle_text(spoiled(draw.choice(healthy), draw))
            for event in actions.events:
                for message in shape.outgoing(event):
                    orjson.dumps(message)
                    errors += message["type"] == "error"
    assert 0 < errors < 2_000
