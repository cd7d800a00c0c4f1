"""`/metrics` over HTTP, by Prometheus' own client library.

In: a listening socket and a registry. Out: answers, from a thread of its own. Trap: where only this machine may read,
a page of another site that is open in a browser here must not: a request that names another host is refused.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from bench.config.hosts import is_loopback

IDLE_TIMEOUT_S = 10.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = IDLE_TIMEOUT_S

    def log_message(self, *_words: Any) -> None:
        """No log: it would write over the run's screen."""


def serve(listener: socket.socket, registry: CollectorRegistry, *, local: bool) -> Callable[[], None]:
    """Answer at `listener` from now on; returns what stops it. `local`: only this machine may read."""
    host, port = listener.getsockname()[:2]
    server = _Server((host, port), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = str(host), int(port)
    server.setup_environ()
    server.set_app(_app(registry, local=local))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


def _app(registry: CollectorRegistry, *, local: bool) -> Callable[..., Iterable[bytes]]:
    metrics: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if local and not is_loopback(_name(environ.get("HTTP_HOST", ""))):
            return _say(start_response, "403 Forbidden", "This address is served to this machine alone.")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _say(start_response, "405 Method Not Allowed", "Only GET is answered here.")
        if environ["PATH_INFO"] != "/metrics":
            return _say(start_response, "404 Not Found", "Here is /metrics.")
        return metrics(environ, start_response)

    return app


def _say(start_response: Callable[..., Any], status: str, line: str) -> Iterable[bytes]:
    body = f"{line}\n".encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


def _name(host: str) -> str:
    """The host of `host:port`."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
