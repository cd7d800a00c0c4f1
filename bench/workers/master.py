"""The master's side of a run with workers: hires them, hands out shares, counts what comes back.

In: the scenario and how many workers; out: the same face as a worker of its own (`Crew`). Locust carries the
messages and the heartbeats; when calls start and what they are is our own plan. Trap: a worker is finished when
its last word is a count that agrees with the rows here; one that vanished is named, and its rows stay.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event
from locust import runners
from locust.env import Environment
from locust.exception import RPCError

from bench.audio.catalogue import Fixture
from bench.errors import BenchError, ExitCode
from bench.load.health_probe import combined
from bench.load.plan import admission_s
from bench.load.recorder import Tally
from bench.load.worker import HANG_UP_GRACE_S, Progress, glance, nobody_answers
from bench.measure.records import SessionRecord, TurnRecord
from bench.pricing.book import Books
from bench.scenario.model import Scenario
from bench.scenario.target import Target
from bench.store.folder import RunFolder
from bench.store.manifest import WorkerAnchor, WorkerCounts
from bench.store.spool import SpoolWriter
from bench.workers import messages
from bench.workers.interface import CrewFacts, WorkerGlance, arrivals_of
from bench.workers.package import pack

HIRE_TIMEOUT_S = 60.0
FLUSH_TIMEOUT_S = 30.0
_ANY_HOST = {"*", "0.0.0.0", "::", "[::]"}
_HEARTBEATS = 10
"""Seconds without a heartbeat until a worker counts as lost; Locust's own 3 mistake a busy worker for a dead one."""


@dataclass(slots=True)
class _Worker:
    index: int
    client_id: str
    pid: int
    host: str
    local: subprocess.Popen[bytes] | None = None
    spool: SpoolWriter | None = None
    """Where rows of a worker on another machine are kept; a local one writes them itself."""
    anchor: WorkerAnchor | None = None
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    received: list[int] = field(default_factory=lambda: [0, 0])
    flushed: dict[str, Any] | None = None
    lost: str | None = None

    @property
    def name(self) -> str:
        return f"w{self.index}"

    @property
    def title(self) -> str:
        """How a reader finds it."""
        return f"{self.name} (pid {self.pid} on {self.host})"

    @property
    def over(self) -> bool:
        return self.flushed is not None or self.lost is not None


