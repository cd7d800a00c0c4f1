"""One request over HTTP: what is sent, what is read, and how each way of failing is typed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from bench.facts.failure import Failure
from bench.facts.http import HttpAnswer, HttpRequest
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.exchange import exchange

BODY = b'{"value":"ek_x"}'


@contextmanager
def answering(answer: bytes, *, stay: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A server of one request; gives its address and what it was sent."""
    seen: list[bytes] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                sock, _ = server.accept()
                with sock:
                    data = b""
                    while b"\r\n\r\n" not in data:
                        data += sock.recv(65536)
                    seen.append(data)
                    sock.sendall(answer)
                    if stay:
                        over.wait(5)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", seen
        over.set()


def ask(answer: bytes, *, stay: bool = False, timeout_s: float = 3) -> HttpAnswer:
    with answering(answer, stay=stay) as (address, _):
        return exchange(HttpRequest("GET", f"{address}/x"), ConnectOptions("ws://h/", connect_timeout_s=timeout_s))


def failure_of(answer: bytes, *, stay: bool = False, timeout_s: float = 3) -> Failure:
    with pytest.raises(TransportError) as caught:
        ask(answer, stay=stay, timeout_s=timeout_s)
    return caught.value.failure


def test_the_request_is_sent_as_it_is() -> None:
    with answering(b"HTTP/1.1 204 x\r\n\r\n") as (address, seen):
        request = HttpRequest("POST", f"{address}/v1/y?a=b", {"Authorization": "Bearer k", "accept": "x/y"}, b"{}")
        assert exchange(request, ConnectOptions("ws://h/")).status == 204
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/y?a=b HTTP/1.1"
    assert {"Authorization: Bearer k", "accept: x/y", "Content-Length: 2", "Connection: close"} <= set(lines)
    assert not any(line.startswith("Accept:") for line in lines)
    assert body == b"{}"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"6\r\n" + BODY[:6] + b"\r\na\r\n" + BODY[6:] + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + BODY,
    ],
)  # fmt: skip
def test_a_body_is_read_however_its_end_is_told(answer: bytes) -> None:
    found = ask(answer)
    assert (found.status, found.body) == (200, BODY)
    assert found.at_ns > 0


def test_a_refusal_is_an_answer() -> None:
    found = ask(b"HTTP/1.1 429 Slow\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}")
    assert (found.status, found.headers["retry-after"], found.body) == (429, "2", b"{}")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "too_long"),
        (b"SSH-2.0-x\r\n\r\n", "not_http"),
        (b"", "closed"),
    ],
)
def test_a_broken_answer_is_named(answer: bytes, code: str) -> None:
    assert failure_of(answer).error_code == code


def test_a_server_that_does_not_answer_is_waited_for_in_vain() -> None:
    failure = failure_of(b"", stay=True, timeout_s=0.2)
    assert (failure.error_kind, failure.error_code) == ("timeout", "request_timeout")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        exchange(HttpRequest("GET", f"http://127.0.0.1:{port}/"), ConnectOptions("ws://h/"))
    assert caught.value.failure.error_code == "refused"


def test_nothing_of_it_is_printed() -> None:
    request = HttpRequest("POST", "http://h/?key=sk-1", {"Authorization": "sk-2"}, b"sk-3")
    assert "sk-" not in repr(request)
    assert "ek_" not in repr(HttpAnswer(200, {"a": "ek_1"}, b"ek_2", 1))
