"""The client on real sockets, against services whose every byte is known."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme

from bench.server.engines.cascade import http_client
from bench.server.engines.cascade.http_client import Answer, HttpError, HttpPool

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Service:
    """Plays `script`: for each request the bytes of its answer, numbers as seconds to wait, "close" and "reset"."""

    def __init__(self, *script: list[Any]) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = 0
        self.close_idle_after_s: float | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                async with asyncio.timeout(self.close_idle_after_s):
                    head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                self.requests.append(head + body)
                for step in self.script.pop(0) if self.script else [OK]:
                    if isinstance(step, bytes):
                        writer.write(step)
                        await writer.drain()
                    elif step == "close":
                        return
                    elif step == "reset":
                        writer.transport.abort()
                        return
                    else:
                        await asyncio.sleep(step)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            self.ended += 1
            writer.close()


@asynccontextmanager
async def pool(service: Service, *, timeout_s: float = 2.0, ca: trustme.CA | None = None) -> AsyncIterator[HttpPool]:
    ours = theirs = None
    if ca is not None:
        ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.configure_trust(ours)
        ca.issue_cert("127.0.0.1").configure_cert(theirs)
    server = await asyncio.start_server(service, "127.0.0.1", 0, ssl=theirs)
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    port = server.sockets[0].getsockname()[1]
    url = f"http{'s' if ca else ''}://127.0.0.1:{port}/v1?api-version=1"
    client = HttpPool(url, {"Authorization": "Bearer k"}, timeout_s=timeout_s, context=ours)
    try:
        yield client
    finally:
        await client.close()
        server.close()


async def ask(client: HttpPool, body: bytes = b"{}", sent: Callable[[int], None] = lambda _: None) -> Answer:
    return await client.ask("POST", "/path", sent, content_type="application/json", body=body)


async def text(client: HttpPool, **given: Any) -> bytes:
    answer = await ask(client, **given)
    try:
        return await answer.read()
    finally:
        answer.leave()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def test_one_connection_serves_many_requests() -> None:
    async def test() -> None:
        service = Service()
        async with pool(service) as client:
            for _ in range(3):
                assert await text(client, body=b"hello") == b"ok"
        head = service.requests[0].decode()
        assert head.startswith("POST /v1/path?api-version=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        assert "\r\nauthorization: Bearer k\r\n" in head.replace("Authorization", "authorization")
        assert "Accept-Encoding: identity" in head
        assert head.endswith("\r\n\r\nhello")
        assert service.connections == 1

    run(test)


def test_connections_are_open_before_they_are_needed() -> None:
    async def test() -> None:
        service = Service([OK[:-1], 0.05, OK[-1:]])
        async with pool(service) as client:
            client.prepare(2)
            client.prepare(2)
            await asyncio.sleep(0.1)
            assert service.connections == 2
            assert await asyncio.gather(text(client), text(client)) == [b"ok", b"ok"]
            assert service.connections == 2

    run(test)


@pytest.mark.parametrize(
    ("script", "body"),
    [
        ([CHUNKED + b"3\r\nab", 0.01, b"c\r\n4;x=y\r\ndefg\r\n", 0.01, b"0\r\nTrailer: t\r\n\r\n"], b"abcdefg"),
        ([b"HTTP/1.1 200 OK\r\n\r\nabc", 0.01, b"defg", "close"], b"abcdefg"),
        ([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 0.01, OK], b"ok"),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], b"ok"),
        ([b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://h/\r\nContent-Length: 0\r\n\r\n"], b""),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
    ],
)
def test_bodies(script: list[Any], body: bytes) -> None:
    async def test() -> None:
        service = Service(script)
        async with pool(service) as client:
            assert await text(client) == body
            assert await text(client) == b"ok"

    run(test)


def test_a_piece_bears_the_time_at_which_it_came() -> None:
    async def test() -> None:
        service = Service([CHUNKED + b"1\r\na\r\n", 0.1, b"1\r\nb\r\n0\r\n\r\n"])
        async with pool(service) as client:
            sent: list[int] = []
            answer = await ask(client, sent=sent.append)
            await asyncio.sleep(0.2)  # a program that is slow to take it
            assert await answer.piece() == b"a"
            first_ns = answer.arrived_ns
            assert await answer.piece() == b"b"
            assert 80_000_000 < answer.arrived_ns - first_ns < time.monotonic_ns() - sent[0]
            assert sent[0] < first_ns
            assert await answer.piece() is None
            answer.leave()

    run(test)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (["close"], "cut"),
        (["reset"], "cut"),
        ([OK[:20], "close"], "cut"),
        ([OK[:-1], "close"], "cut"),
        ([CHUNKED + b"5\r\nab", "close"], "cut"),
        ([CHUNKED + b"2\r\nab\r\n", "reset"], "cut"),
        ([CHUNKED + b"zz\r\nab\r\n"], "malformed"),
        ([b"SSH-2.0-OpenSSH_9\r\n\r\n"], "malformed"),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000], "malformed"),
        ([2.0], "timeout"),
        ([OK[:-1], 2.0], "timeout"),
    ],
)
def test_what_goes_wrong_is_named_and_the_next_request_is_answered(script: list[Any], kind: str) -> None:
    async def test() -> None:
        service = Service(script)
        async with pool(service, timeout_s=0.3) as client:
            with pytest.raises(HttpError) as wrong:
                await text(client)
            assert wrong.value.kind == kind
            assert len(service.requests) == 1
            assert await text(client) == b"ok"
            assert service.connections == 2

    run(test)


def test_nobody_there() -> None:
    async def test() -> None:
        with pytest.raises(HttpError, match="9") as wrong:
            await text(HttpPool("http://127.0.0.1:9/v1", {}, timeout_s=1.0))
        assert wrong.value.kind == "unreachable"

    run(test)


def test_a_connection_that_the_service_closed_is_not_used() -> None:
    async def test() -> None:
        service = Service()
        service.close_idle_after_s = 0.05
        async with pool(service) as client:
            for count in range(1, 4):
                assert await text(client) == b"ok"
                assert service.connections == count
                await asyncio.sleep(0.15)

    run(test)


def test_a_close_that_the_loop_has_not_heard_of_is_seen() -> None:
    async def test() -> None:
        service = Service([OK, "close"])
        async with pool(service) as client:
            assert await text(client) == b"ok"
            await asyncio.sleep(0)
            while service.ended == 0:  # the close is written by this loop, and read only in its next round
                await asyncio.sleep(0)
            time.sleep(0.02)
            answer = await ask(client)
            assert not answer.repeated
            assert await answer.read() == b"ok"
            assert len(service.requests) == 2

    run(test)


@pytest.mark.parametrize("idle_s", [0.0, 0.1])
def test_a_request_that_met_the_close_of_an_idle_connection_goes_out_once_more(
    idle_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the connection had been idle long enough for that; else it is a failure."""
    monkeypatch.setattr(http_client, "STALE_AFTER_S", 0.05)

    async def test() -> None:
        service = Service([OK], ["close"], [OK], ["close"])
        async with pool(service) as client:
            assert await text(client) == b"ok"
            await asyncio.sleep(idle_s)
            if idle_s:
                answer = await ask(client)
                assert answer.repeated
                answer.leave()
                assert len(service.requests) == 3
            else:
                with pytest.raises(HttpError, match="closed"):
                    await text(client)
                assert len(service.requests) == 2

    run(test)


