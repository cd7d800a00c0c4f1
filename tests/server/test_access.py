"""Keys and client secrets: who is let in, with what, for how long."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bench.server import access
from bench.server.access import Access, SecretTerms, presented_key, terms_of
from bench.server.protocol.client_errors import ProtocolError

KEY = {"Authorization": "Bearer sk-right"}


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, None),
        ({"Authorization": "Bearer abc"}, "abc"),
        ({"Authorization": "bearer  abc "}, "abc"),
        ({"Authorization": "Basic abc"}, None),
        ({"api-key": "abc"}, "abc"),
        ({"Sec-WebSocket-Protocol": "realtime, openai-insecure-api-key.abc"}, "abc"),
        ({"Sec-WebSocket-Protocol": "realtime"}, None),
    ],
)
def test_a_key_may_come_in_several_ways(headers: dict[str, str], key: str | None) -> None:
    assert presented_key(headers) == key


@pytest.mark.parametrize(
    ("api_key", "headers", "admitted"),
    [
        (None, {}, True),
        (None, {"Authorization": "Bearer whatever"}, True),
        ("sk-right", KEY, True),
        ("sk-right", {}, False),
        ("sk-right", {"Authorization": "Bearer sk-wrong"}, False),
        (None, {"Authorization": "Bearer ek_unknown"}, False),
    ],
)
def test_admission(api_key: str | None, headers: dict[str, str], admitted: bool) -> None:
    assert (Access(api_key, "m").admit(headers) is not None) == admitted


def test_a_secret_opens_many_sessions_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(access.time, "time", lambda: now_s[0])
    door = Access("sk-right", "local-pipeline")
    body = {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "realtime", "instructions": "Baked."},
    }
    made = door.make_secret(terms_of(orjson.dumps(body)))
    assert made["expires_at"] == 1060
    assert made["value"].startswith("ek_")
    assert made["session"]["object"] == "realtime.session"
    assert made["session"]["instructions"] == "Baked."
    for _ in range(2):
        grant = door.admit({"Authorization": f"Bearer {made['value']}"})
        assert grant is not None
        assert grant.is_secret
        assert grant.settings is not None
        assert grant.settings["instructions"] == "Baked."
    now_s[0] = 1061
    assert door.admit({"Authorization": f"Bearer {made['value']}"}) is None


def test_a_secret_knows_the_model_and_the_type_that_it_was_made_for() -> None:
    door = Access(None, "local-pipeline")

    def grant(session: dict[str, object] | None) -> access.Grant:
        made = door.make_secret(terms_of(orjson.dumps({"session": session, "expires_after": None})))
        found = door.admit({"Authorization": f"Bearer {made['value']}"})
        assert found is not None
        return found

    assert grant({"type": "realtime", "model": "gpt-realtime"}).model == "gpt-realtime"
    assert grant({"type": "realtime", "model": None}).model is None
    settings = grant({"type": "transcription"}).settings
    assert settings is not None
    assert settings["type"] == "transcription"
    assert grant(None).settings is not None


def test_each_of_several_processes_takes_the_secrets_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Access(None, "m", "shared").make_secret(
        terms_of(orjson.dumps({"session": {"type": "realtime", "model": "x", "instructions": "Baked. " * 900}}))
    )["value"]
    assert len(made) < 2_000

    def grant(token: str, key: str | None = "shared") -> access.Grant | None:
        return Access(None, "m", key).admit({"Authorization": f"Bearer {token}"})

    found = grant(made)
    assert found is not None
    assert found.settings is not None
    assert (found.is_secret, found.model, found.settings["instructions"][:6]) == (True, "x", "Baked.")
    body, _, signature = made.partition(".")
    for wrong in (made[:-1] + "x", body, f"{body}A.{signature}", "ek_", "ek_.", "ek_ä.b"):
        assert grant(wrong) is None
    assert grant(made, "another") is None
    assert grant(made, None) is None
    later = access.time.time() + 601
    monkeypatch.setattr(access.time, "time", lambda: later)
    assert grant(made) is None


@pytest.mark.parametrize("shared_key", [None, "shared"])
def test_a_secret_of_two_uses_opens_two_sessions(shared_key: str | None) -> None:
    door = Access("sk-right", "m", shared_key)
    value = door.make_secret(SecretTerms({"type": "realtime"}, 60, 2))["value"]
    asked = [door.admit({}, value, opens=opens) is not None for opens in (True, False, True, False, True)]
    assert asked == [True, True, True, False, False]


def test_both_parts_of_the_request_are_optional() -> None:
    made = Access(None, "local-pipeline").make_secret(terms_of(b""))
    assert made["session"]["model"] == "local-pipeline"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"expires_after": 5},
        {"expires_after": {"anchor": "now"}},
        {"expires_after": {"seconds": 9}},
        {"expires_after": {"seconds": 7201}},
        {"expires_after": {"seconds": "60"}},
        {"session": {"instructions": "no type"}},
        {"session": {"type": "realtime", "model": ""}},
        {"session": []},
    ],
)
def test_a_wrong_request_is_refused(body: Any) -> None:
    with pytest.raises(ProtocolError):
        Access(None, "m").make_secret(terms_of(orjson.dumps(body)))
