"""Every way in which a connection can fail to come up, by kind, code and stage."""

from __future__ import annotations

import errno
import gzip
import socket
import time
from collections.abc import Iterator

import pytest

from bench.config.redactor import Redactor
from bench.errors import BenchError
from bench.facts.failure import Failure
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.failures import cleaned, of_os_error, of_status
from bench.transport.websocket import connect
from tests.transport.conftest import CA, Opener, failure_of, fresh_connection


def triple(failure: Failure) -> tuple[str, str, str | None]:
    return failure.error_kind, failure.stage, failure.error_code


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """A listener whose queue is full: the kernel drops further SYNs, so connecting hangs."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
            fillers.append(filler)
        time.sleep(0.05)
        yield int(server.getsockname()[1])
        for filler in fillers:
            filler.close()


def test_nothing_listens(closed_port: int) -> None:
    failure = failure_of(f"ws://127.0.0.1:{closed_port}/")
    assert triple(failure) == ("connect", "connect", "refused")
    assert str(closed_port) in (failure.message or "")


def test_a_name_that_does_not_exist() -> None:
    assert triple(failure_of("ws://nobody.invalid/")) == ("connect", "connect", "dns")


def test_a_name_that_cannot_exist() -> None:
    assert triple(failure_of(f"ws://{'a' * 70}.example/")) == ("connect", "connect", "dns")


def test_tcp_hangs(full_port: int) -> None:
    started = time.monotonic()
    failure = failure_of(f"ws://127.0.0.1:{full_port}/", connect_timeout_s=0.3)
    assert triple(failure) == ("timeout", "connect", "connect_timeout")
    assert 0.3 <= time.monotonic() - started < 8, "the usual time is 10 s"


def test_the_second_address_is_tried(ports: dict[str, int], closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object) -> list[tuple[object, ...]]:
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*stream, ("127.0.0.1", closed_port)), (*stream, ("127.0.0.1", ports["plain"]))]

    monkeypatch.setattr("bench.transport.dial.green.getaddrinfo", resolve)
    connection = fresh_connection()
    ws = connect(ConnectOptions(f"ws://two.example:{closed_port}/echo"), connection)
    assert connection.peer == f"127.0.0.1:{ports['plain']}"
    ws.close()


def test_tls_hangs(ports: dict[str, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        failure = failure_of(f"wss://127.0.0.1:{mute.getsockname()[1]}/", connect_timeout_s=0.3)
    assert triple(failure) == ("timeout", "connect", "tls_timeout")


@pytest.mark.parametrize("tls", [False, True])
def test_the_upgrade_hangs(ports: dict[str, int], tls: bool) -> None:
    url = f"wss://localhost:{ports['tls']}" if tls else f"ws://127.0.0.1:{ports['plain']}"
    failure = failure_of(f"{url}/silence", connect_timeout_s=0.3, ca_file=CA)
    assert triple(failure) == ("timeout", "upgrade", "upgrade_timeout")


def test_certificates(ports: dict[str, int]) -> None:
    tls, self_signed = f"wss://localhost:{ports['tls']}/echo", f"wss://localhost:{ports['self_signed']}/echo"
    assert triple(failure_of(tls)) == ("tls", "connect", "unknown_issuer")
    assert triple(failure_of(self_signed)) == ("tls", "connect", "self_signed")
    assert triple(failure_of(self_signed, ca_file=CA)) == ("tls", "connect", "self_signed")
    assert triple(failure_of(f"wss://127.0.0.1:{ports['plain']}/echo", ca_file=CA)) == (
        "tls",
        "connect",
        "wrong_version",
    )
    assert connect(ConnectOptions(self_signed, verify_tls=False), fresh_connection()).close().clean
    assert connect(ConnectOptions(f"wss://127.0.0.1:{ports['tls']}/echo", ca_file=CA), fresh_connection()).close().clean


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_usual_variables_name_the_ca(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, CA)
    assert connect(ConnectOptions(f"wss://localhost:{ports['tls']}/echo"), fresh_connection()).close().clean


def test_a_ca_file_that_is_missing_is_named_with_who_named_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/ca.pem")
    with pytest.raises(BenchError, match=r"SSL_CERT_FILE: cannot use '/no/such/ca.pem'"):
        connect(ConnectOptions("wss://127.0.0.1:1/"), fresh_connection())
    with pytest.raises(BenchError, match="ca_file: cannot use"):
        connect(ConnectOptions("wss://127.0.0.1:1/", ca_file=__file__), fresh_connection())


@pytest.mark.parametrize(
    ("status", "query", "kind", "code"),
    [
        (401, "code=invalid_api_key", "auth", "invalid_api_key"),
        (403, "type=forbidden", "auth", "forbidden"),
        (403, "code=insufficient_quota", "quota", "insufficient_quota"),
        (404, "html=1", "handshake", "http_404"),
        (400, "code=model_not_found", "handshake", "model_not_found"),
        (429, "code=rate_limit_exceeded&type=requests", "rate_limit", "rate_limit_exceeded"),
        (429, "html=1", "rate_limit", "http_429"),
        (429, "type=insufficient_quota", "quota", "insufficient_quota"),
        (429, "code=billing_hard_limit_reached", "quota", "billing_hard_limit_reached"),
        (500, "html=1", "server", "http_500"),
        (503, "code=overloaded", "server", "overloaded"),
        (200, "html=1", "handshake", "http_200"),
    ],
)
def test_a_refusal_by_http_status(ports: dict[str, int], status: int, query: str, kind: str, code: str) -> None:
    failure = failure_of(f"ws://127.0.0.1:{ports['plain']}/status/{status}?{query}")
    assert triple(failure) == (kind, "upgrade", code)
    assert failure.http_status == status
    assert "No." in (failure.message or "") or "html" in query


@pytest.mark.parametrize("framing", ["length", "chunked", "eof", "short"])
def test_the_body_of_a_refusal_is_read_however_it_is_framed(ports: dict[str, int], framing: str) -> None:
    failure = failure_of(f"ws://127.0.0.1:{ports['plain']}/status/401?code=invalid_api_key&framing={framing}")
    assert failure.error_code == "invalid_api_key"


def test_keys_are_taken_out_of_what_the_server_echoes(ports: dict[str, int]) -> None:
    failure = failure_of(
        f"ws://127.0.0.1:{ports['plain']}/status/401?echo_key=1&api_key=sk%2Dquery",
        headers={"Authorization": "Bearer sk-header"},
    )
    assert "bad key ***" in (failure.message or "")
    assert "sk-" not in repr(failure)


def test_a_long_body_is_cut() -> None:
    failure = cleaned(of_status(404, {}, b"x" * 5000), Redactor())
    assert failure.message == "x" * 500


PAGE = b"<!DOCTYPE html><html><head><title>\n403  Forbidden</title><style>p {}</style></head><p>No</p></html>"
UNAUTHORIZED = b'{"error": {"code": "invalid_api_key", "message": "bad key"}}'


@pytest.mark.parametrize(
    ("headers", "body", "code", "message"),
    [
        ({}, PAGE, "http_403", "403 Forbidden"),
        ({}, b"<html><script>f()</script><h1>Not &amp; found</h1><p>Sorry</p></html>", "http_403", "Not & found Sorry"),
        ({}, bytes(range(256)), "http_403", "256 bytes that are no text"),
        ({}, b"", "http_403", "HTTP status 403"),
        ({"content-encoding": "gzip"}, gzip.compress(UNAUTHORIZED, mtime=0), "invalid_api_key", UNAUTHORIZED.decode()),
        ({"content-encoding": "gzip"}, b"plain after all", "http_403", "plain after all"),
        ({}, "<3 désolé".encode(), "http_403", "<3 désolé"),
    ],
)
def test_an_answer_is_told_as_a_person_can_read_it(
    headers: dict[str, str], body: bytes, code: str, message: str
) -> None:
    failure = of_status(403, headers, body)
    assert (failure.error_code, failure.message) == (code, message)


def test_a_redirect_is_not_followed(ports: dict[str, int]) -> None:
    failure = failure_of(f"ws://127.0.0.1:{ports['plain']}/redirect")
    assert triple(failure) == ("handshake", "upgrade", "http_307")
    assert failure.message == "redirected to https://elsewhere.example/v1; redirects are not followed"


@pytest.mark.parametrize(
    ("play", "code"),
    [
        ("bad-accept", "bad_accept"),
        ("no-upgrade", "bad_upgrade"),
        ("extension", "bad_negotiation"),
        ("old-http", "bad_response"),
        ("garbage", "not_http"),
        ("half-head", "closed"),
        ("reset-at-once", "reset"),
        ("subprotocol", "bad_negotiation"),
    ],
)
def test_a_broken_upgrade(ports: dict[str, int], play: str, code: str) -> None:
    started = time.monotonic()
    assert triple(failure_of(f"ws://127.0.0.1:{ports['plain']}/{play}")) == ("handshake", "upgrade", code)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.EHOSTUNREACH, "connect", "unreachable"),
        (errno.ENETUNREACH, "connect", "unreachable"),
        (errno.ETIMEDOUT, "timeout", "connect_timeout"),
        (errno.EADDRNOTAVAIL, "harness", "no_local_port"),
        (errno.EMFILE, "harness", "too_many_open_files"),
        (errno.EACCES, "connect", "eacces"),
    ],
)
def test_errors_of_the_operating_system(number: int, kind: str, code: str) -> None:
    assert triple(of_os_error(OSError(number, "text"), "tcp", "host:1")) == (kind, "connect", code)


def test_a_failure_reads_as_a_sentence(closed_port: int) -> None:
    with pytest.raises(TransportError, match=r"connect/refused at connect: 127\.0\.0\.1:\d+: .+refused"):
        connect(ConnectOptions(f"ws://127.0.0.1:{closed_port}/"), fresh_connection())


def test_subprotocol_keys_are_secrets() -> None:
    redactor = Redactor.of_request(
        "ws://u:passw0rd@h/?sig=abcdef&model=gpt", {}, ("realtime", "openai-insecure-api-key.ek-1234")
    )
    assert redactor.clean("ek-1234 abcdef passw0rd gpt realtime") == "*** *** *** gpt realtime"


def test_the_reason_of_a_close_is_cleaned(dial_in: Opener) -> None:
    ws = dial_in("/close/1008?reason=bad+sk-header", headers={"x-api-key": "sk-header"})
    ws.receive(5)
    assert getattr(ws.receive(5), "reason", None) == "bad ***"
