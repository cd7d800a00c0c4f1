"""The cheapest possible voice server: accepts sessions, throws caller audio away, sends a little back.

For comparing clients only: it must cost so little that the client is what runs out first. Runs as its own process;
prints its port, and its share of a core when its standard input closes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
import time
from typing import ClassVar

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
EVERY_S = 0.2


def frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([0x81, size]) + payload
    return bytes([0x81, 126]) + size.to_bytes(2, "big") + payload


def event(**fields: object) -> bytes:
    return frame(json.dumps(fields).encode())


HELLO = event(type="session.created", session={"id": "s"}) + event(type="session.updated", session={"id": "s"})
DELTA = event(type="response.output_audio.delta", response_id="r", item_id="i", delta="A" * 4096)


class Sink(asyncio.Protocol):
    open: ClassVar[set[asyncio.Transport]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head = b""
        self.up = False

    def data_received(self, data: bytes) -> None:
        if self.up:
            return
        self.head += data
        if b"\r\n\r\n" not in self.head:
            return
        key = next(
            line.split(b":", 1)[1].strip()
            for line in self.head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + HELLO
        )
        self.up = True
        self.open.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.discard(self.transport)


async def talk() -> None:
    """A delta to every session each 200 ms, spread over the interval so that clients get no bursts."""
    while True:
        transports = list(Sink.open)
        for transport in transports:
            transport.write(DELTA)
            await asyncio.sleep(EVERY_S / max(1, len(transports)))
        if not transports:
            await asyncio.sleep(EVERY_S)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    talking = asyncio.create_task(talk())
    began_s, cpu_s = time.monotonic(), time.process_time()
    await loop.run_in_executor(None, sys.stdin.read)
    talking.cancel()
    print(f"{(time.process_time() - cpu_s) / (time.monotonic() - began_s):.3f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