class MasterCrew:
    """Workers of one run. `local` of them are started here; the others come by themselves."""

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        folder: RunFolder,
        *,
        run_id: str,
        books: Books,
        fixtures: dict[str, Fixture],
        local: int = 0,
        remote: int = 0,
        bind_host: str = "127.0.0.1",
        bind_port: int = 0,
        burner_ms: float = 0.0,
        on_turn: Callable[[TurnRecord], None] | None = None,
        on_session: Callable[[SessionRecord], None] | None = None,
    ) -> None:
        runners.HEARTBEAT_LIVENESS = _HEARTBEATS
        self.scenario = scenario
        self.tally = Tally()
        self._on_turn = on_turn
        self._on_session = on_session
        self._folder = folder
        self._run_id = run_id
        self._expected = local + remote
        self._work = pack(scenario, target, fixtures)
        self._books = books.model_dump(mode="json")
        self._workers: dict[str, _Worker] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._losses: list[str] = []
        self._failures: list[str] = []
        self._ready = Event()
        self._done = Event()
        self._start_ns = 0
        self._draining = False
        port = bind_port or _free_port(bind_host)
        self.address = (bind_host, port)
        self._runner = _listen(bind_host, port)
        for name, handler in (
            (messages.HELLO, self._hello),
            (messages.READY, self._on_ready),
            (messages.FAILED, self._on_failed),
            (messages.ROWS, self._on_rows),
            (messages.EVENTS, self._on_events),
            (messages.PROGRESS, self._on_progress),
            (messages.FLUSHED, self._on_flushed),
        ):
            self._runner.register_message(name, handler)
        for index in range(local):
            self._children[index] = _hire(index, bind_host, port, burner_ms)
        self._watch = gevent.spawn(self._watch_workers)

    def await_workers(self, timeout_s: float | None = HIRE_TIMEOUT_S) -> None:
        """Block until every expected worker is ready. Raises `BenchError` when one fails or none comes.

        Whatever ends the wait, an interrupt included, workers that did come are sent away.
        """
        try:
            self._ready.wait(timeout_s)
        except BaseException:
            self.dismiss()
            raise
        if self._failures:
            self.dismiss()
            raise BenchError(f"a worker could not make ready: {self._failures[0]}", hint="see the worker's own machine")
        if not self._ready.is_set():
            here = sum(worker.anchor is not None for worker in self._workers.values())
            self.dismiss()
            raise BenchError(
                f"{here} of {self._expected} workers came within {timeout_s:g} s",
                hint=f"start them with: bench worker --master-host HOST --master-port {self.address[1]}",
                exit_code=ExitCode.UNREACHABLE,
            )

    # what workers say

    def _hello(self, environment: Environment, msg: Any, **_: Any) -> None:
        data, client_id = msg.data, msg.node_id
        if client_id in self._workers:
            return
        ours = messages.versions()
        if data.get("versions") != ours:
            self._send_away(client_id, f"it has {_said(data.get('versions'))}, this master has {_said(ours)}")
            return
        if len(self._workers) >= self._expected:
            self._send_away(client_id, f"{self._expected} workers were expected, and they are here")
            return
        taken = {worker.index for worker in self._workers.values()} | set(self._children)
        index = data["index"] if data["index"] in self._children else min(set(range(self._expected)) - taken)
        worker = _Worker(index, client_id, data["pid"], data["host"], self._children.get(index))
        if worker.local is None:
            worker.spool = SpoolWriter(self._folder, worker.name)
        self._workers[client_id] = worker
        assignment = {
            "index": index,
            "workers": self._expected,
            "run_id": self._run_id,
            "work": self._work,
            "books": self._books,
            "folder": str(self._folder.root.resolve()) if worker.local is not None else None,
        }
        self._runner.send_message(messages.ASSIGN, assignment, client_id=client_id)

    def _send_away(self, client_id: str, reason: str) -> None:
        self._runner.send_message(messages.DISMISSED, {"reason": reason}, client_id=client_id)

    def _on_ready(self, environment: Environment, msg: Any, **_: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is None:
            return
        data = msg.data
        worker.anchor = WorkerAnchor(
            monotonic_ns=data["monotonic_ns"], unix_s=data["unix_s"], pid=data["pid"], host=data["host"]
        )
        if sum(hired.anchor is not None for hired in self._workers.values()) == self._expected:
            self._ready.set()

    def _on_failed(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._failures.append(msg.data["message"])
        self._ready.set()

    def _on_rows(self, environment: Environment, msg: Any, **_: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is None:
            return
        if msg.data["what"] == "turns":
            turns = messages.from_columns(TurnRecord, msg.data["columns"])
            worker.received[0] += len(turns)
            for turn in turns:
                self.tally.add_turn(turn)
                if worker.spool is not None:
                    worker.spool.turn(turn)
                if self._on_turn is not None:
                    self._on_turn(turn)
            return
        sessions = messages.from_columns(SessionRecord, msg.data["columns"])
        worker.received[1] += len(sessions)
        for session in sessions:
            self.tally.add_session(session)
            if worker.spool is not None:
                worker.spool.session(session)
            if self._on_session is not None:
                self._on_session(session)

    def _on_events(self, environment: Environment, msg: Any, **_: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is not None and worker.spool is not None:
            worker.spool.timelines(msg.data["data"])

    def _on_progress(self, environment: Environment, msg: Any, **_: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is not None:
            worker.counts = tuple(msg.data["counts"])

    def _on_flushed(self, environment: Environment, msg: Any, **_: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is not None:
            worker.flushed = msg.data
            worker.counts = (0, 0, worker.counts[2], msg.data["dropped"])
            if worker.anchor is not None:
                worker.anchor.kernel_stamps = msg.data["kernel_stamps"]
            if msg.data["left"] is not None:
                self._losses.append(f"worker {worker.title} did not make all of its calls: {msg.data['left']}")
            self._check_done()

    def _check_done(self) -> None:
        if len(self._workers) == self._expected and all(worker.over for worker in self._workers.values()):
            self._done.set()

    def _watch_workers(self) -> None:
        """Notice workers that died: a local one by its process, another by its silence."""
        while True:
            gevent.sleep(0.5)
            for worker in list(self._workers.values()):
                if worker.over:
                    continue
                gone = self._gone(worker)
                if gone is not None and not self._ready.is_set() and worker.local is None:
                    # Before the start its seat is free again for another.
                    self._forget(worker)
                    continue
                if gone is not None:
                    # What a process sent before it died may still be on the way.
                    gevent.sleep(0.5)
                if gone is not None and not worker.over:
                    worker.lost = gone
                    worker.counts = (0, 0, worker.counts[2], worker.counts[3])
                    self._losses.append(f"worker {worker.title} was lost: {gone}")
                    self._check_done()
            for index, child in self._children.items():
                hired = any(worker.index == index for worker in self._workers.values())
                if not hired and child.poll() is not None and not self._ready.is_set():
                    self._failures.append(f"worker w{index} ended with code {child.returncode} before it was ready")
                    self._ready.set()

    def _forget(self, worker: _Worker) -> None:
        del self._workers[worker.client_id]
        if worker.spool is not None:
            worker.spool.close()

    def _gone(self, worker: _Worker) -> str | None:
        if worker.local is not None:
            code = worker.local.poll()
            if code is None:
                return None
            return f"killed by signal {-code}" if code < 0 else f"it ended with code {code}"
        node = self._runner.clients.get(worker.client_id)
        if node is None or node.state == runners.STATE_MISSING:
            return f"no sign of life for {_HEARTBEATS} s"
        return None

    # the face of a crew

    def start(self) -> None:
        """Tell every worker to begin; each counts its offsets from the moment the word reaches it."""
        self._start_ns = time.monotonic_ns()
        self._tell(messages.START, {})

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        for worker in self._workers.values():
            if not worker.over:
                self._runner.send_message(kind, data, client_id=worker.client_id)

    def wait(self, seconds: float) -> None:
        self._done.wait(seconds)

    @property
    def finished(self) -> bool:
        """Whether every worker has handed over its last row, or is lost."""
        return bool(self._done.is_set())

    @property
    def elapsed_s(self) -> float:
        return (time.monotonic_ns() - self._start_ns) / 1e9

    @property
    def admission_over(self) -> bool:
        bound_s = admission_s(self.scenario.load)
        return bound_s is not None and self.elapsed_s >= bound_s

    @property
    def nobody_answers(self) -> bool:
        return nobody_answers(self.scenario.load, self.tally)

    def progress(self) -> Progress:
        sums = [sum(column) for column in zip(*(worker.counts for worker in self._workers.values()), strict=True)]
        return glance(
            self.scenario.load,
            self.tally,
            elapsed_s=self.elapsed_s,
            draining=self._draining,
            counts=(sums[0], sums[1], sums[2], sums[3]) if sums else (0, 0, 0, 0),
        )

    def workers(self) -> list[WorkerGlance]:
        """Every worker that came; CPU and memory as its last heartbeat said."""
        return [self._glance(worker) for worker in sorted(self._workers.values(), key=lambda hired: hired.index)]

    def _glance(self, worker: _Worker) -> WorkerGlance:
        node = self._runner.clients.get(worker.client_id)
        state = "lost" if worker.lost is not None else "finished" if worker.over else "running"
        return WorkerGlance(
            worker.title,
            state,
            worker.counts[0],
            cpu_percent=node.cpu_usage if node is not None else 0,
            memory_bytes=node.memory_usage if node is not None else 0,
        )

    def admit_no_more(self) -> None:
        self._draining = True
        self._tell(messages.STOP, {"firmly": False})

    def hang_up(self) -> None:
        self._draining = True
        self._tell(messages.STOP, {"firmly": True})

    def drain(self) -> None:
        """Wait for every worker's last word, bounded; then let them go."""
        self._done.wait(FLUSH_TIMEOUT_S + HANG_UP_GRACE_S + self.scenario.timeouts.close_ms / 1000)
        for worker in self._workers.values():
            if not worker.over:
                worker.lost = "it never confirmed its rows"
                self._losses.append(f"worker {worker.title} never confirmed its rows")
        self.dismiss()

    def dismiss(self) -> None:
        """Send the workers away and end the local ones that do not go."""
        self._watch.kill()
        for worker in self._workers.values():
            # Also to those that were lost: one whose link came back would wait for ever.
            self._runner.send_message(messages.DISMISSED, {}, client_id=worker.client_id)
            if worker.spool is not None:
                worker.spool.close()
        deadline = time.monotonic() + 5
        for child in self._children.values():
            if child.stdin is not None and not any(worker.local is child for worker in self._workers.values()):
                child.stdin.close()
            while child.poll() is None and time.monotonic() < deadline:
                gevent.sleep(0.05)
            if child.poll() is None:
                child.kill()
                child.wait()
        self._runner.greenlet.kill(block=False)
        close: Callable[[], None] = self._runner.server.close
        close()

    def facts(self) -> CrewFacts:
        facts = CrewFacts(losses=list(self._losses))
        certificates: dict[str, dict[str, Any]] = {}
        for worker in sorted(self._workers.values(), key=lambda hired: hired.index):
            if worker.anchor is not None:
                facts.anchors[worker.name] = worker.anchor
            said = worker.flushed
            remote = worker.local is None
            facts.counts[worker.name] = WorkerCounts(
                turns_sent=said["turns"] if said is not None else None,
                sessions_sent=said["sessions"] if said is not None else None,
                turns_received=worker.received[0],
                sessions_received=worker.received[1],
            )
            if said is None and not remote:
                # A lost local worker wrote its own spool: what arrived here is no measure of what it has.
                facts.counts[worker.name] = WorkerCounts()
            if said is not None:
                certificates[worker.name] = said["health"]
        facts.health = combined(certificates) if certificates else {}
        said_last = [worker.flushed for worker in self._workers.values() if worker.flushed is not None]
        facts.health |= arrivals_of(
            self.scenario.load,
            sum(last["offered"] for last in said_last),
            sum(worker.counts[2] for worker in self._workers.values()),
            sum(worker.counts[3] for worker in self._workers.values()),
        )
        return facts


def _listen(host: str, port: int) -> runners.MasterRunner:
    """Locust's master on `host:port`. Raises `BenchError` when the address cannot be had."""
    try:
        runner = Environment().create_master_runner(host, port)
    except (RPCError, SystemExit) as error:
        raise BenchError(
            f"cannot listen for workers on {host}:{port}: {error or 'the port is in use'}",
            hint="name a free address of this machine with --bind HOST:PORT",
        ) from error
    if not isinstance(runner, runners.MasterRunner):
        raise TypeError("Locust made a runner that is no master")
    return runner


def _hire(index: int, bind_host: str, port: int, burner_ms: float) -> subprocess.Popen[bytes]:
    """Start local worker number `index`."""
    host = "127.0.0.1" if bind_host in _ANY_HOST else bind_host
    command = [sys.executable, "-m", "bench", "worker", "--master-host", host, "--master-port", str(port)]
    command += ["--local-index", str(index), "--burner", f"{burner_ms:g}"]
    # stdin is the worker's lifeline; its stderr is ours, so that a crash is seen. A session of its own: Ctrl-C
    # reaches the master alone, which decides what it means for open calls.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind(("" if host in _ANY_HOST else host, 0))
        return int(probe.getsockname()[1])


def _said(versions: dict[str, str] | None) -> str:
    return ", ".join(f"{name} {version}" for name, version in (versions or {}).items()) or "no version"
