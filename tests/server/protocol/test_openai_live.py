"""The server's side of OpenAI Live: every message is of the vendor's types, and no message of a client breaks it."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import orjson
import pytest
from openai.types.live import ServerEvent
from pydantic import TypeAdapter

from bench.server.protocol.config import default_session
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.openai_live import BEAT_MS, LiveShape
from tests.support.spoiled import mutated

EVENTS: TypeAdapter[Any] = TypeAdapter(ServerEvent)
START: dict[str, Any] = {"type": "session.start", "event_id": "e", "session": {"model": "gpt-live-1"}}


def opened() -> tuple[LiveShape, Session]:
    shape = LiveShape()
    settings = shape.settings(default_session("m"))
    return shape, Session(model="m", created_at_s=0, shape=shape, settings=settings, model_open=True)


def said(shape: LiveShape, session: Session, message: object) -> list[Any]:
    actions = session.handle_text(message if isinstance(message, str | bytes) else orjson.dumps(message))
    return checked([each for event in actions.events for each in shape.outgoing(event)])


def checked(messages: list[Any]) -> list[Any]:
    for each in messages:
        EVENTS.validate_json(orjson.dumps(each), strict=True)
    return [json.loads(orjson.dumps(each)) for each in messages]


@pytest.mark.parametrize(
    ("wire", "rate_hz", "silence"),
    [
        ({"type": "audio/pcm", "rate": 16_000}, 16_000, bytes(3_200)),
        ({"type": "audio/pcm", "rate": 24_000}, 24_000, bytes(4_800)),
        ({"type": "audio/pcmu", "rate": 8_000}, 8_000, b"\xff" * 800),
    ],
)
def test_a_session_in_each_format(wire: dict[str, Any], rate_hz: int, silence: bytes) -> None:
    shape, session = opened()
    assert list(shape.beat(0.1)) == []
    asked = {**START["session"], "audio": {"format": wire, "output": {"voice": "cedar"}}, "instructions": "Be brief."}
    (started,) = said(shape, session, {**START, "session": asked})
    assert started["session"]["audio"] == {"format": wire, "output": {"voice": "cedar"}}
    assert (started["session"]["model"], started["session"]["instructions"]) == ("gpt-live-1", "Be brief.")
    assert session.input.format.rate_hz == rate_hz
    (quiet,) = checked(list(shape.beat(0.2)))
    assert base64.b64decode(quiet["delta"]) == silence, f"{BEAT_MS} ms of it"


def test_a_reply_is_sound_and_words_and_silence_stops_meanwhile() -> None:
    shape, session = opened()
    said(shape, session, START)
    spoken = session.speak()
    assert checked([each for event in spoken.events for each in shape.outgoing(event)]) == []
    assert list(shape.beat(0.1)) == []
    (response,) = [event["response"]["id"] for event in spoken.events if event["type"] == "response.created"]
    for actions in (session.reply_text(response, "Hi"), session.reply_audio(response, bytes(960))):
        (message,) = checked([each for event in actions.events for each in shape.outgoing(event)])
        assert message["delta"]


def test_what_is_refused_is_told_with_the_command() -> None:
    shape, session = opened()
    (early,) = said(shape, session, {"type": "session.input_audio.append", "audio": "AAAA", "event_id": "x"})
    assert (early["error"]["code"], early["error"]["client_event_id"]) == ("session_not_started", "x")
    (unknown,) = said(shape, session, {**START, "session": {"model": "m", "voice": "x"}})
    assert unknown["error"]["code"] == "unknown_parameter"
    said(shape, session, START)
    (again,) = said(shape, session, START)
    assert again["error"]["code"] == "session_already_started"
    assert said(shape, session, {"type": "session.close"}) == []
    assert shape.leaving
    (farewell,) = checked(list(shape.farewell(12.0)))
    assert (farewell["reason"], farewell["usage"]) == ("close_requested", {"seconds": 12.0})


def test_a_tool_is_called_by_the_model_behind() -> None:
    shape, session = opened()
    tool = {"type": "function", "name": "lookup", "parameters": {"type": "object"}}
    behind = {"type": "responses", "responses": {"model": "behind", "tools": [tool]}}
    (refused,) = said(shape, session, {"type": "response.create"})
    assert refused["type"] == "error"
    said(shape, session, {**START, "session": {**START["session"], "delegation": behind}})
    assert [each["name"] for each in session.settings["tools"]] == ["lookup"]
    call = {"call_id": "c", "name": "lookup", "arguments": "{}", "response_id": "r"}
    created, begun, called = checked(list(shape.outgoing({"type": "response.function_call_arguments.done", **call})))
    assert created["delegation"]["target"] == "responses"
    assert begun["event"]["type"] == "response.created"
    assert called["event"]["item"]["status"] == "completed"
    assert called["event"]["item"]["name"] == "lookup"
    assert called["delegation_id"] == created["delegation"]["id"]
    ended = {"id": "r", "status": "completed", "status_details": None, "output": []}
    (done,) = checked(list(shape.outgoing({"type": "response.done", "response": ended})))
    assert done["event"]["type"] == "response.completed"
    item = {"type": "function_call_output", "call_id": "c", "output": "5"}
    assert list(shape.incoming({"type": "response.item.create", "item": item}))
    assert list(shape.incoming({"type": "response.create"})) == [{"type": "response.create"}]


def test_what_the_application_tells_is_acknowledged_and_commentary_is_spoken() -> None:
    shape, session = opened()
    said(shape, session, START)
    for kind in ("instructions", "thinking", "commentary"):
        told = {"type": f"session.{kind}.append", "event_id": kind, "content": "It rains.", "delegation_id": None}
        read = list(shape.incoming(told))
        assert [each["type"] for each in read] == ["conversation.item.create", "response.create"][
            : 1 + (kind == "commentary")
        ]  # type: ignore[index]
        (answer,) = checked(list(shape.answers()))
        assert (answer["type"], answer["client_event_id"]) == (f"session.{kind}.appended", kind)
        assert list(shape.answers()) == []
    (refused,) = said(shape, session, {"type": "session.thinking.append", "content": 5})
    assert refused["type"] == "error"


def test_a_muted_caller_is_not_heard() -> None:
    shape, session = opened()
    said(shape, session, START)
    loud = {"type": "session.input_audio.append", "audio": base64.b64encode(b"\x7f" * 480).decode()}
    for word, heard in (("mute", b"\0" * 480), ("unmute", b"\x7f" * 480)):
        assert list(shape.incoming({"type": f"session.input_audio.{word}"})) == []
        assert [each["type"] for each in checked(list(shape.answers()))] == [f"session.input_audio.{word}d"]
        (append,) = shape.incoming(loud)
        assert base64.b64decode(append["audio"]) == heard  # type: ignore[index]


def test_only_the_model_behind_can_be_told_anew() -> None:
    shape, session = opened()
    tool = {"type": "function", "name": "lookup", "parameters": {"type": "object"}}
    behind = {"type": "responses", "responses": {"model": "behind"}}
    said(shape, session, {**START, "session": {**START["session"], "delegation": behind}})
    anew = {"delegation": {"type": "responses", "responses": {"tools": [tool]}}}
    (updated,) = said(shape, session, {"type": "session.update", "event_id": "u", "session": anew})
    assert (updated["type"], updated["client_event_id"]) == ("session.updated", "u")
    assert [each["name"] for each in session.settings["tools"]] == ["lookup"]
    for wrong in ({"instructions": "x"}, {"delegation": {"type": "client"}}):
        (refused,) = said(shape, session, {"type": "session.update", "session": wrong})
        assert refused["error"]["code"] == "immutable_parameter"


def test_two_thousand_spoiled_messages_crash_nothing() -> None:
    draw = random.Random(9)
    audio = {"format": {"type": "audio/pcm", "rate": 16_000}, "output": {"voice": "marin"}}
    healthy: list[dict[str, Any]] = [
        START,
        {**START, "session": {"model": "m", "instructions": "i", "audio": audio}},
        {"type": "session.input_audio.append", "audio": "AAAA"},
        {"type": "session.input_audio.mute"},
        {"type": "session.instructions.append", "content": "c"},
        {"type": "session.commentary.append", "content": "c", "delegation_id": None},
        {"type": "session.update", "session": {"delegation": {"type": "client"}}},
        {"type": "session.close"},
    ]
    errors = 0
    for _ in range(20):
        shape, session = opened()
        for _ in range(100):
            errors += sum(each["type"] == "error" for each in said(shape, session, mutated(draw.choice(healthy), draw)))
    assert 0 < errors <= 2_000
