"""The master of several worker processes: starts the local ones, hands out shares, counts what comes back.

In: a run and who is told of its rows; out: the same interface as a single local worker. Locust carries messages and
heartbeats; when calls start and what they are is our own plan. Trap: a worker is finished only when the counts of its
final message agree with the rows here; one that vanished is named, and its rows stay.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event

from bench.errors import BenchError, ExitCode
from bench.load.back_off import backing_off
from bench.load.health_probe import ProbeReadings, certificate_of
from bench.load.progress import LiveCalls, Progress, Tally, WorkerState, progress_of
from bench.load.spec import RecordingCost, RunSpec, WorkersFacts, Workforce
from bench.load.tapes import tape_notes
from bench.load.watchers import RowListener
from bench.load.worker_run import HANG_UP_GRACE_S
from bench.measure.records import SessionRecord, TurnRecord
from bench.scenario.load_shapes import shape_of
from bench.store.certificate import Arrivals
from bench.store.manifest import WorkerAnchor, WorkerCounts
from bench.store.spool import SpoolWriter
from bench.workers import messages
from bench.workers.link import SILENCE_S, MasterLink
from bench.workers.package import pack

READY_TIMEOUT_S = 60.0
FLUSH_TIMEOUT_S = 30.0
_ANY_HOST = {"*", "0.0.0.0", "::", "[::]"}


@dataclass(slots=True)
class _Member:
    """One worker as the master knows it."""

    index: int
    client_id: str
    pid: int
    host: str
    child: subprocess.Popen[bytes] | None = None
    """The process of a worker that was started here; it writes its rows into the run folder itself."""
    spool: SpoolWriter | None = None
    """Where the rows of a worker on another machine are kept."""
    anchor: WorkerAnchor | None = None
    calls: LiveCalls = field(default_factory=LiveCalls)
    turns_received: int = 0
    sessions_received: int = 0
    flushed: dict[str, Any] | None = None
    """Its final message."""
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

    def lose(self, why: str) -> None:
        self.lost, self.calls = why, self.calls.ended()


class Master:
    """The workers of one run. Local ones are started here; remote ones come by themselves."""

    def __init__(self, spec: RunSpec, listener: RowListener, *, lasting: bool = False) -> None:
        """Listen, and start the local workers. Raises `BenchError` when the address cannot be had.

        `lasting`: the workers stay after their calls, for `again`, until `close`.
        """
        self._lasting = lasting
        self.tally = Tally()
        self._spec = spec
        self._listener = listener
        self._expected = spec.workforce.processes
        self._work = pack(spec)
        self._members: dict[str, _Member] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._losses: list[str] = []
        self._failures: list[str] = []
        self._malformed = 0
        self._refused = 0
        self._ready = Event()
        self._done = Event()
        self._start_ns = 0
        self._finishing = False
        self._closed = False
        self._disk_failure: str | None = None
        force = spec.workforce
        # Only processes that are started here need to know it, unless some come from elsewhere.
        self._token = force.token if force.remote else secrets.token_hex(32)
        self.address = (force.bind_host, force.bind_port or _free_port(force.bind_host))
        handlers = {
            messages.READY: self._on_ready,
            messages.TURNS: self._on_turns,
            messages.SESSIONS: self._on_sessions,
            messages.EVENTS: self._on_events,
            messages.PROGRESS: self._on_progress,
            messages.FLUSHED: self._on_flushed,
            messages.DISK_FAILED: self._on_disk_failed,
        }
        self._link = MasterLink(
            *self.address,
            self._token,
            {
                messages.HELLO: self._on_hello,
                messages.FAILED: self._on_failed,
                **{kind: self._of_a_member(handler) for kind, handler in handlers.items()},
            },
            self._on_malformed,
        )
        for index in range(force.local):
            self._children[index] = _start_process(index, force, self.address[1], self._token)
        self._watch = gevent.spawn(self._watch_members)

    def await_workers(self) -> None:
        """Block until every expected worker is ready; without a limit when some come from other machines.

        Raises `BenchError` when one fails or does not come. Whatever ends the wait, an interrupt included, workers that
        did come are sent away.
        """
        timeout_s = None if self._spec.workforce.remote else READY_TIMEOUT_S
        try:
            self._ready.wait(timeout_s)
            if self._failures:
                raise BenchError(
                    f"a worker could not make ready: {self._failures[0]}", hint="see the worker's own machine"
                )
            if not self._ready.is_set():
                here = sum(member.anchor is not None for member in self._members.values())
                raise BenchError(
                    f"{here} of {self._expected} workers came within {timeout_s:g} s",
                    hint=f"start them with: bench worker --master-host HOST --master-port {self.address[1]}",
                    exit_code=ExitCode.UNREACHABLE,
                )
        except BaseException:
            self.close()
            raise

    def again(self, spec: RunSpec) -> None:
        """Give the same workers other calls, once `facts` of the last ones were taken; ready when this returns."""
        self._spec, self._work = spec, pack(spec)
        self._finishing = False
        self._ready.clear()
        self._done.clear()
        for member in self._members.values():
            if member.lost is not None:
                continue
            member.flushed, member.anchor, member.calls = None, None, LiveCalls()
            member.turns_received = member.sessions_received = 0
            self._assign(member)
        self.await_workers()

    def _assign(self, member: _Member) -> None:
        folder = str(self._spec.folder.root.resolve()) if member.child is not None else None
        self._link.send(
            member.client_id, messages.ASSIGN, {"index": member.index, "folder": folder, "work": self._work}
        )

    # what workers say

    def _of_a_member(self, handler: Any) -> Any:
        """`handler` for those who were given a share; what others say is ignored."""

        def receive(client_id: str, data: Any) -> None:
            member = self._members.get(client_id)
            if member is not None:
                handler(member, data)

        return receive

    def _on_hello(self, client_id: str, data: Any) -> None:
        if client_id in self._members:
            return
        ours = messages.versions()
        if data.get("versions") != ours:
            self._reject(client_id, f"it has {_listed(data.get('versions'))}, this master has {_listed(ours)}")
            return
        if len(self._members) >= self._expected:
            self._reject(client_id, f"{self._expected} workers were expected, and they are here")
            return
        taken = {member.index for member in self._members.values()} | set(self._children)
        index = data["index"] if data["index"] in self._children else min(set(range(self._expected)) - taken)
        member = _Member(index, client_id, data["pid"], data["host"], self._children.get(index))
        if member.child is None:
            member.spool = SpoolWriter(self._spec.folder, member.name)
        self._members[client_id] = member
        self._assign(member)

    def _reject(self, client_id: str, reason: str) -> None:
        self._link.send(client_id, messages.DISMISSED, {"reason": reason})

    def _on_failed(self, client_id: str, data: Any) -> None:
        self._failures.append(data["message"])
        self._ready.set()

    def _on_ready(self, member: _Member, data: Any) -> None:
        member.anchor = WorkerAnchor(**data, host=member.host)
        if sum(one.anchor is not None for one in self._members.values()) == self._expected:
            self._ready.set()

    def _on_turns(self, member: _Member, data: Any) -> None:
        for row in messages.from_columns(TurnRecord, data):
            member.turns_received += 1
            self.tally.add_turn(row)
            if member.spool is not None:
                member.spool.turn(row)
            self._listener.turn(row)

    def _on_sessions(self, member: _Member, data: Any) -> None:
        for row in messages.from_columns(SessionRecord, data):
            member.sessions_received += 1
            self.tally.add_session(row)
            if member.spool is not None:
                member.spool.session(row)
            self._listener.session(row)

    def _on_events(self, member: _Member, data: Any) -> None:
        if member.spool is not None:
            member.spool.timelines(data)

    def _on_progress(self, member: _Member, data: Any) -> None:
        member.calls = LiveCalls(*data)

    def _on_disk_failed(self, member: _Member, data: Any) -> None:
        self._disk_failure = f"{member.name}: {data['reason']}"

    def _on_malformed(self, client_id: str, kind: str) -> None:
        """A worker of another make: what it sends cannot be trusted any more."""
        self._malformed += 1
        member = self._members.get(client_id)
        if member is None or member.over:
            return
        self._lose(member, f"it sent a message that cannot be read ({kind})")
        self._reject(client_id, f"its message {kind} cannot be read")

    def _lose(self, member: _Member, why: str) -> None:
        member.lose(why)
        self._losses.append(f"worker {member.title} was lost: {why}")
        if member.child is not None and member.child.poll() is None:
            # It may only be stopped, with its calls open, and go on later without a master.
            member.child.kill()
        self._check_done()

    def _on_flushed(self, member: _Member, data: Any) -> None:
        member.flushed, member.calls = data, member.calls.ended()
        self._losses += data["losses"]
        if member.anchor is not None:
            member.anchor.kernel_stamps = data["kernel_stamps"]
        if data["left"] is not None:
            self._losses.append(f"worker {member.title} did not make all of its calls: {data['left']}")
        self._check_done()

    def _check_done(self) -> None:
        if len(self._members) == self._expected and all(member.over for member in self._members.values()):
            self._done.set()

    def _watch_members(self) -> None:
        """Notice workers that died: a local one by its process, another by its silence."""
        while True:
            gevent.sleep(0.5)
            for member in list(self._members.values()):
                why = None if member.over else self._gone(member)
                if why is None:
                    continue
                if not self._ready.is_set() and member.child is None:
                    self._forget(member)
                    continue
                # What a process sent before it died may still be on the way.
                gevent.sleep(0.5)
                if not member.over:
                    self._lose(member, why)
            for index, child in self._children.items():
                known = any(member.index == index for member in self._members.values())
                if not known and child.poll() is not None and not self._ready.is_set():
                    self._failures.append(f"worker w{index} ended with code {child.returncode} before it was ready")
                    self._ready.set()

    def _forget(self, member: _Member) -> None:
        """Another may take its place before the start."""
        del self._members[member.client_id]
        if member.spool is not None:
            member.spool.close()

    def _gone(self, member: _Member) -> str | None:
        if member.child is not None:
            code = member.child.poll()
            if code is not None:
                return f"killed by signal {-code}" if code < 0 else f"it ended with code {code}"
        return None if self._link.heartbeat(member.client_id).alive else f"no sign of life for {SILENCE_S} s"

    # the interface of workers

    def start(self) -> None:
        """Tell every worker to begin; each counts its offsets from the moment the message reaches it."""
        self._start_ns = time.monotonic_ns()
        self._tell(messages.START, {})

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        for member in self._members.values():
            if not member.over:
                self._link.send(member.client_id, kind, data)

    def wait(self, seconds: float) -> None:
        self._done.wait(seconds)

    @property
    def finished(self) -> bool:
        """Whether every worker has handed over its last row, or is lost."""
        return bool(self._done.is_set())

    def progress(self) -> Progress:
        return progress_of(
            self._spec.scenario.load,
            self.tally,
            LiveCalls.total(member.calls for member in self._members.values()),
            elapsed_s=(time.monotonic_ns() - self._start_ns) / 1e9,
            finishing=self._finishing,
            workers=tuple(self._state(member) for member in self._in_order()),
            disk_failure=self._disk_failure or self._own_disk_failure(),
        )

    def _own_disk_failure(self) -> str | None:
        """The same of the rows that are kept here for workers on other machines."""
        spools = (member.spool for member in self._members.values())
        return next((spool.failure for spool in spools if spool is not None and spool.failure is not None), None)

    def _in_order(self) -> list[_Member]:
        return sorted(self._members.values(), key=lambda member: member.index)

    def _state(self, member: _Member) -> WorkerState:
        state = "lost" if member.lost is not None else "finished" if member.over else "running"
        said = self._link.heartbeat(member.client_id)
        return WorkerState(member.title, state, member.calls.open, said.cpu_percent, said.memory_bytes)

    def admit_no_more(self) -> None:
        self._finishing = True
        self._tell(messages.STOP, {"hang_up": False})

    def hang_up(self) -> None:
        self._finishing = True
        self._tell(messages.STOP, {"hang_up": True})

    def drain(self) -> None:
        """Wait for every worker's final message, within a bound; then let them go."""
        if self._closed or (self._lasting and self.finished):
            return
        self._done.wait(FLUSH_TIMEOUT_S + HANG_UP_GRACE_S + self._spec.scenario.timeouts.close_ms / 1000)
        for member in self._members.values():
            if not member.over:
                member.lose("it never confirmed its rows")
                self._losses.append(f"worker {member.title} never confirmed its rows")
        if not self._lasting:
            self.close()

    def close(self) -> None:
        """Send the workers away and end the local ones that do not go."""
        if self._closed:
            return
        self._closed = True
        self._watch.kill()
        for member in self._members.values():
            # Also to those that were lost: one whose link came back would wait for ever.
            self._link.send(member.client_id, messages.DISMISSED, {})
            if member.spool is not None:
                member.spool.close()
        deadline = time.monotonic() + 5
        for child in self._children.values():
            if child.stdin is not None and not any(member.child is child for member in self._members.values()):
                child.stdin.close()
            while child.poll() is None and time.monotonic() < deadline:
                gevent.sleep(0.05)
            if child.poll() is None:
                child.kill()
                child.wait()
            if child.stdin is not None:
                child.stdin.close()
        self._refused, self._malformed = self._link.refused, self._malformed + self._link.unreadable
        self._link.close()

    def _pauses(self) -> list[str]:
        said = [member.flushed["pauses"] for member in self._members.values() if member.flushed is not None]
        return backing_off(sum(pauses for pauses, _ in said), sum(paused_s for _, paused_s in said))

    def _recorded(self) -> tuple[RecordingCost, list[str]]:
        """Recordings of all workers together, and those that are missing."""
        said = [member.flushed.get("tapes") for member in self._members.values() if member.flushed is not None]
        known = [each for each in said if each]
        why = next((each[3] for each in known if each[3]), None)
        cost = RecordingCost(sum(each[0] for each in known), sum(each[1] for each in known))
        return cost, tape_notes(sum(each[2] for each in known), why)

    def _strangers(self) -> list[str]:
        """What reached the master's port and was no worker of this run."""
        said = []
        if self._refused:
            said.append(f"{self._refused} connections to the master's port were refused: they did not prove the token")
        if self._malformed:
            said.append(f"{self._malformed} messages to the master's port could not be read and were left out")
        return said

    def facts(self) -> WorkersFacts:
        readings: dict[str, ProbeReadings] = {}
        arrivals: list[Arrivals | None] = []
        is_open = shape_of(self._spec.scenario.load).is_open
        recordings, missing = self._recorded()
        facts = WorkersFacts(
            losses=list(self._losses),
            notes=[*self._strangers(), *self._pauses(), *missing],
            recordings=recordings,
        )
        for member in self._in_order():
            if member.spool is not None:
                facts.losses += member.spool.losses
            if member.anchor is not None:
                facts.anchors[member.name] = member.anchor
            said = member.flushed
            if said is not None:
                readings[member.name] = ProbeReadings.from_wire(said["readings"])
                arrivals.append(None if said["arrivals"] is None else Arrivals.model_validate(said["arrivals"]))
            elif is_open:
                arrivals.append(Arrivals(achieved=member.calls.started, dropped=member.calls.dropped))
            if said is None and member.child is not None:
                # A lost local worker wrote its own spool: what arrived here is no measure of what it has.
                facts.counts[member.name] = WorkerCounts()
                continue
            facts.counts[member.name] = WorkerCounts(
                turns_sent=said["turns"] if said is not None else None,
                sessions_sent=said["sessions"] if said is not None else None,
                turns_received=member.turns_received,
                sessions_received=member.sessions_received,
            )
        facts.health, facts.readings = certificate_of(readings, arrivals), readings
        return facts


def _start_process(index: int, force: Workforce, port: int, token: str) -> subprocess.Popen[bytes]:
    host = "127.0.0.1" if force.bind_host in _ANY_HOST else force.bind_host
    command = [sys.executable, "-m", "bench", "worker", "--master-host", host, "--master-port", str(port)]
    command += ["--local-index", str(index), "--burner", f"{force.burner_ms:g}"]
    # stdin is the worker's lifeline; its stderr is ours, so that a crash is seen. A session of its own: Ctrl-C
    # reaches the master alone, which decides what it means for open calls.
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    assert child.stdin is not None
    # Not in the command line nor in the environment, where other processes of the machine may look.
    child.stdin.write(f"{token}\n".encode())
    child.stdin.flush()
    return child


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind(("" if host in _ANY_HOST else host, 0))
        return int(probe.getsockname()[1])


def _listed(versions: dict[str, str] | None) -> str:
    return ", ".join(f"{name} {version}" for name, version in (versions or {}).items()) or "no version"
