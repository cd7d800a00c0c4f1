"""One asyncio protocol object per connection, from the request to the close, and what all of them share.

In: bytes of a socket. Out: answers to `GET /healthz` and `POST /v1/realtime/client_secrets`; on `GET /v1/realtime`
a WebSocket and a `SessionHandler` behind it. Frames are cut here, and an audio append of the usual shape is never
parsed as JSON, so that hundreds of calls fit on one core.
Trap: arrival is stamped when the loop hands over bytes, so a busy loop stamps late; the kernel's own stamps are not
to be had from an asyncio transport.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import pybase64
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from bench.server.access import Access, Grant, accepted_subprotocols, digest, unauthorized
from bench.server.deadlines import Deadline, Deadlines
from bench.server.engines.base import Engine
from bench.server.handler import SessionHandler
from bench.server.http_requests import HttpRequest, RequestError, error_body, json_answer, parse_request
from bench.server.options import ServeOptions
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.resumption import KeptConversations
from bench.server.protocol.session import MAX_APPEND_BYTES
from bench.server.protocol.shapes import shape_of
from bench.server.truth_log import TruthLog
from bench.server.websocket_frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    ClientFrames,
    FramingError,
    close_code,
    close_frame,
    frame,
)  # fmt: skip

MAX_QUEUED_BYTES = 64 * 1024 * 1024  # a client that does not read is let go before it fills the memory
CLOSE_TIMEOUT_S = 2.0
REQUEST_TIMEOUT_S = 10.0
"""Within this time a connection must have made its whole request."""
REFUSED = 4000  # the vendor's close code after an upgrade that is then refused
NO_LINGER = struct.pack("ii", 1, 0)
# The start of an append as clients write it; whatever differs goes the long way.
_APPEND = re.compile(
    rb'\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"input_audio_buffer\.append"\s*,\s*'
    rb'(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"audio"\s*:\s*"'
)

LateRefusal = tuple[ProtocolError, int, str]
"""The error that is sent after the upgrade, then the code and the reason of the close."""


@dataclass(slots=True)
class Numbers:
    """Counts from 0; one of N processes counts in steps of N, so that no two numbers are equal."""

    following: int
    step: int

    def next(self) -> int:
        """The next number."""
        self.following += self.step
        return self.following - self.step


class Service:
    """What the connections share; made inside the loop."""

    def __init__(self, engine: Engine, options: ServeOptions, truth: TruthLog) -> None:
        self.engine = engine
        self.truth = truth
        self.deadlines = Deadlines()
        self.access = Access(options.api_key, engine.default_model, options.shared_key)
        self.lifetime_s = engine.session_lifetime_s or float(options.session_lifetime_s)
        self.connections: set[ServerConnection] = set()
        self.kept = KeptConversations()
        self.open_sessions = 0
        self.nagle = options.nagle
        self.shape = shape_of(options.dialect)
        self._started_at_s = time.monotonic()
        self.handshakes = Numbers(options.process or 0, options.processes)
        self.secrets_asked = Numbers(options.process or 0, options.processes)

    def health(self) -> dict[str, Any]:
        """The body of `GET /healthz`."""
        return {
            "status": "ok",
            "dialect": self.shape.name,
            "engine": self.engine.name,
            "model": self.engine.default_model,
            "open_sessions": self.open_sessions,
            "uptime_s": round(time.monotonic() - self._started_at_s, 3),
            **self.engine.health(),
        }

    async def close(self, timeout_s: float) -> None:
        """Tell every client that the server goes away; bounded in time."""
        for connection in list(self.connections):
            connection.close(1001, "server shutdown")
        until_s = time.monotonic() + timeout_s
        while self.connections and time.monotonic() < until_s:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.drop()
        self.deadlines.close()


class ServerConnection(asyncio.Protocol):
    """One socket."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.number = -1
        self._transport: asyncio.Transport | None = None
        self._request = b""
        self._frames: ClientFrames | None = None  # once it is a WebSocket
        self._handler: SessionHandler | None = None
        self._closing: Deadline | None = None
        self._awaiting_request: Deadline | None = None
        self._closed_how: tuple[str, int | None] | None = None

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.service.connections.add(self)
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not self.service.nagle)
        self._awaiting_request = self.service.deadlines.after(REQUEST_TIMEOUT_S, self._no_request)

    def data_received(self, data: bytes) -> None:
        at_ns = time.monotonic_ns()
        if self._frames is None:
            self._read_request(data)
            return
        try:
            for opcode, payload in self._frames.feed(data):
                if opcode in (TEXT, BINARY):
                    self._message(payload, at_ns)
                else:
                    self._control(opcode, payload)
        except FramingError as problem:
            self.close(problem.code, problem.reason)
        self.service.deadlines.catch_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self.service.connections.discard(self)
        for deadline in (self._closing, self._awaiting_request):
            if deadline is not None:
                deadline.cancel()
        handler, self._handler = self._handler, None
        if handler is not None:
            self.service.open_sessions -= 1
            handler.ended(*(self._closed_how or ("reset" if exc is not None else "client", None)))

    # -- messages

    def _message(self, payload: bytes, at_ns: int) -> None:
        handler = self._handler
        if handler is None or self._closed_how is not None:
            return
        head = _APPEND.match(payload)
        if head is not None and payload.endswith(b'"}') and len(payload) <= MAX_APPEND_BYTES:
            try:
                handler.audio(pybase64.b64decode(memoryview(payload)[head.end() : -2], validate=True), at_ns)
                return
            except (binascii.Error, ProtocolError):
                pass  # refused below, in the vendor's words
        handler.text(payload, at_ns)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._write(frame(PONG, payload))
        elif opcode == CLOSE:
            if self._closed_how is None:
                self._closed_how = ("client", close_code(payload))
                self._write(frame(CLOSE, payload[:2]))
            self._finish()

    # -- the handler's side

    def send_text(self, data: bytes) -> None:
        """Write one message."""
        transport = self._transport
        if transport is None or self._closed_how is not None or transport.is_closing():
            return
        transport.write(frame(BINARY if self.service.shape.binary else TEXT, data))
        if transport.get_write_buffer_size() > MAX_QUEUED_BYTES:
            self.reset()

    def close(self, code: int, reason: str) -> None:
        """Start a closing handshake that waits a bounded time."""
        if self._closed_how is not None:
            return
        self._closed_how = ("server", code)
        if self._frames is None:
            self._finish()
            return
        self._write(close_frame(code, reason))
        self._closing = self.service.deadlines.after(CLOSE_TIMEOUT_S, self._finish)

    def drop(self) -> None:
        """End the connection without a closing handshake."""
        self._closed_how = self._closed_how or ("cut", None)
        self._finish()

    def reset(self) -> None:
        """End the connection at once, so that the peer's next write fails; what is unsent is thrown away."""
        self._closed_how = self._closed_how or ("cut", None)
        if self._transport is not None:
            raw: socket.socket | None = self._transport.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):  # it may be gone already
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _finish(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # -- HTTP

    def _read_request(self, data: bytes) -> None:
        self._request += data
        if self._closed_how is not None or self.number >= 0:
            return  # refused, or a handshake that is still being answered
        try:
            request = parse_request(self._request)
            if request is not None:
                if self._awaiting_request is not None:
                    self._awaiting_request.cancel()
                self._route(request)
        except RequestError as refused:
            self.answer(refused.status, error_body(str(refused)))

    def _no_request(self) -> None:
        problem = f"No whole request came within {REQUEST_TIMEOUT_S:g} s."
        self.answer(HTTPStatus.REQUEST_TIMEOUT, error_body(problem))

    def _route(self, request: HttpRequest) -> None:
        routes: dict[str, tuple[tuple[str, ...], Callable[[HttpRequest], None]]] = {
            "/healthz": (("GET", "HEAD"), self._health),
            **dict.fromkeys(self.service.shape.paths, (("GET",), self._handshake)),
        }
        if (path := self.service.shape.secret_path) is not None:
            routes[path] = ((self.service.shape.secret_method,), self._client_secrets)
        methods, serve = routes.get(request.path, ((), None))
        if serve is None or request.method not in methods:
            status = HTTPStatus.NOT_FOUND if serve is None else HTTPStatus.METHOD_NOT_ALLOWED
            self.answer(status, error_body(f"{status.phrase} ({request.method} {request.path})"))
        else:
            serve(request)

    def answer(
        self, status: HTTPStatus, body: object, *, head_only: bool = False, extra: Mapping[str, str] | None = None
    ) -> int:
        """Answer the request with JSON and end the connection; when the answer was written."""
        data = json_answer(status, body, head_only=head_only, extra=extra)
        at_ns = time.monotonic_ns()
        self._write(data)
        self._closed_how = self._closed_how or ("server", None)
        self._finish()
        return at_ns

    def _health(self, request: HttpRequest) -> None:
        self.answer(HTTPStatus.OK, self.service.health(), head_only=request.method == "HEAD")

    def _client_secrets(self, request: HttpRequest) -> None:
        self.give_secret(request, asked_ns=time.monotonic_ns(), number=self.service.secrets_asked.next())

    def give_secret(self, request: HttpRequest, *, asked_ns: int, number: int, dead: bool = False) -> None:
        """Answer a request for a client secret; `number` counts them, as that of a call does."""
        secret: str | None = None
        body: Mapping[str, Any]
        grant = self.grant_of(request)
        if grant is None or grant.is_secret:
            status, body = HTTPStatus.UNAUTHORIZED, unauthorized()
        else:
            try:
                made = self.service.access.make_secret(self.service.shape.secret_terms(request.body), dead=dead)
                status, body = HTTPStatus.OK, self.service.shape.secret_answer(request, made)
                secret = digest(made["value"])
            except ProtocolError as problem:
                told = {key: value for key, value in problem.body().items() if key != "event_id"}
                status, body = HTTPStatus.BAD_REQUEST, {"error": told}
        facts = {"number": number, "asked_ns": asked_ns, "status": status.value, "secret": secret}
        self.service.truth.add("client_secret", "", at_ns=self.answer(status, body), **facts)

    # -- the handshake

    def grant_of(self, request: HttpRequest, *, opens: bool = False) -> Grant | None:
        """What the credentials of a request allow; None when they are missing or wrong. `opens`: a session by them."""
        return self.service.access.admit(request.headers, self.service.shape.key_of(request), opens=opens)

    def _handshake(self, request: HttpRequest) -> None:
        self.number = self.service.handshakes.next()
        self.admit(request)

    def admit(self, request: HttpRequest) -> None:
        """Upgrade the connection, or refuse to."""
        if self._transport is None or self._transport.is_closing():
            return
        grant = self.grant_of(request, opens=True)
        if grant is None:
            self.answer(HTTPStatus.UNAUTHORIZED, unauthorized())
            return
        offer = Request(request.target, Headers(request.headers.items()))
        response = ServerProtocol().accept(offer)
        if response.status_code == 101 and (names := accepted_subprotocols(request.headers)):
            response.headers["Sec-WebSocket-Protocol"] = names[0]
        for name, value in self.limit_headers().items():
            response.headers[name] = value
        self._write(response.serialize())
        if response.status_code != 101:
            self._finish()
            return
        self._frames = ClientFrames()
        refusal = self.late_refusal(request)
        if refusal is None:
            self._begin(request, grant)
        else:
            problem, code, reason = refusal
            event = {"type": "error", "event_id": "event_refused", "error": problem.body()}
            for message in self.service.shape().outgoing(event):
                self.send_text(orjson.dumps(message))
            self.close(code, reason)
        if early := self._request.partition(b"\r\n\r\n")[2]:
            self.data_received(early)

    def limit_headers(self) -> Mapping[str, str]:
        """What the answer to a handshake tells of limits."""
        return {}

    def late_refusal(self, request: HttpRequest) -> LateRefusal | None:
        """What is refused only once the socket is open."""
        problem = self.service.shape.refusal(request.headers)
        return None if problem is None else (problem, REFUSED, f"{problem.kind}.{problem.code}")

    def _begin(self, request: HttpRequest, grant: Grant) -> None:
        service = self.service
        service.open_sessions += 1
        assert self._transport is not None
        peer = self._transport.get_extra_info("peername")
        shape = service.shape()
        named = shape.model_of(request) or grant.model
        baked = grant.settings if shape.secrets_hold_a_session else None
        settings = baked or wanted_session(request, service.engine.default_model)
        if named and settings["type"] == config.REALTIME:
            settings = {**settings, "model": named}
        if baked is None:
            settings = shape.settings(settings)
        self._handler = SessionHandler(
            self.send_text, self.close, self.drop, self.reset, service.engine, service.deadlines, service.truth,
            number=self.number,
            peer=f"{peer[0]}:{peer[1]}" if peer else "",
            shape=shape,
            model=named or service.engine.default_model,
            settings=settings,
            model_open=named is None,
            lifetime_s=service.lifetime_s,
            secret=grant.secret,
            kept=service.kept,
        )  # fmt: skip
        self._handler.open()


def wanted_session(request: HttpRequest, default_model: str) -> config.Json:
    """The configuration that the URL asks for: a session that answers, or `intent=transcription`.

    The vendor refuses a model beside that intent, and takes it from the first update. Clients name it in the URL for
    other servers, so it is taken as the transcriber here.
    """
    if request.query("intent") == config.TRANSCRIPTION:
        return config.default_transcription(request.query("model"))
    return config.default_session(default_model)
