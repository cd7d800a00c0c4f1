"""The server's side of Grok Voice: its own keys of a session, its conversation, words so far, and rates."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bench.server.protocol.config import default_session
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.xai import RATES_HZ, XaiShape
from tests.server.support import types


def opened() -> tuple[XaiShape, Session, list[dict[str, Any]]]:
    shape = XaiShape()
    session = Session(model="m", created_at_s=0, shape=shape, settings=shape.settings(default_session("m")))
    return shape, session, wire(shape, session.open())


def wire(shape: XaiShape, actions: Any) -> list[dict[str, Any]]:
    return [dict(message) for event in actions.events for message in shape.outgoing(event)]


def updated(shape: XaiShape, session: Session, **asked: Any) -> dict[str, Any]:
    (answer,) = wire(shape, session.handle_text(orjson.dumps({"type": "session.update", "session": asked})))
    return answer


def test_a_session_begins_with_a_conversation() -> None:
    _, _, said = opened()
    assert types(said) == ["session.created", "conversation.created"]
    assert said[0]["session"]["voice"] == "eve"
    assert said[0]["session"]["turn_detection"]["type"] == "server_vad"
    assert said[1]["conversation"]["id"]


def test_keys_of_its_own_are_taken_and_told_back() -> None:
    shape, session, _ = opened()
    heard = {"transcription": {"model": "grok-transcribe", "language_hint": "en", "keyterms": ["Grok"]}}
    asked = {
        "voice": "ara",
        "turn_detection": None,
        "reasoning": {"effort": "none"},
        "tools": [{"type": "web_search"}, {"type": "function", "name": "lookup", "parameters": {"type": "object"}}],
        "audio": {"input": {**heard, "transport": "json"}},
    }
    answer = updated(shape, session, **asked)
    assert answer["type"] == "session.updated", answer
    shown = answer["session"]
    assert (shown["voice"], shown["turn_detection"]) == ("ara", None)
    assert shown["audio"]["input"]["transcription"] == heard["transcription"]
    assert [tool["name"] for tool in shown["tools"]] == ["lookup"]


@pytest.mark.parametrize("rate", RATES_HZ)
def test_the_caller_chooses_the_rates(rate: int) -> None:
    shape, session, _ = opened()
    pcm = {"format": {"type": "audio/pcm", "rate": rate}}
    shown = updated(shape, session, audio={"input": pcm, "output": pcm})["session"]["audio"]
    assert shown["input"]["format"] == shown["output"]["format"] == pcm["format"]
    assert session.input.format.rate_hz == rate


@pytest.mark.parametrize(
    "side", [{"format": {"type": "audio/pcm", "rate": 1}}, {"format": "pcm"}, {"transport": "binary"}]
)
def test_what_cannot_be_is_refused(side: dict[str, Any]) -> None:
    shape, session, _ = opened()
    assert updated(shape, session, audio={"input": side})["type"] == "error"


def test_words_come_as_all_of_them_so_far() -> None:
    shape = XaiShape()
    kind = "conversation.item.input_audio_transcription"
    piece = {"type": f"{kind}.delta", "event_id": "event_1", "item_id": "i", "content_index": 0}
    told = [message for words in ("Two ", "plans") for message in shape.outgoing({**piece, "delta": words})]
    assert [(each["type"], each["transcript"]) for each in told] == [
        (f"{kind}.updated", "Two "), (f"{kind}.updated", "Two plans"),
    ]  # fmt: skip
