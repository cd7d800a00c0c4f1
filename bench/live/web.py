"""The page over HTTP: at `/` the page, at `/state` what it shows as JSON, at `/events` the same as server-sent events.

In: a listening socket, a `Board`, and what a stop does. Out: answers, until `stop`. Trap: nothing is answered without
the token, and the page may load nothing from anywhere: its style and script are part of it.
"""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

import gevent.socket
from gevent.pywsgi import WSGIHandler, WSGIServer

from bench.live.address import Asked, refusal
from bench.live.board import Board

MOST_CONNECTIONS = 64
IDLE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 0.3
SCRIPTS = ("charts.js", "talk.js", "page.js")

StartResponse = Callable[..., Any]
Post = Callable[[dict[str, Any]], tuple[int, str]]
"""Answers a POST with a status and a sentence."""


class _Handler(WSGIHandler):  # type: ignore[misc]
    """A connection that asks for nothing gives its place back."""

    def handle(self) -> None:
        self.socket.settimeout(IDLE_TIMEOUT_S)
        super().handle()


def cooperative(listener: socket.socket) -> Any:
    """The same socket, of which gevent waits for connections; nothing is patched in a process without calls."""
    return gevent.socket.socket(listener.family, listener.type, fileno=listener.detach())


class LiveServer:
    """Serves from its making until `stop`."""

    def __init__(
        self,
        listener: Any,
        board: Board,
        *,
        token: str,
        local: bool,
        posts: dict[str, Post] | None = None,
        pages: dict[str, Callable[[], bytes | None]] | None = None,
        reply: Callable[[int], bytes | None] | None = None,
    ) -> None:
        self._board, self._token, self._local = board, token, local
        self.posts, self._pages, self._reply = posts or {}, pages or {}, reply
        # No log: a client that speaks no HTTP must not write over a terminal's live view.
        self._server = WSGIServer(
            listener, self.respond, log=None, error_log=None, spawn=MOST_CONNECTIONS, handler_class=_Handler
        )
        self._server.start()

    def stop(self) -> None:
        """Close the address and every connection; again is harmless."""
        self._board.close()
        self._server.stop(timeout=STOP_TIMEOUT_S)

    def asked(self, environ: dict[str, Any]) -> Asked:
        """What decides whether a request is answered."""
        query = parse_qs(environ.get("QUERY_STRING", ""))
        return Asked(
            method=environ["REQUEST_METHOD"],
            token=query.get("token", [""])[0],
            host=environ.get("HTTP_HOST", ""),
            origin=environ.get("HTTP_ORIGIN"),
        )

    def refused(self, environ: dict[str, Any]) -> str | None:
        return refusal(self.asked(environ), token=self._token, local=self._local)

    def respond(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        why = self.refused(environ)
        if why is not None:
            return answer(start_response, "403 Forbidden", "text/plain", f"{why}\n".encode())
        if method == "POST" and path in self.posts:
            status, said = self.posts[path](environ)
            return answer(start_response, f"{status} {_REASONS[status]}", "text/plain", f"{said}\n".encode())
        if method not in ("GET", "HEAD"):
            return answer(start_response, "405 Method Not Allowed", "text/plain", b"Only GET is answered here.\n")
        if path == "/events" and method == "GET":
            start_response("200 OK", [("Content-Type", "text/event-stream"), *_headers()])
            return self._board.events()
        if path in self._pages and (found := self._pages[path]()) is not None:
            kind, body = "text/html", found
        elif path == "/":
            kind, body = "text/html", page()
        elif path == "/state":
            kind, body = "application/json", self._board.json
        elif path == "/recorder.js":
            kind, body = "text/javascript", files("bench.live").joinpath("recorder.js").read_bytes()
        elif path == "/talk/reply" and (wav := self._spoken(environ)) is not None:
            kind, body = "audio/wav", wav
        else:
            return answer(start_response, "404 Not Found", "text/plain", b"Here are /, /state and /events.\n")
        return answer(start_response, "200 OK", kind, body if method == "GET" else b"")

    def _spoken(self, environ: dict[str, Any]) -> bytes | None:
        """The reply of the turn that the address names."""
        number = parse_qs(environ.get("QUERY_STRING", "")).get("turn", [""])[0]
        return self._reply(int(number)) if self._reply is not None and number.isdecimal() else None


_REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 409: "Conflict"}


def answer(start_response: StartResponse, status: str, kind: str, body: bytes) -> Iterable[bytes]:
    length = ("Content-Length", str(len(body)))
    start_response(status, [("Content-Type", f"{kind}; charset=utf-8"), length, *_headers()])
    return [body]


@cache
def page() -> bytes:
    """The page with its style and script inside."""
    own = files("bench.live")
    style = files("bench.report").joinpath("templates/style.css").read_text("utf-8")
    style += own.joinpath("page.css").read_text("utf-8")
    html = own.joinpath("page.html").read_text("utf-8")
    return html.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script()).encode()


@cache
def script() -> str:
    return "\n" + "".join(files("bench.live").joinpath(name).read_text("utf-8") for name in SCRIPTS)


@cache
def _headers() -> tuple[tuple[str, str], ...]:
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}' 'self'; connect-src 'self'; "
        "img-src data:; media-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return (
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    )
