"""HTTP/1.1 with connections that stay open and answers that stream: one request at a time on each socket.

In: bytes of a socket, through h11. Out: an `Exchange` for each whole request, handled by a task of its own.
What its handler sends in one go is one write, so that a client wakes once for the head and the first piece, and once
for the last piece and the end. A handler may send ahead of time (`hold_until`): the write is then made when it is due.
Trap: a client that hangs up while it is answered ends the task: nobody reads what it would still write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

import h11
import orjson

from bench.server.deadlines import Deadline, Deadlines
from bench.server.http_requests import error_body

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 25 * 1024 * 1024
"""As the vendor allows of an uploaded recording."""
MAX_QUEUED_BYTES = 16 * 1024 * 1024
_NO_LINGER = struct.pack("ii", 1, 0)


class Exchange:
    """One request that has arrived whole, and its answer."""

    def __init__(self, connection: HttpConnection, request: h11.Request, body: bytes, arrived_ns: int) -> None:
        self.method = request.method.decode("ascii")
        self.path = urlsplit(request.target.decode("latin-1")).path
        self.body = body
        self.arrived_ns = arrived_ns
        """When its last byte was here."""
        self.status: int | None = None
        """Of the answer, once that has begun."""
        self.first_ns: int | None = None
        """When the first byte of the answer's body was written."""
        self._body_begun = False
        self._headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
        self._connection = connection

    def get(self, name: str, default: str = "", /) -> str:
        """A field of the header, read without regard to case."""
        return self._headers.get(name.lower(), default)

    def answer(self, status: int, body: object, extra: Mapping[str, str] | None = None) -> None:
        """The whole answer, as JSON."""
        self.send_whole(status, "application/json", orjson.dumps(body), extra)

    def refuse(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        code: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """An error as the vendor words it."""
        self.answer(status, error_body(message, kind, code), extra)

    def send_whole(self, status: int, content_type: str, data: bytes, extra: Mapping[str, str] | None = None) -> None:
        """The whole answer."""
        self.begin(status, content_type, {"Content-Length": str(len(data)), **(extra or {})})
        self.send(data)
        self.end()

    def begin(self, status: int, content_type: str, extra: Mapping[str, str] | None = None) -> None:
        """Status and header; without a length the body is sent in chunks."""
        self.status = status
        headers = [("Content-Type", content_type), *(extra or {}).items()]
        self._connection.write(
            h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
        )

    def send(self, data: bytes) -> None:
        """More of the body."""
        self._body_begun = True
        self._connection.write(h11.Data(data=data))

    def end(self) -> None:
        """The body is complete."""
        self._connection.write(h11.EndOfMessage())

    def hold_until(self, due_ns: int) -> None:
        """What is sent from now on is not to be written before that monotonic instant."""
        self._connection.due_ns = due_ns

    async def drained(self) -> None:
        """Wait until everything that was sent is written."""
        await self._connection.drained()

    def written(self) -> None:
        """Something of the answer is written."""
        if self._body_begun and self.first_ns is None:
            self.first_ns = time.monotonic_ns()

    def cut(self) -> None:
        """Break the connection off, so that the client sees an error."""
        self._connection.reset()


Handle = Callable[[Exchange], Awaitable[None]]


class HttpConnection(asyncio.Protocol):
    """One socket; `handle` answers its requests, one after the other."""

    def __init__(self, handle: Handle, known: set[HttpConnection], deadlines: Deadlines) -> None:
        self.due_ns = 0
        """Before it nothing is written of what is given from now on."""
        self._deadlines = deadlines
        self._handle = handle
        self._known = known
        self._http = h11.Connection(h11.SERVER)
        self._transport: asyncio.Transport | None = None
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None
        self._unwritten: deque[tuple[int, bytes]] = deque()
        """What is to be written, and when."""
        self._next: Deadline | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._arrived_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._known.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._known.discard(self)
        self._transport = None
        self._flush()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._arrived_ns = time.monotonic_ns()
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError as problem:
            self._refuse(problem.error_status_hint or 400, "This is no HTTP request.")
        else:
            self._read()

    def _read(self) -> None:
        while self._task is None:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as problem:
                self._refuse(problem.error_status_hint or 400, "This is no HTTP request.")
                return
            if isinstance(event, h11.Request):
                self._request, self._body = event, bytearray()
                if self._http.they_are_waiting_for_100_continue:
                    self.write(h11.InformationalResponse(status_code=100, headers=[]))
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY_BYTES:
                    self._refuse(413, f"A body may have {MAX_BODY_BYTES} bytes.")
                    return
            elif isinstance(event, h11.EndOfMessage):
                assert self._request is not None
                exchange = self._exchange = Exchange(self, self._request, bytes(self._body), self._arrived_ns)
                self._task = asyncio.create_task(self._answer(exchange))
            else:  # more data is needed, or the client is gone
                return

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._handle(exchange)
        except Exception:  # a bug of ours must not leave the client waiting
            logger.exception("%s %s failed", exchange.method, exchange.path)
            if exchange.status is None:
                exchange.refuse(500, "The server had an error.", "server_error")
            else:
                exchange.cut()
        await self.drained()
        self.due_ns = 0
        self._task = self._exchange = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._read()  # the next request may lie here already
        elif self._transport is not None and self._http.our_state in {h11.DONE, h11.MUST_CLOSE, h11.CLOSED}:
            self._transport.close()

    def write(self, event: h11.Event) -> None:
        """Write a part of the answer, together with what follows at once; nothing once the client is gone."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._empty.is_set():
            self._empty.clear()
            asyncio.get_running_loop().call_soon(self._flush)
        self._unwritten.append((self.due_ns, self._http.send(event) or b""))

    async def drained(self) -> None:
        """Wait until nothing is left to be written."""
        if not self._next:
            self._flush()
        await self._empty.wait()

    def _flush(self) -> None:
        """Hand what is due to the system."""
        self._next = None
        if self._transport is None or self._transport.is_closing():
            self._unwritten.clear()
        due, now_ns = [], time.monotonic_ns()
        while self._unwritten and self._unwritten[0][0] <= now_ns:
            due.append(self._unwritten.popleft()[1])
        if due and self._transport is not None:
            if self._exchange is not None:
                self._exchange.written()
            self._transport.write(b"".join(due))
            if self._transport.get_write_buffer_size() > MAX_QUEUED_BYTES:
                self.reset()
        if not self._unwritten:
            self._empty.set()
        elif self._next is None:
            self._next = self._deadlines.at(self._unwritten[0][0], self._flush)

    def reset(self) -> None:
        """End the connection at once; what is unsent is thrown away."""
        if self._transport is None:
            return
        raw: socket.socket | None = self._transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        """The server ends."""
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            body = orjson.dumps(error_body(message))
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ]
            self.write(h11.Response(status_code=status, headers=headers))
            self.write(h11.Data(data=body))
            self.write(h11.EndOfMessage())
            self._flush()
        if self._transport is not None:
            self._transport.close()
