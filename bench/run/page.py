"""The page of `bench run --web`: a run under way in a browser, to watch only.

In: `Progress` a few times a second; out: HTTP on one address while calls go on: the page at `/`, what it shows as JSON
at `/progress`, and the same as server-sent events at `/events`. Trap: it is served from the loop that paces audio, so
a state is encoded once a second, whatever the number of readers.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import orjson
from gevent.event import Event
from gevent.pywsgi import WSGIHandler, WSGIServer
from rich.console import Console

from bench.errors import BenchError
from bench.load.progress import Progress
from bench.load.spec import RunSpec
from bench.load.watchers import Watcher
from bench.run.screen import figures, seconds, time_left

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8089
EVERY_S = 1.0
MOST_HISTORY = 240
"""Points of the charts; beyond it every other one is dropped."""
MOST_CONNECTIONS = 64
IDLE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 0.2
_ANY_HOST = {"0.0.0.0", "::", "*", ""}
_READ_ONLY = (
    b"The scenario drives this run: it cannot be started, stopped or changed from here. "
    b"Ctrl-C in the terminal of bench run ends it.\n"
)
_HEADERS = [
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
     "connect-src 'self'"),
]  # fmt: skip

StartResponse = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where the page is served; port 0 takes a free one."""

    host: str
    port: int


def open_page(address: WebAddress, console: Console) -> Callable[[RunSpec], Watcher]:
    """The page of a run at `address`, which is printed."""

    def opened(spec: RunSpec) -> Watcher:
        page = WebPage(address, spec)
        console.print(f"web page: {page.url}", markup=False, highlight=False, soft_wrap=True)
        return page

    return opened


class _Handler(WSGIHandler):  # type: ignore[misc]
    """A connection that asks for nothing gives its place back."""

    def handle(self) -> None:
        self.socket.settimeout(IDLE_TIMEOUT_S)
        super().handle()


class WebPage(Watcher):
    """Serves from its making until `close`; before the first progress it says that the run has not begun."""

    def __init__(self, address: WebAddress, spec: RunSpec) -> None:
        """Raises `BenchError` when the address cannot be had."""
        report = spec.folder.root / "report.html"
        self._budget = spec.scenario.budget
        self._state: dict[str, Any] = {
            "title": spec.scenario.name,
            "target": ", ".join(dict.fromkeys(each.target.url or each.name for each in spec.callees)),
            "report": str(report.resolve()),
            "phase": "not begun",
            "notes": [],
            "history": [],
        }
        self._json = orjson.dumps(self._state)
        self._next_s = 0.0
        self._latest: Progress | None = None
        self._changed = Event()
        self._over = False
        listener = _listen(address)
        self.url = _url(address.host, listener.getsockname()[1])
        # No log: a client that speaks no HTTP must not write over the live view.
        self._server = WSGIServer(
            listener, self._respond, log=None, error_log=None, spawn=MOST_CONNECTIONS, handler_class=_Handler
        )
        self._server.start()

    # what is shown

    def progress(self, progress: Progress) -> None:
        self._latest = progress
        if progress.elapsed_s >= self._next_s or progress.phase != self._state["phase"]:
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        self._next_s = progress.elapsed_s + EVERY_S
        samples = progress.tally.first_audible_ms
        history = self._state["history"]
        middle = round(float(np.median(samples[-100:]))) if samples else None
        history.append((round(progress.elapsed_s, 1), progress.calls.open, middle))
        if len(history) > MOST_HISTORY:
            del history[::2]
        self._publish(
            phase=progress.phase,
            elapsed=seconds(progress.elapsed_s),
            left=time_left(progress),
            done=progress.done,
            figures=figures(progress, self._budget),
            workers=[asdict(worker) for worker in progress.workers],
        )

    def note(self, line: str) -> None:
        self._publish(notes=[*self._state["notes"][-9:], line])

    def close(self) -> None:
        """Say that the run is over, and close the address and every connection; again is harmless."""
        self._over = True
        if self._latest is not None:
            self._show(self._latest)
        self._publish(phase="ended")
        self._server.stop(timeout=STOP_TIMEOUT_S)

    def _publish(self, **changes: Any) -> None:
        self._state |= changes
        self._json = orjson.dumps(self._state)
        self._changed.set()
        self._changed.clear()

    # what is answered

    def _respond(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            return _answer(start_response, "403 Forbidden", "text/plain", _READ_ONLY)
        if path == "/events" and method == "GET":
            start_response("200 OK", [("Content-Type", "text/event-stream"), *_HEADERS])
            return self._events()
        bodies = {"/": ("text/html", _page()), "/progress": ("application/json", self._json)}
        if path not in bodies:
            return _answer(start_response, "404 Not Found", "text/plain", b"Here are /, /progress and /events.\n")
        kind, body = bodies[path]
        return _answer(start_response, "200 OK", kind, body if method == "GET" else b"")

    def _events(self) -> Iterator[bytes]:
        while True:
            yield b"data: " + self._json + b"\n\n"
            if self._over:
                return
            self._changed.wait()


def _page() -> bytes:
    return files("bench.run").joinpath("page.html").read_bytes()


def _answer(start_response: StartResponse, status: str, kind: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))), *_HEADERS])
    return [body]


def _listen(address: WebAddress) -> socket.socket:
    host = "" if address.host == "*" else address.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, address.port), family=family)
    except OSError as error:
        raise BenchError(
            f"the web page cannot be served on {address.host}, port {address.port}: {error.strerror or error}",
            hint="name another with --web-port (0 takes a free one); --web-host must be an address of this machine",
        ) from error


def _url(host: str, port: int) -> str:
    if host in _ANY_HOST:
        return f"http://127.0.0.1:{port} (and every other address of this machine)"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
