"""Short-lived keys: one for each call, or one shared until it is about to expire; and what a refusal of one means."""

from __future__ import annotations

import time
from typing import Any

import gevent
import orjson
import pytest

from bench.config.redactor import Redactor
from bench.dialects.dialect import Address
from bench.dialects.openai import OpenAIDialect
from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.http import HttpAnswer, HttpRequest
from bench.session import tokens
from bench.session.tokens import TokenPolicy, Tokens
from bench.transport.channel import ConnectOptions, TransportError

ADDRESS = Address(
    "ws://127.0.0.1:1/v1/realtime", "m", {"Authorization": "Bearer sk-long-lived"}, key_header="Authorization"
)
S = 1_000_000_000


class Backend:
    """Gives secrets `ek_secret_0`, `ek_secret_1`, ... in the place of the network."""

    def __init__(self) -> None:
        self.asked: list[HttpRequest] = []
        self.life_s: float | None = None
        self.status, self.wait_s = 200, 0.0
        self.body: bytes | None = None

    def __call__(self, request: HttpRequest, options: ConnectOptions) -> HttpAnswer:
        self.asked.append(request)
        number = len(self.asked) - 1
        if self.wait_s:
            gevent.sleep(self.wait_s)
        answer: dict[str, Any] = {"value": f"ek_secret_{number}"}
        if self.life_s is not None:
            answer["expires_at"] = time.time() + self.life_s
        return HttpAnswer(self.status, {}, self.body or orjson.dumps(answer), time.monotonic_ns())


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    made = Backend()
    monkeypatch.setattr(tokens, "exchange", made)
    return made


def desk(*, reuse: bool = False, lifetime_s: int = 60, renew_s: float = 5) -> Tokens:
    return Tokens(OpenAIDialect, ADDRESS, ConnectOptions(ADDRESS.url), TokenPolicy(lifetime_s, reuse, renew_s))


def admit(keys: Tokens) -> tuple[str, Connection, int]:
    connection = Connection(time.monotonic_ns())
    options, ends_ns = keys.admit(connection, Redactor(["sk-long-lived"]))
    return options.headers["Authorization"], connection, ends_ns


def test_each_call_asks_for_its_own(backend: Backend) -> None:
    keys = desk()
    assert [admit(keys)[0] for _ in range(3)] == [f"Bearer ek_secret_{number}" for number in range(3)]
    assert {request.headers["Authorization"] for request in backend.asked} == {"Bearer sk-long-lived"}


def test_how_long_it_took_is_the_first_stage_of_the_call(backend: Backend) -> None:
    _, connection, ends_ns = admit(desk(lifetime_s=60))
    assert list(connection.stages) == ["token"]
    assert connection.token == "new"
    assert connection.stage_ms("token") is not None
    assert 59 * S < ends_ns - time.monotonic_ns() <= 60 * S


def test_a_shared_key_is_kept_and_costs_no_time(backend: Backend) -> None:
    keys = desk(reuse=True)
    calls = [admit(keys) for _ in range(3)]
    assert {bearer for bearer, *_ in calls} == {"Bearer ek_secret_0"}
    assert [line.token for _, line, _ in calls] == ["new", "kept", "kept"]
    assert [line.stage_ms("token") is None for _, line, _ in calls] == [False, True, True]


def test_a_shared_key_is_replaced_before_its_end(backend: Backend) -> None:
    keys, backend.life_s = desk(reuse=True, renew_s=5), 5.2
    assert admit(keys)[0] == admit(keys)[0] == "Bearer ek_secret_0"
    gevent.sleep(0.25)
    assert admit(keys)[0] == "Bearer ek_secret_1"


def test_calls_that_begin_together_ask_once_and_all_waited(backend: Backend) -> None:
    keys, backend.wait_s = desk(reuse=True), 0.05
    calls = [gevent.spawn(admit, keys) for _ in range(5)]
    gevent.joinall(calls, raise_error=True)
    assert len(backend.asked) == 1
    assert {call.value[1].token for call in calls} == {"new"}
    assert all((call.value[1].stage_ms("token") or 0) >= 40 for call in calls)


def test_a_key_that_ended_in_the_past_serves_one_call(backend: Backend) -> None:
    """The server's clock is behind ours."""
    keys, backend.life_s = desk(reuse=True), -100
    assert [admit(keys)[0] for _ in range(2)] == ["Bearer ek_secret_0", "Bearer ek_secret_1"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", "auth"),
        (429, "rate_limit_exceeded", "rate_limit"),
        (429, "insufficient_quota", "quota"),
        (500, "x", "server"),
        (404, "x", "handshake"),
    ],
)
def test_a_refusal_is_typed_and_holds_no_key(backend: Backend, status: int, code: str, kind: str) -> None:
    backend.status = status
    backend.body = orjson.dumps({"error": {"code": code, "message": "not with sk-long-lived"}})
    with pytest.raises(TransportError) as caught:
        admit(desk())
    failure = caught.value.failure
    assert (failure.stage, failure.error_kind, failure.error_code, failure.http_status) == ("token", kind, code, status)
    assert failure.message is not None
    assert "sk-long-lived" not in failure.message


def test_an_answer_without_a_key(backend: Backend) -> None:
    backend.body = b'{"hello": "ek_not_there"}'
    with pytest.raises(TransportError) as caught:
        admit(desk())
    failure = caught.value.failure
    assert (failure.error_kind, failure.stage, failure.error_code) == ("protocol", "token", "no_token")
    assert "ek_" not in str(failure)


def test_a_call_that_failed_to_get_one_leaves_none_to_the_next(backend: Backend) -> None:
    keys, backend.status = desk(reuse=True), 500
    with pytest.raises(TransportError):
        admit(keys)
    backend.status = 200
    assert admit(keys)[0] == "Bearer ek_secret_1"


def test_a_refused_key_is_named_expired_only_when_it_is(backend: Backend) -> None:
    keys = desk(reuse=True)
    _, _, ends_ns = admit(keys)
    refused = Failure("auth", "upgrade", "invalid_api_key", http_status=401)
    assert keys.refused(refused, ends_ns) is refused
    assert keys.refused(refused, time.monotonic_ns()).error_code == "secret_expired"
    assert admit(keys)[0] == "Bearer ek_secret_1", "a key that was refused is not tried again"


def test_another_failure_does_not_cost_the_key(backend: Backend) -> None:
    keys = desk(reuse=True)
    _, _, ends_ns = admit(keys)
    busy = Failure("server", "upgrade", "http_503", http_status=503)
    assert keys.refused(busy, ends_ns) is busy
    assert admit(keys)[0] == "Bearer ek_secret_0"


def test_the_call_knows_its_key_and_no_other_call_does(backend: Backend) -> None:
    keys, mine, other = desk(), Redactor(), Redactor()
    keys.admit(Connection(0), mine)
    assert mine.clean("it is ek_secret_0!") == "it is ***!"
    assert other.clean("it is ek_secret_0!") == "it is ek_secret_0!"
