"""The thin edge: one asyncio protocol object per connection, from the handshake to the close.

In: bytes of a socket. Out: calls of the engine. It answers `GET /v1/realtime` (WebSocket) and `GET /healthz`, with
the same refusals as the full edge. Only the handshake goes through the `websockets` package; frames are cut here,
and an audio append whose message has the usual shape is never parsed as JSON.
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
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pybase64
from multidict import CIMultiDict
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from bench.server.access import Access, Grant, accepted_subprotocols, late_refusal, unauthorized
from bench.server.deadlines import Deadline
from bench.server.engines.simulated.faults import Fault, Struck, session_faults
from bench.server.lean.framing import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    FramingError,
    close_code,
    close_frame,
    frame,
)
from bench.server.options import REALTIME_PATH
from bench.server.protocol.errors import ProtocolError

if TYPE_CHECKING:
    from bench.server.engines.simulated.call import Call
    from bench.server.engines.simulated.engine import SimulatedEngine

MAX_HANDSHAKE_BYTES = 64 * 1024
MAX_QUEUED_BYTES = 64 * 1024 * 1024
CLOSE_TIMEOUT_S = 2.0
REFUSED = 4000
NO_LINGER = struct.pack("ii", 1, 0)
# The start of an append as clients write it; whatever differs goes the long way.
_APPEND = re.compile(
    rb'\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"input_audio_buffer\.append"\s*,\s*'
    rb'(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"audio"\s*:\s*"'
)
_HTTP_ERRORS: dict[int, tuple[str, str | None, str]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Access to this model is not allowed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached: too many sessions. Please try again later."),
    503: ("server_error", None, "The server is overloaded or not ready yet."),
}


class LeanEdge:
    """What the connections share."""

    def __init__(self, engine: SimulatedEngine, api_key: str | None) -> None:
        self.engine = engine
        self.access = Access(api_key, engine.default_model)
        self.connections: set[LeanConnection] = set()
        self.started_at_s = time.monotonic()

    def connection(self) -> LeanConnection:
        """The protocol object of a new connection."""
        return LeanConnection(self)

    async def close(self, timeout_s: float) -> None:
        """Tell every caller that the server goes away; bounded in time."""
        for connection in list(self.connections):
            connection.close(1001, "server shutdown")
        until_s = time.monotonic() + timeout_s
        while self.connections and time.monotonic() < until_s:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.drop(reset=False)

    def health(self) -> dict[str, Any]:
        engine = self.engine
        return {
            "status": "ok",
            "engine": engine.name,
            "model": engine.default_model,
            "open_sessions": engine.open_sessions,
            "uptime_s": round(time.monotonic() - self.started_at_s, 3),
            **engine.health(),
        }


class LeanConnection(asyncio.Protocol):
    """One socket; a `Wire` for its call."""

    def __init__(self, edge: LeanEdge) -> None:
        self._edge = edge
        self._engine = edge.engine
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._handshake: ServerProtocol | None = ServerProtocol(max_size=None)
        self._received = 0
        self._reader = FrameReader()
        self._call: Call | None = None
        self._number = 0
        self._struck = Struck({})
        self._closing: Deadline | None = None
        self._closed_how: tuple[str, int | None] | None = None

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = f"{peer[0]}:{peer[1]}" if peer else ""
        self._edge.connections.add(self)
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        at_ns = time.monotonic_ns()
        if self._handshake is not None:
            self._shake_hands(data, self._handshake)
            return
        try:
            for opcode, payload in self._reader.feed(data):
                if opcode in (TEXT, BINARY):
                    self._message(payload, at_ns)
                else:
                    self._control(opcode, payload)
        except FramingError as problem:
            self.close(problem.code, problem.reason)
        self._engine.deadlines.catch_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._edge.connections.discard(self)
        if self._closing is not None:
            self._closing.cancel()
        call, self._call = self._call, None
        if call is not None:
            self._engine.open_sessions -= 1
            how, code = self._closed_how or ("reset" if exc is not None else "client", None)
            call.ended()
            self._engine.truth.closed(call.session.id, at_ns=time.monotonic_ns(), how=how, code=code)

    # -- messages

    def _message(self, payload: bytes, at_ns: int) -> None:
        call = self._call
        if call is None or self._closed_how is not None:
            return
        head = _APPEND.match(payload)
        if head is not None and payload.endswith(b'"}'):
            try:
                audio = pybase64.b64decode(memoryview(payload)[head.end() : -2], validate=True)
            except binascii.Error:
                call.text(payload)  # refused there, in the vendor's words
                return
            call.hear(audio, at_ns)
        else:
            call.text(payload)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._write(frame(PONG, payload))
        elif opcode == CLOSE:
            if self._closed_how is None:
                self._closed_how = ("client", close_code(payload))
                self._write(frame(CLOSE, payload[:2]))
            self._finish()

    # -- the call's side

    def send_text(self, data: bytes) -> None:
        """Write one message; a peer that does not read is let go before it fills the memory."""
        transport = self._transport
        if transport is None or self._closed_how is not None or transport.is_closing():
            return
        transport.write(frame(TEXT, data))
        if transport.get_write_buffer_size() > MAX_QUEUED_BYTES:
            self.drop(reset=True)

    def close(self, code: int, reason: str) -> None:
        """Start a closing handshake that waits a bounded time."""
        if self._closed_how is not None:
            return
        self._closed_how = ("server", code)
        if self._handshake is not None:
            self._finish()
            return
        self._write(close_frame(code, reason))
        self._closing = self._engine.deadlines.after(CLOSE_TIMEOUT_S, self._finish)

    def drop(self, *, reset: bool) -> None:
        """End the connection without a closing handshake; `reset` also without what is still unsent."""
        self._closed_how = self._closed_how or ("cut", None)
        transport = self._transport
        if transport is None:
            return
        if reset:
            raw: socket.socket | None = transport.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):  # it may be gone already
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            transport.abort()
        else:
            transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _finish(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # -- the handshake

    def _shake_hands(self, data: bytes, protocol: ServerProtocol) -> None:
        if not self._received:
            self._number = self._engine.next_number()
            self._struck = session_faults(self._engine.profile.faults, self._engine.profile.seed, self._number)
            if "refuse" in self._struck:
                self.drop(reset=True)
                return
        self._received += len(data)
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._answer(event, protocol)
                return
        if protocol.handshake_exc is not None or self._received > MAX_HANDSHAKE_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST, _error("invalid_request_error", None, "This is no HTTP request."))

    def _answer(self, request: Request, protocol: ServerProtocol) -> None:
        fault = self._struck.get("slow_handshake")
        if fault is None:
            self._admit(request, protocol)
            return
        self._engine.deadlines.after(fault.delay_ms(3_000) / 1000, lambda: self._admit(request, protocol))

    def _admit(self, request: Request, protocol: ServerProtocol) -> None:
        """Upgrade, or answer with plain HTTP."""
        url = urlsplit(request.path)
        headers = CIMultiDict(request.headers.raw_items())
        if self._transport is None or self._transport.is_closing():
            return
        if url.path == "/healthz":
            self._refuse(HTTPStatus.OK, self._edge.health())
            return
        if url.path != REALTIME_PATH:
            message = f"Not Found (GET {url.path})"
            self._refuse(HTTPStatus.NOT_FOUND, _error("invalid_request_error", None, message))
            return
        grant = self._edge.access.admit(headers)
        status = self._http_fault(grant)
        if grant is None or status is not None:
            code = status or 401
            self._refuse(HTTPStatus(code), unauthorized() if code == 401 else _error(*_HTTP_ERRORS[code]))
            return
        response = protocol.accept(request)
        if response.status_code == 101 and (names := accepted_subprotocols(headers)):
            response.headers["Sec-WebSocket-Protocol"] = names[0]
        protocol.send_response(response)
        for data in protocol.data_to_send():
            self._write(data)
        if response.status_code != 101:
            self._finish()
            return
        self._handshake = None
        self._begin(grant, headers, parse_qs(url.query).get("model", [None])[0])

    def _http_fault(self, grant: Grant | None) -> int | None:
        """The status that a fault or a limit answers with instead of the upgrade."""
        fault = self._struck.get("http")
        if fault is not None:
            return int(fault.chosen_status)
        limits = self._engine.profile.limits
        full = limits.max_sessions is not None and self._engine.open_sessions >= limits.max_sessions
        return int(limits.refuse_with) if grant is not None and full and limits.refuse_with != "error" else None

    def _begin(self, grant: Grant, headers: CIMultiDict[str], model: str | None) -> None:
        """The socket is open: refuse it late, or begin the call."""
        problem, code, reason = self._late_refusal(headers)
        if problem is not None:
            event = {"type": "error", "event_id": "event_refused", "error": problem.body()}
            self._write(frame(TEXT, orjson.dumps(event)))
            self.close(code, reason)
            return
        self._engine.open_sessions += 1
        self._call = self._engine.call(self, grant, model, number=self._number, struck=self._struck, peer=self._peer)
        self._call.open()

    def _late_refusal(self, headers: CIMultiDict[str]) -> tuple[ProtocolError | None, int, str]:
        problem = late_refusal(headers)
        if problem is not None:
            return problem, REFUSED, f"{problem.kind}.{problem.code}"
        limits = self._engine.profile.limits
        fault: Fault | None = self._struck.get("error_then_close")
        if fault is not None:
            return _session_limit(fault.error_code), fault.close_code, "simulated fault"
        if limits.max_sessions is not None and self._engine.open_sessions >= limits.max_sessions:
            return _session_limit(None), 1008, "session_limit_reached"
        return None, 0, ""

    def _refuse(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        data = orjson.dumps(body)
        headers = Headers(
            [("Content-Type", "application/json"), ("Content-Length", str(len(data))), ("Connection", "close")]
        )
        self._write(Response(status.value, status.phrase, headers, data).serialize())
        self._closed_how = self._closed_how or ("server", None)
        self._finish()


def _error(kind: str, code: str | None, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _session_limit(code: str | None) -> ProtocolError:
    return ProtocolError(
        "The number of concurrent sessions of this server has been reached.",
        code=code or "session_limit_reached",
        kind="rate_limit_error" if code is None else "server_error",
    )
