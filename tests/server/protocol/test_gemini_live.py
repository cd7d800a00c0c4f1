"""The server's side of Gemini Live: keys in either case are understood, and no message of a client breaks it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any

import orjson
import pytest

from bench.server.access import SecretTerms
from bench.server.http_requests import HttpRequest
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.config import default_session
from bench.server.protocol.resumption import KeptConversations
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.gemini_live import GeminiShape


def opened() -> tuple[GeminiShape, Session]:
    shape = GeminiShape()
    return shape, Session(model="m", created_at_s=0, shape=shape, settings=shape.settings(default_session("m")))


def said(shape: GeminiShape, session: Session, message: bytes) -> list[Any]:
    actions = session.handle_text(message)
    return [json.loads(orjson.dumps(each)) for event in actions.events for each in shape.outgoing(event)]


SETUPS: list[dict[str, Any]] = [
    {"setup": {"model": "models/m", "realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": 300}}}},
    {"setup": {"model": "m", "realtime_input_config": {"automatic_activity_detection": {"silence_duration_ms": 300}}}},
]


def test_a_setup_in_either_case() -> None:
    for setup in SETUPS:
        shape, session = opened()
        (done,) = said(shape, session, orjson.dumps(setup))
        assert set(done) == {"setupComplete"}
        assert session.settings["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
        assert session.input.format.rate_hz == 16_000


def test_the_terms_of_a_token() -> None:
    def terms(**body: Any) -> SecretTerms:
        return GeminiShape.secret_terms(orjson.dumps(body))

    assert (terms().lifetime_s, terms().uses) == (60, 1)
    assert terms(uses=0).uses is None
    ends = datetime.now(UTC) + timedelta(hours=1)
    assert 3595 < terms(newSessionExpireTime=ends.isoformat(), expireTime=ends.isoformat()).lifetime_s <= 3600
    wrong: list[dict[str, Any]] = [
        {"uses": -1},
        {"uses": True},
        {"newSessionExpireTime": "soon"},
        {"newSessionExpireTime": "2027-01-15T08:10:00"},
        {"newSessionExpireTime": "2001-01-01T00:00:00Z"},
        {"newSessionExpireTime": (ends + timedelta(hours=20)).isoformat()},
        {"newSessionExpireTime": ends.isoformat(), "expireTime": "2001-01-01T00:00:00Z"},
        {"bidiGenerateContentSetup": {"model": "m"}},
    ]
    for body in wrong:
        with pytest.raises(ProtocolError):
            terms(**body)


@pytest.mark.parametrize(
    ("target", "header", "key"),
    [
        (f"{GeminiShape.paths[-1]}?access_token=auth_tokens/ek_1", "", "ek_1"),
        (GeminiShape.paths[-1], "Token auth_tokens/ek_1", "ek_1"),
        (GeminiShape.paths[-1], "Bearer auth_tokens/ek_1", None),
        (f"{GeminiShape.paths[0]}?access_token=auth_tokens/ek_1", "", None),
    ],
)
def test_where_a_token_may_stand(target: str, header: str, key: str | None) -> None:
    headers = Message()
    headers["Authorization"] = header
    assert GeminiShape.key_of(HttpRequest("GET", target, headers, b"")) == key


def test_two_thousand_spoiled_messages_crash_nothing() -> None:
    draw = random.Random(5)
    odd: list[Any] = [None, True, -1, 1e308, "", [], {}, [[]], {"parts": [{}]}, "x" * 300]
    healthy: list[dict[str, Any]] = [
        *SETUPS,
        {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=16000"}}},
        {"realtime_input": {"activity_start": {}}},
        {"realtimeInput": {"activityEnd": {}}},
        {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}], "turnComplete": True}},
        {"toolResponse": {"functionResponses": [{"id": "c", "name": "n", "response": {}}]}},
    ]
    errors = 0
    for _ in range(20):
        shape, session = opened()
        for _ in range(100):
            message = json.loads(json.dumps(draw.choice(healthy)))
            owner: Any = message
            while (inner := [value for value in owner.values() if isinstance(value, dict)]) and draw.random() < 0.6:
                owner = draw.choice(inner)
            if draw.random() < 0.7:
                owner[draw.choice([*owner, "odd"])] = draw.choice(odd)
            data = orjson.dumps(message)
            at = draw.randrange(len(data))
            data = data[:at] if draw.random() < 0.1 else data
            errors += sum("error" in each for each in said(shape, session, data))
    assert 0 < errors < 2_000


# sessions that end


def resumable(session: Session, handle: str | None) -> list[dict[str, Any]]:
    setup: dict[str, Any] = {"model": "models/m", "sessionResumption": {} if handle is None else {"handle": handle}}
    return session.read({"setup": setup}).events


def test_a_session_goes_on_with_the_conversation_of_another() -> None:
    kept = KeptConversations()
    first, second = (Session(model="m", created_at_s=0, shape=GeminiShape(), kept=kept) for _ in range(2))
    assert [event["type"] for event in resumable(first, None)] == ["session.resumable", "session.updated"]
    first.read({"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi."}]}], "turnComplete": False}})
    events = resumable(second, first.id)
    assert [event["type"] for event in events] == ["session.resumed", "session.resumable", "session.updated"]
    assert (events[0]["resumed"], events[0]["items"]) == (first.id, 1)


def test_an_unknown_handle_is_refused() -> None:
    session = Session(model="m", created_at_s=0, shape=GeminiShape(), kept=KeptConversations())
    assert resumable(session, "nobody's")[0]["error"]["code"] == "invalid_argument"


def test_the_end_is_announced_and_comes_without_a_word() -> None:
    shape = GeminiShape()
    session = Session(model="m", created_at_s=0, shape=shape)
    (ending,) = session.announce_end(2500).events
    assert list(shape.outgoing(ending)) == [{"goAway": {"timeLeft": "2.5s"}}]
    (expired,) = session.expire().events
    assert list(shape.outgoing(expired)) == []
    assert Session(model="m", created_at_s=0).announce_end(2500).events == [], "the GA shape has no word for it"
