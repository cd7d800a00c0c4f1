"""The worker process: does what a master says, and is believed only when its count agrees.

In: messages of `bench.workers.messages`; out: calls, rows, a last count. Local workers write their spool straight into
the run folder; workers on other machines keep their own and send events along. Trap: a master that dies must not
leave calls running that cost money; its silence ends the run here.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import WorkerRunner

from bench.errors import BenchError, ExitCode
from bench.load.health_probe import raise_file_limit
from bench.load.worker import WorkerRun
from bench.measure.records import SessionRecord, TurnRecord
from bench.pricing.book import Books
from bench.store.folder import RunFolder
from bench.workers import messages
from bench.workers.package import unpack

SHIP_S = 0.5
MASTER_SILENCE_S = 20.0


class Hired:
    """One worker process from hello to dismissal."""

    def __init__(self, host: str, port: int, *, spool: Path | None, index: int | None, burner_ms: float = 0.0) -> None:
        self._asked = index
        self._spool = spool
        self._burner_ms = burner_ms
        self._environment = Environment()
        self._run: WorkerRun | None = None
        self._started_run = False
        self._left: str | None = None
        self._turns: list[TurnRecord] = []
        self._sessions: list[SessionRecord] = []
        self._ship_events = False
        self._dismissed = Event()
        self._refusal: str | None = None
        self._sent = [0, 0]
        self._event_bytes_sent = 0
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-worker-")
        # Silence is told by our own monotonic clock: setting the wall clock must not end a run.
        self._heard_ns = time.monotonic_ns()
        listen: Callable[..., None] = self._environment.events.heartbeat_received.add_listener
        listen(self._heartbeat)
        self._runner = self._join(host, port)
        for name, handler in (
            (messages.ASSIGN, self._assigned),
            (messages.START, self._started),
            (messages.STOP, self._stopped),
            (messages.DISMISSED, self._on_dismissed),
        ):
            self._runner.register_message(name, handler, concurrent=True)
        self._say(
            messages.HELLO,
            {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "versions": messages.versions(),
                "index": index,
            },
        )

    def _join(self, host: str, port: int) -> WorkerRunner:
        """Connect to the master, trying for some minutes. Raises `BenchError` when nobody answers."""
        if self._asked is None:
            print(f"worker: waiting for the master at {host}:{port}", flush=True)
        try:
            runner = self._environment.create_worker_runner(host, port)
        except (ConnectionError, RPCError) as error:
            raise BenchError(
                f"no master at {host}:{port}: {error}",
                hint="start it with: bench run SCENARIO --master --expect-workers N",
                exit_code=ExitCode.UNREACHABLE,
            ) from error
        if not isinstance(runner, WorkerRunner):
            raise TypeError("Locust made a runner that is no worker")
        return runner

    def _heartbeat(self, **_: Any) -> None:
        self._heard_ns = time.monotonic_ns()

    def _say(self, kind: str, data: dict[str, Any]) -> None:
        self._runner.send_message(kind, data)

    def serve(self) -> int:
        """Work until dismissed, or until the master has been silent too long. The exit code of the process."""
        watch = gevent.spawn(self._watch_master)
        self._dismissed.wait()
        watch.kill()
        # Locust's greenlets would go on talking to a master that has closed its socket.
        self._runner.greenlet.kill(block=True)
        close: Callable[[], None] = self._runner.client.close
        close()
        self._scratch.cleanup()
        if self._refusal is not None:
            raise BenchError(f"the master sent this worker away: {self._refusal}", exit_code=ExitCode.USAGE)
        return int(ExitCode.PASS)

    def _on_dismissed(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._refusal = (msg.data or {}).get("reason")
        if self._run is not None and not self._run.finished:
            self._run.hang_up()
            self._run.drain()
        self._dismissed.set()

    def _watch_master(self) -> None:
        while True:
            gevent.sleep(1)
            if time.monotonic_ns() - self._heard_ns > MASTER_SILENCE_S * 1e9:
                self.abandon("the master fell silent")

    def leave(self) -> None:
        """Asked to go (Ctrl-C, a pod that is being moved): hang up, hand over what ended, and say so."""
        self._left = "it was asked to leave before its calls were made"
        if self._run is None or not self._started_run:
            self._scratch.cleanup()
            os._exit(int(ExitCode.INTERRUPTED))
        self._run.hang_up()

    def abandon(self, why: str) -> None:
        """The master is gone: hang up, keep what was written, leave."""
        print(f"worker: {why}; hanging up", file=sys.stderr, flush=True)
        try:
            if self._run is not None:
                self._run.hang_up()
                self._run.drain()
            self._scratch.cleanup()
        finally:
            # Whatever went wrong in tidying up, no call may go on without a master.
            os._exit(int(ExitCode.INCOMPLETE))

    # what the master says

    def _assigned(self, environment: Environment, msg: Any, **_: Any) -> None:
        data = msg.data
        try:
            raise_file_limit()
            scenario, target = unpack(data["work"], Path(self._scratch.name))
            local = data["folder"] is not None and self._asked is not None
            self._ship_events = not local
            folder = RunFolder(Path(data["folder"])) if local else self._own_folder(data["run_id"])
            self._run = WorkerRun(
                scenario,
                target,
                folder,
                run_id=data["run_id"],
                books=Books.model_validate(data["books"]),
                worker=data["index"],
                workers=data["workers"],
                environment=self._environment,
                on_turn=self._turns.append,
                on_session=self._sessions.append,
            )
        except BenchError as error:
            self._say(messages.FAILED, {"index": data["index"], "message": error.message, "hint": error.hint})
            return
        anchor = self._run.anchor
        self._say(
            messages.READY,
            {
                "index": data["index"],
                "monotonic_ns": anchor.monotonic_ns,
                "unix_s": anchor.unix_s,
                "pid": os.getpid(),
                "host": socket.gethostname(),
            },
        )

    def _own_folder(self, run_id: str) -> RunFolder:
        """A new folder below `--spool`: rows of two runs must never share a file."""
        base = self._spool or Path.cwd() / "bench-worker"
        for attempt in range(1, 10_000):
            root = base / (run_id if attempt == 1 else f"{run_id}-{attempt}")
            try:
                root.mkdir(parents=True)
            except FileExistsError:
                continue
            return RunFolder(root)
        raise BenchError(f"{base}: too many runs named {run_id}", hint="remove old ones, or name another --spool")

    def _started(self, environment: Environment, msg: Any, **_: Any) -> None:
        if self._run is None:
            return
        self._started_run = True
        self._run.start()
        gevent.spawn(self._ship)
        if self._burner_ms:
            gevent.spawn(_burn, self._burner_ms)

    def _stopped(self, environment: Environment, msg: Any, **_: Any) -> None:
        if self._run is None:
            return
        if msg.data["firmly"]:
            self._run.hang_up()
        else:
            self._run.admit_no_more()

    # what we say

    def _ship(self) -> None:
        run = self._run
        if run is None:
            return
        while not run.finished:
            run.wait(SHIP_S)
            self._ship_rows()
        run.drain()
        self._ship_rows()
        self._say(
            messages.FLUSHED,
            {
                "turns": run.spool.turns_written,
                "sessions": run.spool.sessions_written,
                "sent": list(self._sent),
                "health": run.health.certificate(),
                "kernel_stamps": run.recorder.kernel_stamps,
                "dropped": run.playing.dropped,
                "offered": run.playing.offered,
                "left": self._left,
            },
        )

    def _ship_rows(self) -> None:
        run = self._run
        if run is None:
            return
        turns, self._turns[:] = list(self._turns), []
        sessions, self._sessions[:] = list(self._sessions), []
        for piece in messages.batches(turns):
            self._sent[0] += len(piece)
            self._say(messages.ROWS, {"what": "turns", "columns": messages.to_columns(piece)})
        # Timelines are written beside the loop and may come after the row of their call: ship whatever is there.
        if self._ship_events:
            self._ship_timelines(run)
        for some in messages.batches(sessions):
            self._sent[1] += len(some)
            self._say(messages.ROWS, {"what": "sessions", "columns": messages.to_columns(some)})
        self._say(messages.PROGRESS, {"counts": list(run.counts)})

    def _ship_timelines(self, run: WorkerRun) -> None:
        """Bytes of our events file that the master has not got yet: whole gzip members, as they were appended."""
        path = run.spool.events_path
        with path.open("rb") as stream:
            stream.seek(self._event_bytes_sent)
            data = stream.read()
        self._event_bytes_sent += len(data)
        if data:
            self._say(messages.EVENTS, {"data": data})


def _burn(length_ms: float) -> None:
    """A greenlet that holds the loop for `length_ms` at a time: for calibrating against a misbehaving neighbour."""
    while True:
        until_ns = time.monotonic_ns() + round(length_ms * 1e6)
        while time.monotonic_ns() < until_ns:
            pass
        gevent.sleep(length_ms / 1000)


def watch_stdin(hired: Hired) -> None:
    """A local worker's lifeline: when the master's end of the pipe closes, the master is gone."""

    def read_to_end() -> None:
        while os.read(0, 4096):
            pass

    def wait() -> None:
        # gevent's own pool has native threads; a patched Thread would read in the loop and stop every call.
        gevent.get_hub().threadpool.apply(read_to_end)
        hired.abandon("the master is gone")

    gevent.spawn(wait)


def serve_worker(
    host: str, port: int, *, spool: Path | None = None, index: int | None = None, burner_ms: float = 0.0
) -> int:
    """`bench worker`: serve the master at `host:port` until dismissed. `index` marks a local worker."""
    hired = Hired(host, port, spool=spool, index=index, burner_ms=burner_ms)
    if index is not None:
        # Ctrl-C reaches the whole process group; the master decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        watch_stdin(hired)
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, hired.leave)
    return hired.serve()
