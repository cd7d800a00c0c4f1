"""Every byte of an answer to the upgrade request is a stranger's: it ends in a typed failure that keeps the status."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.uri import parse_uri

from bench.facts.failure import Failure
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.failures import cleaned
from bench.transport.websocket import _upgrade
from bench.transport.wire import Wire
from tests.transport.conftest import failure_of, fresh_connection


class Recording(Wire):
    """A peer that says `answer` in pieces of `chunk` bytes, and then hangs up."""

    def __init__(self, answer: bytes, chunk: int) -> None:
        self._left, self._chunk = answer, chunk

    def read(self, size: int, deadline_ns: int | None = None) -> bytes | None:
        size = min(size, self._chunk)
        data, self._left = self._left[:size], self._left[size:]
        return data

    def peek(self) -> bytes:
        return self._left[: self._chunk]

    def post(self, data: bytes) -> bool:
        return True

    def flush(self) -> None: ...

    def close(self, *, hard: bool = False) -> None: ...

    stamped = congested = False  # type: ignore[assignment]


def failure_after(answer: bytes, chunk: int = 7) -> Failure:
    options = ConnectOptions("ws://h/", {"Authorization": "Bearer sk-header-key"})
    until_ns = time.monotonic_ns() + 10**10
    redactor = options.knowing_secrets()
    with pytest.raises(TransportError) as caught:
        _upgrade(Recording(answer, chunk), parse_uri("ws://h/"), options, fresh_connection(), until_ns, redactor)
    return cleaned(caught.value.failure, redactor)


def said(answer: bytes) -> int | None:
    """The status of the first final answer, where its status line is whole."""
    for line in re.split(rb"\r?\n\r?\n", answer):
        found = re.match(rb"HTTP/1\.\d+[ \t]+([1-9]\d\d)[ \t]*(?:[ \t][^\n]*)?\n", line + b"\n")
        if found is None:
            return None
        status = int(found[1])
        if not 100 <= status < 200 or status == 101:
            return status
    return None


values = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b""))
names = st.sampled_from(
    [
        b"Location",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Retry-After",
        b"Upgrade",
        b"Connection",
        b"X-Request-Id",
        b"Sec-WebSocket-Accept",
        b"Sec-WebSocket-Extensions",
        b"Sec-WebSocket-Protocol",
        b"",
        b"\xff\x00",
    ]
)
odd = st.sampled_from(
    [
        b"http://[",
        b"//[::1",
        b"http://h:99999999/",
        b"ws://\xff\xfe",
        b"9" * 5000,
        b"-1",
        b"1e9",
        b"chunked",
        b"gzip",
        b"websocket",
        b"upgrade",
        b"a" * 9000,
        b"\x1b[31m",
        b"permessage-deflate",
        b"=;=,",
        b"soon",
        b"\xb2",
    ]
)
lines = st.lists(st.tuples(names, odd | values).map(b": ".join) | values, max_size=8)
starts = st.builds(
    lambda status, reason: b"HTTP/1.1 %d %s" % (status, reason), st.integers(100, 599), values
) | st.sampled_from([b"HTTP/1.0 401", b"HTTP/1.1  429 x", b"HTTP/1.1 99 x", b"HTTP/1.1 1000", b"HTTP/2 200", b""])
bodies = st.binary(max_size=60) | st.sampled_from(
    [b"[" * 60_000, b'{"error":' * 20_000, b'{"error":{"code":5,"type":[]}}', b"ffffffffffffffffff\r\nx", b"-5\r\nx"]
)
answers = st.builds(
    lambda start, lines, end, body: end.join([start, *lines, b"", b""]) + body,
    starts,
    lines,
    st.sampled_from([b"\r\n", b"\n"]),
    bodies,
)


@settings(max_examples=300, deadline=None)
@given(answers | st.binary(max_size=100), st.sampled_from([1, 5, 1000, 65536]))
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 5)
@example(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", 5)
@example(b"HTTP/1.1 503 no\r\nX: " + b"y" * 70_000, 1000)
@example(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nwho?", 1000)
@example(b"HTTP/1.1 307 x\r\nLocation: http://[::1\r\n\r\n", 1000)
@example(b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 500 + b"\r\n", 1000)
def test_whatever_is_answered_is_typed_and_keeps_its_status(answer: bytes, chunk: int) -> None:
    if len(answer) > 1000:
        chunk = max(chunk, 1000)
    failure = failure_after(answer, chunk)
    assert failure.error_kind in {"handshake", "auth", "rate_limit", "quota", "server"}
    assert failure.stage == "upgrade"
    assert failure.error_code
    assert len(failure.error_code) <= 120
    assert len(failure.message or "") <= 500
    if failure.http_status is None:
        assert said(answer) in (None, 101)
    elif said(answer) is not None:
        assert failure.http_status == said(answer)


@pytest.mark.parametrize(
    ("answer", "kind", "code", "status"),
    [
        (b"HTTP/1.1 307 x\r\nLocation: http://[::1\r\n\r\n", "handshake", "http_307", 307),
        (b"HTTP/1.1 302 x\r\n\r\n", "handshake", "http_302", 302),
        (b"HTTP/1.1 429 x\r\nRetry-After: when it suits\r\n\r\n", "rate_limit", "http_429", 429),
        (b"HTTP/1.1 401\n\nwho are you", "auth", "http_401", 401),
        (b"HTTP/1.0 503 busy\r\n\r\n", "server", "http_503", 503),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 no\r\n\r\n", "auth", "http_403", 403),
        (b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 20, "handshake", "not_http", 103),
        (b"HTTP/1.1 401 no\r\nX-Half: the hea", "auth", "closed", 401),
        (b"HTTP/1.1 500 no\r\nX: " + b"y" * 70_000, "server", "not_http", 500),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "handshake", "http_200", 200),
        (b"HTTP/1.1 403 no\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx", "auth", "http_403", 403),
        (b"HTTP/1.1 404 no\r\n\r\n" + b"[" * 60_000, "handshake", "http_404", 404),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "handshake", "not_http", None),
        (b"", "handshake", "closed", None),
    ],
)
def test_what_a_refusal_is_called(answer: bytes, kind: str, code: str, status: int | None) -> None:
    failure = failure_after(answer, 1000)
    assert (failure.error_kind, failure.error_code, failure.http_status) == (kind, code, status)


def test_a_key_or_an_escape_in_any_part_of_an_answer_is_not_shown() -> None:
    for answer in (
        b"HTTP/1.1 sk-header-key no\r\n\r\n",
        b"HTTP/1.1 307 x\r\nLocation: http://h/sk-header-key\r\n\r\n",
        b"HTTP/1.1 307 x\r\nLocation: http://[sk-header-key\r\n\r\n",
        b'HTTP/1.1 401 x\r\n\r\n{"error": {"code": "sk-header-key", "message": "\x1b[31m Bearer sk-header-key"}}',
        b"HTTP/1.1 400 x\r\n\r\nsk%2Dheader%2Dkey c2staGVhZGVyLWtleQ== \\u0073k-header-key\x07",
        b"HTTP/1.1 101 x\r\nUpgrade: sk-header-key\x1b\r\nConnection: upgrade\r\n\r\n",
        b"sk-header-key",
    ):
        shown = repr(failure_after(answer, 1000))
        assert "header-key" not in shown
        assert "c2sta" not in shown
        assert "x1b" not in shown.replace("\\\\x1b", "")


@contextmanager
def answering(answer: bytes, *, stay: bool) -> Iterator[int]:
    """A port whose first caller gets `answer`; then it is silent, or hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)
                if stay:
                    peer.recv(4096)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("stay", [True, False])
def test_a_refusal_whose_body_never_ends_is_known_in_time(stay: bool) -> None:
    with answering(b"HTTP/1.1 401 no\r\nContent-Length: 9000\r\n\r\nwho are you?", stay=stay) as port:
        failure = failure_of(f"ws://127.0.0.1:{port}/", connect_timeout_s=0.5)
    assert (failure.error_kind, failure.http_status, failure.message) == ("auth", 401, "who are you?")
