"""The HTTP edge: `GET /v1/realtime` (WebSocket), `POST /v1/realtime/client_secrets`, `GET /healthz`.

In: requests. Out: the vendor's status codes, error bodies and close codes; everything after the upgrade belongs to
`Connection`. Trap: some refusals come only after a successful upgrade, as an `error` event followed by a close.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from bench.server.access import Access, Grant, accepted_subprotocols, late_refusal, unauthorized
from bench.server.connection import Connection, close_socket
from bench.server.engines.base import Engine
from bench.server.limits import Allowance
from bench.server.options import REALTIME_PATH, ServeOptions
from bench.server.protocol import config
from bench.server.protocol.errors import ProtocolError
from bench.server.protocol.session import Session
from bench.server.truth import TruthLog

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # an append of 15 MiB and its envelope
REFUSED = 4000  # the vendor's close code after an upgrade that is then refused
DRAIN_TIMEOUT_S = 3.0


class Edge:
    """The server's routes and the connections it holds."""

    def __init__(self, engine: Engine, options: ServeOptions) -> None:
        self._engine = engine
        self._options = options
        self._access = Access(options.api_key, engine.default_model)
        self._allowance = Allowance()
        self._connections: dict[Connection, asyncio.Task[Any]] = {}
        self._started_at_s = time.monotonic()
        self._accepted = 0
        self._truth = TruthLog(options.truth_log, engine=engine.name, settings={})

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_json_errors])
        app.router.add_get("/healthz", self._health)
        app.router.add_post(f"{REALTIME_PATH}/client_secrets", self._client_secrets)
        app.router.add_get(REALTIME_PATH, self._realtime)
        return app

    async def close(self) -> None:
        """Tell every client that the server goes away; bounded in time."""
        tasks = list(self._connections.values())
        for connection in list(self._connections):
            connection.close(WSCloseCode.GOING_AWAY, "server shutdown")
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_TIMEOUT_S)
        self._truth.close()

    async def _health(self, _request: web.Request) -> web.Response:
        facts = {
            "status": "ok",
            "engine": self._engine.name,
            "model": self._engine.default_model,
            "open_sessions": len(self._connections),
            "uptime_s": round(time.monotonic() - self._started_at_s, 3),
            **self._engine.health(),
        }
        return _json(facts)

    async def _client_secrets(self, request: web.Request) -> web.Response:
        grant = self._access.admit(request.headers)
        if grant is None or grant.is_secret:
            return _unauthorized()
        raw = await request.read()
        try:
            body = orjson.loads(raw) if raw else {}
            return _json(self._access.make_secret(body))
        except orjson.JSONDecodeError as error:
            problem = ProtocolError(f"We could not parse the JSON body of your request: {error}.", code=None)
        except ProtocolError as refused:
            problem = refused
        return _json({"error": _without_event_id(problem)}, status=400)

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        grant = self._access.admit(request.headers)
        if grant is None:
            return _unauthorized()
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=MAX_MESSAGE_BYTES, protocols=accepted_subprotocols(request.headers)
        )
        socket_error = late_refusal(request.headers)
        await socket.prepare(request)
        if socket_error is not None:
            event = {"type": "error", "event_id": "event_refused", "error": socket_error.body()}
            await socket.send_frame(orjson.dumps(event), WSMsgType.TEXT)
            await close_socket(socket, REFUSED, f"{socket_error.kind}.{socket_error.code}")
            return socket
        transport = request.transport
        if transport is None:  # gone since the upgrade
            return socket
        session = self._session(request, grant)
        peer = transport.get_extra_info("peername")
        self._truth.session(
            session.id,
            at_ns=time.monotonic_ns(),
            peer=f"{peer[0]}:{peer[1]}" if peer else "",
            number=self._accepted,
        )
        self._accepted += 1
        connection = Connection(
            socket,
            session,
            self._engine.session(),
            lifetime_s=float(self._options.session_lifetime_s),
            abort=transport.abort,
            truth=self._truth,
        )
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.run()
        finally:
            del self._connections[connection]
            self._truth.closed(session.id, at_ns=time.monotonic_ns(), how="client", code=socket.close_code)
        return socket

    def _session(self, request: web.Request, grant: Grant) -> Session:
        settings = grant.settings
        model = request.query.get("model") or (settings or {}).get("model") or self._engine.default_model
        return Session(
            model=model,
            created_at_s=int(time.time()),
            settings={**settings, "model": model} if settings is not None else config.default_session(model),
            lifetime_s=self._options.session_lifetime_s,
            rate_limits=self._allowance.used,
        )


@web.middleware
async def _json_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Error bodies as API clients expect them, for paths and methods that do not exist, too."""
    try:
        return await handler(request)
    except web.HTTPException as problem:
        if problem.status < 400:
            raise
        message = f"{problem.reason} ({request.method} {request.path})"
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return _json({"error": error}, status=problem.status)


def _unauthorized() -> web.Response:
    return _json(unauthorized(), status=401)


def _without_event_id(problem: ProtocolError) -> dict[str, Any]:
    return {key: value for key, value in problem.body().items() if key != "event_id"}


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
