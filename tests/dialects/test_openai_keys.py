"""Client secrets: what asks for one, what is found in an answer, and how a call is made with it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dialects import dialect_names, dialect_of
from bench.dialects.dialect import Address, KeyTerms, ShortKey
from bench.dialects.openai import OpenAIDialect
from bench.dialects.openai_keys import secret_in, secret_request

KEYED = {"Authorization": "Bearer sk-1", "OpenAI-Project": "p"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://h/v1/realtime", "https://h/v1/realtime/client_secrets"),
        ("ws://h:81", "http://h:81/v1/realtime/client_secrets"),
        ("wss://h/openai/v1/realtime/?model=x", "https://h/openai/v1/realtime/client_secrets"),
    ],
)
def test_it_is_asked_for_beside_the_calls(url: str, expected: str) -> None:
    request = secret_request(Address(url, "m", KEYED), KeyTerms(60))
    assert (request.method, request.url) == ("POST", expected)
    assert request.headers == {**KEYED, "Content-Type": "application/json"}
    assert orjson.loads(request.body) == {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "realtime", "model": "m"},
    }


def test_the_beta_shape_asks_for_a_session() -> None:
    request = dialect_of("openai-beta").short_key_request(Address("ws://h/v1/realtime", "m", KEYED), KeyTerms(60))
    assert (request.method, request.url) == ("POST", "http://h/v1/realtime/sessions")
    assert request.headers == {**KEYED, "Content-Type": "application/json"}
    assert orjson.loads(request.body) == {"model": "m"}
    named = dialect_of("openai-beta").short_key_request(Address("ws://h/v1/realtime?model=x"), KeyTerms(60, "http://b"))
    assert (named.url, orjson.loads(named.body)) == ("http://b", {"model": "x"})


def test_a_backend_of_ones_own_is_asked_instead() -> None:
    assert secret_request(Address("wss://h/v1/realtime"), KeyTerms(60, "https://b/x")).url == "https://b/x"


def test_the_model_of_the_address_is_the_secrets() -> None:
    found = secret_request(Address("wss://h/v1/realtime?model=named"), KeyTerms(60))
    assert orjson.loads(found.body)["session"]["model"] == "named"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"value": "ek_1", "expires_at": 1700, "session": {}}, ShortKey("ek_1", 1700.0)),
        ({"id": "s", "client_secret": {"value": "ek_2", "expires_at": 17.5}}, ShortKey("ek_2", 17.5)),
        ({"value": "ek_3"}, ShortKey("ek_3")),
        ({"value": "ek_3", "expires_at": 0}, ShortKey("ek_3")),
        ({"value": "ek_3", "expires_at": True}, ShortKey("ek_3")),
    ],
)
def test_the_secret_of_an_answer(answer: dict[str, Any], expected: ShortKey) -> None:
    assert secret_in(orjson.dumps(answer)) == expected


@pytest.mark.parametrize("answer", [{}, {"value": 1}, {"value": ""}, {"value": "a\r\nb"}, [], 7, {"client_secret": {}}])
def test_an_answer_without_one(answer: Any) -> None:
    with pytest.raises(ValueError, match="client secret"):
        secret_in(orjson.dumps(answer))


@given(st.binary(max_size=60))
def test_whatever_comes_is_a_secret_or_a_value_error(body: bytes) -> None:
    with suppress(ValueError):
        assert secret_in(body).value


@pytest.mark.parametrize(
    ("header", "value"), [("Authorization", "Bearer sk-1"), ("api-key", "sk-1"), ("X-Key", "sk-1")]
)
def test_a_call_shows_the_secret_and_never_the_key(header: str, value: str) -> None:
    address = Address("wss://h/v1/realtime", "m", {header: value, "OpenAI-Project": "p"}, key_header=header)
    endpoint = OpenAIDialect.endpoint_with(address, ShortKey("ek_1"))
    assert endpoint.url == "wss://h/v1/realtime?model=m"
    assert endpoint.headers == {"OpenAI-Project": "p", "Authorization": "Bearer ek_1"}


def test_nothing_of_it_is_printed() -> None:
    assert "ek_" not in repr(ShortKey("ek_1", 1.0))


def test_variants_of_the_beta_have_none() -> None:
    able = {name for name in dialect_names() if dialect_of(name).gives_short_keys}
    assert {"openai", "openai-beta", "xai"} <= able
    assert not able & {"azure-voice-live", "qwen-omni"}