def test_an_answer_that_had_begun_is_never_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "STALE_AFTER_S", 0.0)

    async def test() -> None:
        service = Service([OK], [b"HTTP", "reset"])
        async with pool(service) as client:
            assert await text(client) == b"ok"
            with pytest.raises(HttpError) as wrong:
                await text(client)
            assert wrong.value.kind == "cut"
            assert len(service.requests) == 2

    run(test)


def test_a_request_that_is_left_ends_its_connection() -> None:
    async def test() -> None:
        service = Service([CHUNKED + b"2\r\nab\r\n", 30.0])
        async with pool(service) as client:
            answer = await ask(client)
            answer.leave()
            answer.leave()
            waiting = asyncio.create_task(ask(client))
            await asyncio.sleep(0.05)
            assert service.connections == 2
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    run(test)


@pytest.mark.parametrize(("rest_s", "connections"), [(0.05, 1), (0.6, 2)])
def test_an_end_that_comes_soon_leaves_the_connection_open(
    rest_s: float, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "REST_WITHIN_S", 0.2)

    async def test() -> None:
        service = Service([CHUNKED + b"2\r\nab\r\n", rest_s, b"0\r\n\r\n"])
        async with pool(service) as client:
            answer = await ask(client)
            assert await answer.piece() == b"ab"
            answer.leave(rest=True)
            await asyncio.sleep(0.4)
            assert await text(client) == b"ok"
            assert service.connections == connections

    run(test)


