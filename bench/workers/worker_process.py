"""A worker process: makes calls for a master and confirms its row counts.

In: messages of `bench.workers.messages`; out: calls, rows, a final message with counts. Local workers write their spool
straight into the run folder; workers on other machines keep their own and send events along. Trap: a master that dies
must not leave calls running that cost money; its silence ends the run here.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from dataclasses import astuple
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from bench.errors import BenchError, ExitCode
from bench.load.health_probe import raise_file_limit
from bench.load.worker_run import WorkerRun
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.folder import RunFolder
from bench.workers import messages
from bench.workers.link import WorkerLink
from bench.workers.package import unpack
from bench.workers.scratch import new_scratch

MASTER_SILENCE_S = 20.0


class WorkerProcess:
    """One worker from its hello until it is dismissed. `index` is that of a worker which the master started itself."""

    def __init__(
        self, host: str, port: int, token: str, *, spool: Path | None, index: int | None, burner_ms: float = 0.0
    ) -> None:
        self._index = index
        self._spool = spool
        self._burner_ms = burner_ms
        self._run: WorkerRun | None = None
        self._begun = False
        self._flushed = False
        """The last calls that were asked for are made, and the master has all of their rows."""
        self._left: str | None = None
        self._turns: list[TurnRecord] = []
        self._sessions: list[SessionRecord] = []
        self._ship_events = False
        self._event_bytes_sent = 0
        self._dismissed = Event()
        self._refusal: str | None = None
        self._disk_reported = False
        self._folders: dict[str, RunFolder] = {}
        self._scratch = new_scratch()
        if index is None:
            print(f"worker: waiting for the master at {host}:{port}", flush=True)
        self._link = WorkerLink(host, port, token)
        self._link.listen(
            {
                messages.ASSIGN: self._on_assign,
                messages.START: self._on_start,
                messages.STOP: self._on_stop,
                messages.DISMISSED: self._on_dismissed,
            }
        )
        hello = {"pid": os.getpid(), "host": socket.gethostname(), "versions": messages.versions(), "index": index}
        self._link.send(messages.HELLO, hello)

    def serve(self) -> int:
        """Work until dismissed, or until the master has been silent too long. The exit code of the process."""
        watch = gevent.spawn(self._watch_master)
        self._dismissed.wait()
        watch.kill()
        self._link.close()
        self._scratch.cleanup()
        if self._refusal is not None:
            raise BenchError(f"the master sent this worker away: {self._refusal}", exit_code=ExitCode.USAGE)
        return int(ExitCode.PASS)

    def _watch_master(self) -> None:
        while True:
            gevent.sleep(1)
            if self._link.silent_s > MASTER_SILENCE_S:
                self.abandon("the master fell silent")

    def leave(self) -> None:
        """Asked to go (Ctrl-C, a pod that is being moved): hang up, hand over what ended, and say so."""
        self._left = "it was asked to leave before its calls were made"
        if self._run is None or not self._begun or self._flushed:
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

    # the listener of rows

    def turn(self, row: TurnRecord) -> None:
        self._turns.append(row)

    def session(self, row: SessionRecord) -> None:
        self._sessions.append(row)

    # what the master says

    def _on_assign(self, _: str, data: Any) -> None:
        local = data["folder"] is not None and self._index is not None
        self._ship_events = not local
        try:
            raise_file_limit()
            folder_of = (lambda run_id: RunFolder(Path(data["folder"]))) if local else self._own_folder
            spec = unpack(data["work"], Path(self._scratch.name), folder_of)
            self._run = WorkerRun(spec, self, worker=data["index"], environment=self._link.environment)
        except BenchError as error:
            self._link.send(messages.FAILED, {"message": error.message})
            return
        self._link.send(messages.READY, self._run.anchor.model_dump(include={"monotonic_ns", "unix_s", "pid"}))

    def _own_folder(self, run_id: str) -> RunFolder:
        """A new folder below `--spool`: rows of two runs must never share a file."""
        if run_id in self._folders:  # more calls of the same run
            return self._folders[run_id]
        base = self._spool or Path.cwd() / "bench-worker"
        for attempt in range(1, 10_000):
            root = base / (run_id if attempt == 1 else f"{run_id}-{attempt}")
            try:
                root.mkdir(parents=True)
            except FileExistsError:
                continue
            self._folders[run_id] = RunFolder(root)
            return self._folders[run_id]
        raise BenchError(f"{base}: too many runs named {run_id}", hint="remove old ones, or name another --spool")

    def _on_start(self, _: str, data: Any) -> None:
        if self._run is None:
            return
        self._flushed = False
        self._run.start()
        gevent.spawn(self._ship, self._run)
        if self._burner_ms and not self._begun:
            gevent.spawn(_burn, self._burner_ms)
        self._begun = True

    def _on_stop(self, _: str, data: Any) -> None:
        if self._run is None:
            return
        if data["hang_up"]:
            self._run.hang_up()
        else:
            self._run.admit_no_more()

    def _on_dismissed(self, _: str, data: Any) -> None:
        self._refusal = (data or {}).get("reason")
        if self._run is not None and not self._run.finished:
            self._run.hang_up()
            self._run.drain()
        self._dismissed.set()

    # what we say

    def _ship(self, run: WorkerRun) -> None:
        while not run.finished:
            run.wait(messages.SHIP_S)
            self._ship_rows(run)
        run.drain()
        self._ship_rows(run)
        report = run.report()
        self._link.send(
            messages.FLUSHED,
            {
                "turns": report.turns,
                "sessions": report.sessions,
                "readings": report.readings.to_wire(),
                "arrivals": report.arrivals.model_dump() if report.arrivals is not None else None,
                "kernel_stamps": run.recorder.kernel_stamps,
                "left": self._left,
                "losses": report.losses,
                "pauses": [report.pauses, report.paused_s],
                "tapes": list(report.tapes),
            },
        )
        self._flushed = True

    def _ship_rows(self, run: WorkerRun) -> None:
        turns, self._turns = self._turns, []
        sessions, self._sessions = self._sessions, []
        for piece in messages.batches(turns):
            self._link.send(messages.TURNS, messages.to_columns(piece))
        # Timelines are written beside the loop and may come after the row of their call: ship whatever is there.
        if self._ship_events:
            self._ship_timelines(run)
        for some in messages.batches(sessions):
            self._link.send(messages.SESSIONS, messages.to_columns(some))
        self._link.send(messages.PROGRESS, list(astuple(run.counts)))
        if run.spool.failure is not None and not self._disk_reported:
            self._disk_reported = True
            self._link.send(messages.DISK_FAILED, {"reason": run.spool.failure})

    def _ship_timelines(self, run: WorkerRun) -> None:
        """Bytes of our events file that the master has not got yet: whole gzip members, as they were appended."""
        with run.spool.events_path.open("rb") as stream:
            stream.seek(self._event_bytes_sent)
            data = stream.read()
        self._event_bytes_sent += len(data)
        if data:
            self._link.send(messages.EVENTS, data)


def _burn(length_ms: float) -> None:
    """A greenlet that holds the loop for `length_ms` at a time: for calibrating against a misbehaving neighbour."""
    while True:
        until_ns = time.monotonic_ns() + round(length_ms * 1e6)
        while time.monotonic_ns() < until_ns:
            pass
        gevent.sleep(length_ms / 1000)


def _token_of_master() -> str:
    """The first line of standard input, by which a local worker gets its master's token."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line.strip().decode()


def _watch_stdin(process: WorkerProcess) -> None:
    """A local worker's lifeline: when the master's end of the pipe closes, the master is gone."""

    def read_to_end() -> None:
        while os.read(0, 4096):
            pass

    # gevent's own pool has native threads; a patched Thread would read in the loop and stop every call.
    gevent.get_hub().threadpool.apply(read_to_end)
    process.abandon("the master is gone")


def serve_worker(
    host: str,
    port: int,
    token: str = "",
    *,
    spool: Path | None = None,
    index: int | None = None,
    burner_ms: float = 0.0,
) -> int:
    """`bench worker`: serve the master at `host:port` until dismissed.

    `index` marks a local worker, whose master writes the token to its standard input.
    """
    if index is not None:
        token = _token_of_master()
    process = WorkerProcess(host, port, token, spool=spool, index=index, burner_ms=burner_ms)
    if index is not None:
        # Ctrl-C reaches the whole process group; the master decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        gevent.spawn(_watch_stdin, process)
    else:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            gevent.signal_handler(number, process.leave)
    return process.serve()
