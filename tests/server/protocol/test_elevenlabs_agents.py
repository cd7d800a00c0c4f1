"""The server's side of ElevenLabs Agents: formats by the agent's id, a conversation, and whatever a client sends."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest

from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.config import default_session
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.elevenlabs_agents import MOST_UNANSWERED, AgentsShape
from tests.support.spoiled import mutated

START = {"type": "conversation_initiation_client_data"}


def opened(agent: str = "a1") -> tuple[AgentsShape, Session]:
    shape = AgentsShape()
    return shape, Session(model=agent, created_at_s=0, shape=shape, settings=shape.settings(default_session(agent)))


def said(shape: AgentsShape, session: Session, message: object) -> list[Any]:
    data = message if isinstance(message, str | bytes) else orjson.dumps(message)
    events = session.handle_text(data).events
    return [json.loads(orjson.dumps(each)) for event in events for each in shape.outgoing(event)]


@pytest.mark.parametrize(
    ("agent", "word", "rate_hz"),
    [("a1", "pcm_16000", 16_000), ("x-ulaw_8000", "ulaw_8000", 8_000), ("pcm_44100", "pcm_44100", 44_100)],
)
def test_an_agent_speaks_in_the_format_that_its_id_ends_with(agent: str, word: str, rate_hz: int) -> None:
    shape, session = opened(agent)
    (told,) = said(shape, session, START)
    event = told["conversation_initiation_metadata_event"]
    assert (event["agent_output_audio_format"], event["user_input_audio_format"]) == (word, word)
    assert session.input.format.rate_hz == rate_hz


def test_a_first_message_is_spoken_first() -> None:
    shape, session = opened()
    said(shape, session, {**START, "conversation_config_override": {"agent": {"first_message": "Welcome"}}})
    assert session.speak().events == [], "it speaks already"


def test_pings_that_nobody_answers_end_the_call() -> None:
    shape, session = opened()
    assert shape.beat(1.0) == ()
    said(shape, session, START)
    for _ in range(MOST_UNANSWERED):
        (ping,) = shape.beat(1.0)
        assert ping["type"] == "ping"
    with pytest.raises(ProtocolError):
        shape.beat(1.0)
    said(shape, session, {"type": "pong", "event_id": 1})
    assert shape.beat(1.0)


def test_two_thousand_spoiled_messages_crash_nothing() -> None:
    draw = random.Random(6)
    healthy: list[dict[str, Any]] = [
        START,
        {**START, "conversation_config_override": {"agent": {"prompt": {"prompt": "p"}}, "tts": {"voice_id": "v"}}},
        {"user_audio_chunk": "AAAA"},
        {"type": "pong", "event_id": 1},
        {"type": "client_tool_result", "tool_call_id": "c", "result": "r", "is_error": False},
        {"type": "user_message", "text": "Hi"},
        {"type": "contextual_update", "text": "More"},
        {"type": "user_activity"},
    ]
    errors = 0
    for _ in range(20):
        shape, session = opened()
        for _ in range(100):
            answers = said(shape, session, mutated(draw.choice(healthy), draw))
            errors += sum(each["type"] == "client_error" for each in answers)
    assert 0 < errors < 2_000
