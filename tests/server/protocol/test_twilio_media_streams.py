"""The bot behind Twilio: marks, `clear`, keys, and whatever it is sent."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import orjson

from bench.audio.formats import AudioFormat
from bench.server.protocol.config import default_session
from bench.server.protocol.responses import Ending
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.twilio_media_streams import BotShape
from tests.server.support import speech
from tests.support.spoiled import mutated

START = {"event": "start", "streamSid": "MZ1", "start": {"streamSid": "MZ1", "mediaFormat": {}}}


def opened() -> tuple[BotShape, Session]:
    shape = BotShape()
    return shape, Session(model="m", created_at_s=0, shape=shape, settings=shape.settings(default_session("m")))


def said(shape: BotShape, session: Session, message: object) -> list[Any]:
    actions = session.handle_text(message if isinstance(message, str | bytes) else orjson.dumps(message))
    return told(shape, actions.events)


def told(shape: BotShape, events: list[Any]) -> list[Any]:
    return [json.loads(orjson.dumps(each)) for event in events for each in shape.outgoing(event)]


def test_a_reply_is_marked_and_cleared_when_the_caller_is_heard_into_it() -> None:
    shape, session = opened()
    assert told(shape, session.open().events) == []
    assert said(shape, session, START) == []
    assert shape.caller_name == "MZ1"
    dtmf = {"event": "dtmf", "dtmf": {"digit": "5"}}
    actions = session.handle_text(orjson.dumps(dtmf))
    (response,) = [event["response"]["id"] for event in actions.events if event["type"] == "response.created"]
    (media,) = told(shape, session.reply_audio(response, b"\x00" * 160).events)
    assert media == {"event": "media", "streamSid": "MZ1", "media": {"payload": base64.b64encode(bytes(160)).decode()}}
    (mark,) = told(shape, session.reply_ended(response, Ending("completed")).events)
    assert mark == {"event": "mark", "streamSid": "MZ1", "mark": {"name": response}}
    voice = base64.b64encode(AudioFormat.PCMU.encode(speech("yes-rms", AudioFormat.PCMU))).decode()
    heard = said(shape, session, {"event": "media", "media": {"payload": voice}})
    assert heard == [{"event": "clear", "streamSid": "MZ1"}], "the mark is not back, so the reply is not played"
    said(shape, session, {"event": "mark", "mark": {"name": response}})
    assert not shape._unplayed


def test_two_thousand_spoiled_messages_crash_nothing() -> None:
    draw = random.Random(8)
    healthy: list[dict[str, Any]] = [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        START,
        {"event": "media", "media": {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": "/////w=="}},
        {"event": "dtmf", "dtmf": {"digit": "5"}},
        {"event": "mark", "mark": {"name": "m"}},
        {"event": "stop", "stop": {}},
    ]
    refused = 0
    for _ in range(20):
        shape, session = opened()
        for _ in range(100):
            data = mutated(draw.choice(healthy), draw)
            events = session.handle_text(data).events
            refused += sum(event["type"] == "error" for event in events)
            told(shape, events)
    assert 0 < refused < 2_000