def test_a_long_answer_that_nobody_takes_waits_at_the_service() -> None:
    async def test() -> None:
        size = 32 * 1024 * 1024
        service = Service(*[[b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"x" * size]] * 2)
        async with pool(service, timeout_s=5.0) as client:
            answer = await ask(client)
            await asyncio.sleep(0.2)
            assert answer._line is not None
            assert answer._line._waiting_bytes < 2 * http_client.MOST_WAITING_BYTES
            got = 0
            while (piece := await answer.piece()) is not None:
                got += len(piece)
            answer.leave()
            assert got == size
            with pytest.raises(HttpError, match="more than"):
                await text(client)

    run(test)


def test_a_slow_upload_is_no_late_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class NarrowLine(http_client._Line):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            super().connection_made(transport)

    monkeypatch.setattr(http_client, "_Line", NarrowLine)

    async def test() -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got = b""
            while not got.endswith(b"END"):
                await asyncio.sleep(0.02)
                piece = await reader.read(256 * 1024)
                got = (got + piece)[-8:]
            writer.write(OK)
            await writer.drain()

        async with pool(slow, timeout_s=0.3) as client:  # type: ignore[arg-type]
            started_s = time.monotonic()
            assert await text(client, body=b"x" * 6_000_000 + b"END") == b"ok"
            assert time.monotonic() - started_s > 0.4, "the upload was too fast to show anything"

    run(test)


def test_tls() -> None:
    async def test() -> None:
        service, ca = Service(), trustme.CA()
        async with pool(service, ca=ca) as client:
            client.prepare(1)
            await asyncio.sleep(0.2)
            for _ in range(3):
                assert await text(client) == b"ok"
            assert service.connections == 1

    run(test)


def test_a_certificate_of_strangers_is_refused() -> None:
    async def test() -> None:
        async with pool(Service(), ca=trustme.CA()) as client:
            client._context = ssl.create_default_context()
            with pytest.raises(HttpError, match="certificate") as wrong:
                await text(client)
            assert wrong.value.kind == "unreachable"

    run(test)


@pytest.mark.parametrize("key", ["two\nlines", "k\u00e9y", "nul\0"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        HttpPool("http://127.0.0.1:9/v1", {"Authorization": key}, timeout_s=1.0)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("http://[::1]:8000/v1", "[::1]:8000", "/v1/p"),
        ("https://h", "h", "/p"),
        ("https://bücher.example/a b/", "xn--bcher-kva.example", "/a%20b/p"),
        (
            "https://h/openai/deployments/x?api-version=2025-01-01",
            "h",
            "/openai/deployments/x/p?api-version=2025-01-01",
        ),
    ],
)
def test_addresses(url: str, host: str, target: str) -> None:
    async def test() -> None:
        request = HttpPool(url, {}, timeout_s=1.0).begin("GET", "/p", lambda _: None)
        assert request._data.startswith(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n".encode())

    run(test)


def test_a_request_goes_out_at_once_and_may_be_left() -> None:
    async def test() -> None:
        service = Service([CHUNKED + b"2\r\nab\r\n", 30.0])
        async with pool(service) as client:
            client.prepare(1)
            await asyncio.sleep(0.1)
            request = client.begin("GET", "/path", lambda _: None)
            await asyncio.sleep(0.1)
            assert len(service.requests) == 1
            request.leave()
            request.leave()
            assert await text(client) == b"ok"
            assert service.connections == 2

    run(test)
