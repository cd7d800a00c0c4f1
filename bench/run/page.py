"""Locust's own web page for a run under way: `bench run --web`.

In: ended turns and calls, and a glance at the run a few times a second; out: HTTP on one address while calls go on.
The page has an Environment and a runner of its own that drive nothing, and only what is read is let through. Trap:
never show the runner that makes the calls. Locust's buttons would steer it, and a master whose state is "running", as
the page needs it, deals out users anew whenever a worker is lost.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer
from locust import argument_parser
from locust.env import Environment
from locust.runners import STATE_RUNNING, MasterRunner, Runner, WorkerNode, WorkerNodes
from locust.stats import update_stats_history

from bench.errors import BenchError
from bench.load.worker import Progress
from bench.measure.records import SessionRecord, TurnRecord
from bench.run.screen import View, errors, seconds
from bench.workers.interface import Crew, WorkerGlance

HISTORY_EVERY_S = 5.0
MOST_HISTORY = 720
"""Points of the charts that a page opened later gets; beyond it every other one is dropped."""
MOST_CONNECTIONS = 64
STOP_TIMEOUT_S = 0.2
_ANY_HOST = {"0.0.0.0", "::", "*", ""}
_READ = {"/", "/stats/requests", "/exceptions", "/tasks", "/logs", "/worker-count"}
_STEERING = (
    "The scenario drives this run: it cannot be started, stopped, edited or reset from here. "
    "Ctrl-C in the terminal of bench run ends it.\n"
)
_NOT_HERE = "This page shows a run while it goes on; files with exact figures are in the run folder when it ends.\n"

# Buttons that this run would refuse, and tabs that stay empty or hold rounded figures for download. The column of
# sizes goes too: nothing counts bytes here, and Locust shows a 0 for it.
_HIDDEN = ["Edit", "Stop", "New", "Reset", "Exceptions", "Current Ratio", "Download Data", "Logs"]
_BANNER = """<style>.MuiTabs-scrollButtons{display:none!important}
#bench{padding:8px 24px;font:14px/1.5 Roboto,Helvetica,Arial,sans-serif}</style><div id="bench">
<b id="bench-now"></b><br><span id="bench-note" style="opacity:.75"></span></div>
<script>(() => {
  const hidden = new Set(HIDDEN);
  const hide = () => document.querySelectorAll("button").forEach((button) => {
    if (hidden.has(button.textContent)) button.style.display = "none";
  });
  const sheet = document.head.appendChild(document.createElement("style"));
  const unmeasured = () => {
    const heading = [...document.querySelectorAll("th")].find((th) => th.textContent.startsWith("Average size"));
    const rule = heading ? `table :is(th,td):nth-child(${heading.cellIndex + 1}){display:none}` : "";
    if (sheet.textContent !== rule) sheet.textContent = rule;
  };
  new MutationObserver(() => { hide(); unmeasured(); }).observe(document.body, {childList: true, subtree: true});
  const now = document.getElementById("bench-now"), note = document.getElementById("bench-note");
  let run, report = "its run folder";
  const ask = async () => {
    try {
      const said = await (await fetch("bench/progress")).json();
      if (run && run !== said.run) location.reload();
      ({run, report} = said);
      now.textContent = said.now;
      note.textContent = said.note;
    } catch {
      now.textContent = "The run has ended, or cannot be reached.";
      note.textContent = "Its report: " + report;
    }
    setTimeout(ask, 2000);
  };
  ask();
})();</script>""".replace("HIDDEN", json.dumps(_HIDDEN))
_NOT_YET = b"""<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>bench run</title>
<p style="font:16px sans-serif;margin:3em">The run has not begun yet: this page waits for it.</p>"""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where the page is served; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8089


class _Shown(Runner):
    """What Locust's page takes for its runner: figures to show, and no users to steer."""

    def __init__(self, environment: Environment) -> None:
        Runner.__init__(self, environment)
        # Its only greenlet watches the CPU of this process, as the runner of the calls does already.
        self.greenlet.kill(block=False)
        self.calls_open = 0

    @property
    def user_count(self) -> int:
        return self.calls_open

    def start(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the runner of the page starts nothing")

    def stop(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the runner of the page stops nothing")

    def send_message(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the runner of the page has nobody to tell")

    def show_workers(self, workers: list[WorkerGlance]) -> None:
        """A run without workers has none to show."""


class _ShownMaster(_Shown, MasterRunner):
    """The same with the tab of workers, which Locust shows of masters alone. It opens no socket."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.clients = WorkerNodes()
        self._at_work = 0

    @property
    def worker_count(self) -> int:
        return self._at_work

    def show_workers(self, workers: list[WorkerGlance]) -> None:
        nodes = WorkerNodes()
        for worker in workers:
            node = WorkerNode(worker.title, state=worker.state)
            node.user_classes_count = {"calls": worker.calls_open}
            node.cpu_usage, node.memory_usage = round(worker.cpu_percent), worker.memory_bytes
            nodes[worker.title] = node
        self.clients = nodes
        self._at_work = sum(worker.state == "running" for worker in workers)


class WebPage:
    """Serves from its making until `stop`; before `view` it says that the run has not begun."""

    def __init__(self, address: WebAddress, *, title: str, run_id: str, report: Path, distributed: bool) -> None:
        """Raises `BenchError` when the address cannot be had."""
        self._title, self._run_id, self._report = title, run_id, report
        self._now = ""
        self._begun = False
        self._next_history_s = 0.0
        listener = _listen(address)
        self.url = _url(address.host, listener.getsockname()[1])
        # Locust would read its own options from our command line, and leave the process at the first it does not know.
        argument_parser.ui_extra_args_dict = _no_options
        self._environment = Environment()
        app: Any = self._environment.create_web_ui(delayed_start=True).app
        self._runner = (_ShownMaster if distributed else _Shown)(self._environment)
        self._environment.runner = self._runner
        app.after_request(self._dressed)
        # No log: a client that speaks no HTTP must not write over the live view.
        self._server = WSGIServer(listener, self._guarded(app), log=None, error_log=None, spawn=MOST_CONNECTIONS)
        self._server.start()

    def stop(self) -> None:
        """Close the address and every connection; again is harmless."""
        self._server.stop(timeout=STOP_TIMEOUT_S)

    # what is shown

    def turn(self, row: TurnRecord) -> None:
        """Count one ended turn. Locust's line "Aggregated" is first audible, with calls that failed before any turn."""
        stats: Any = self._environment.stats
        if row.warmup:
            stats.entries["first audible", "warm-up"].log(row.first_audible_ms, 0)
            return
        stats.log_request("turn", "first audible", row.first_audible_ms, 0)
        if row.ttft_ms is not None:
            stats.entries["TTFT", "turn"].log(row.ttft_ms, 0)
        if row.status != "ok":
            stats.log_error("turn", "first audible", _reason(row))

    def session(self, row: SessionRecord) -> None:
        """Count one ended call."""
        stats: Any = self._environment.stats
        stats.entries["ready", "call"].log(row.session_ready_ms, 0)
        if row.status == "failed" and row.turns_ended == 0:
            stats.total.log(None, 0)
            stats.log_error("call", "ready", _reason(row))

    def view(self, screen: View, crew: Crew, url: str) -> View:
        """`screen`, with the page beside it. From now on the page shows the run of `crew` against `url`."""
        self._environment.host = url
        self._environment.stats.clear_all()
        self._runner.update_state(STATE_RUNNING)
        self._begun = True
        return _Beside(screen, crew, self)

    def update(self, progress: Progress, workers: list[WorkerGlance]) -> None:
        """What the head of the page says of the run."""
        done = "" if progress.done is None else f" ({progress.done:.0%})"
        self._now = (
            f"{self._title}: {progress.phase}, {seconds(progress.elapsed_s)} elapsed{done}; "
            f"{progress.open_sessions} calls open, {progress.tally.sessions} ended; errors: {errors(progress)}"
        )
        self._runner.calls_open = progress.open_sessions
        self._runner.show_workers(workers)
        if progress.elapsed_s >= self._next_history_s:
            self._next_history_s = progress.elapsed_s + HISTORY_EVERY_S
            update_stats_history(self._runner)
            history = self._environment.stats.history
            if len(history) > MOST_HISTORY:
                del history[::2]

    # what is answered

    def _guarded(self, app: WsgiApp) -> WsgiApp:
        """`app` for readers alone, whatever routes it has."""

        def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
            path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
            if method not in ("GET", "HEAD"):
                answer = _answer("403 Forbidden", "text/plain", _STEERING.encode())
            elif path == "/bench/progress":
                answer = _answer("200 OK", "application/json", json.dumps(self._progress()).encode())
            elif path not in _READ and not path.startswith("/assets/"):
                answer = _answer("403 Forbidden", "text/plain", _NOT_HERE.encode())
            elif path == "/" and not self._begun:
                answer = _answer("200 OK", "text/html", _NOT_YET)
            else:
                answer = app
            yield from _in_pieces(answer(environ, start_response))

        return respond

    def _progress(self) -> dict[str, str]:
        note = (
            "Only to watch: the scenario drives the run. A request is a turn, a user is an open call; charts show the "
            f"time to the first audible sample. Percentiles are rounded here; exact ones will be in {self._report}"
        )
        return {"run": self._run_id, "now": self._now, "note": note, "report": str(self._report)}

    def _dressed(self, response: Any) -> Any:
        """Locust's page with our head and without its controls."""
        if response.mimetype == "text/html" and response.status_code == 200:
            text = response.get_data(as_text=True)
            response.set_data(
                text.replace("<title>Locust</title>", "<title>bench run</title>").replace("<body>", "<body>" + _BANNER)
            )
        return response


class _Beside:
    """A screen and the page, told the same."""

    def __init__(self, screen: View, crew: Crew, page: WebPage) -> None:
        self._screen, self._crew, self._page = screen, crew, page

    def update(self, progress: Progress) -> None:
        self._screen.update(progress)
        self._page.update(progress, self._crew.workers())

    def note(self, line: str) -> None:
        self._screen.note(line)

    def close(self) -> None:
        self._screen.close()
        self._page.stop()


def _reason(row: TurnRecord | SessionRecord) -> str:
    return " ".join(part for part in (row.status, row.error_kind, row.error_code) if part)


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


def _no_options(args: Any = None) -> dict[str, Any]:
    return {}


def _answer(status: str, kind: str, body: bytes) -> WsgiApp:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response(status, [*headers, ("Cache-Control", "no-store")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return app


def _in_pieces(result: Iterable[bytes]) -> Iterator[bytes]:
    """`result`, with the loop free between pieces: the page's script is a megabyte, and frames must leave meanwhile."""
    close = getattr(result, "close", None)
    try:
        for piece in result:
            yield piece
            gevent.sleep(0)
    finally:
        if close is not None:
            close()
