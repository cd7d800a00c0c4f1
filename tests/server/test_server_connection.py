"""A connection that asks for nothing is not kept for ever."""

from __future__ import annotations

import asyncio

import pytest

from bench.server import server_connection
from bench.server.deadlines import Deadlines
from bench.server.server_connection import ServerConnection


class _Service:
    def __init__(self) -> None:
        self.deadlines = Deadlines()
        self.nagle = False
        self.connections: set[ServerConnection] = set()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: h\r\n"])
def test_a_request_that_does_not_come_is_answered_and_closed(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server_connection, "REQUEST_TIMEOUT_S", 0.1)

    async def converse() -> bytes:
        service = _Service()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: ServerConnection(service), "127.0.0.1", 0)  # type: ignore[arg-type]
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.write(sent)
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
        service.deadlines.close()
        assert not service.connections
        return answer

    answer = asyncio.run(converse())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"No whole request came" in answer
