"""The door to Locust: messages between a master and its workers, heartbeats, and nothing else of it.

In: plain data with a word that says what it is; out: the same on the other side. Trap: importing this module imports
Locust, which patches the standard library, so it comes before anything that opens a socket. Locust acknowledges
nothing and drops what arrives after its own idea of the end; whoever sends rows confirms them with a count.
Who may talk is settled in `bench.workers.trust`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent
from locust import runners
from locust.env import Environment
from locust.exception import RPCError

from bench.errors import BenchError, ExitCode
from bench.workers.trust import TOKEN_VARIABLE, SealedSockets

SILENCE_S = 10
"""Seconds without a heartbeat until a worker counts as lost; Locust's own 3 mistake a busy worker for a dead one."""

ENOUGH_REFUSALS = 3
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What a handler raises on data of another shape."""

Handler = Callable[[str, Any], None]
"""Gets the sender's id and the data of one message."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the last heartbeat of a worker said."""

    alive: bool
    cpu_percent: float = 0.0
    memory_bytes: int = 0


class MasterLink:
    """The master's side: listens on one address for any number of workers."""

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        handlers: Mapping[str, Handler],
        on_malformed: Callable[[str, str], None],
    ) -> None:
        """`on_malformed` gets the sender and the kind of a message that its handler could not read.

        Raises `BenchError` when the address cannot be had.
        """
        runners.HEARTBEAT_LIVENESS = SILENCE_S
        _use(SealedSockets(token))
        try:
            self._runner: Any = Environment().create_master_runner(host, port)
        except (RPCError, SystemExit) as error:
            raise BenchError(
                f"cannot listen for workers on {host}:{port}: {error or 'the port is in use'}",
                hint="name a free address of this machine with --bind HOST:PORT",
            ) from error
        _register(self._runner, handlers, on_malformed=on_malformed)

    @property
    def refused(self) -> int:
        """Attempts to connect that did not prove the token."""
        return int(self._runner.server.refused)

    @property
    def unreadable(self) -> int:
        """Messages that were none of a worker, though their sender has the token."""
        return int(self._runner.server.unreadable)

    def send(self, client_id: str, kind: str, data: Any) -> None:
        self._runner.send_message(kind, data, client_id=client_id)

    def heartbeat(self, client_id: str) -> Heartbeat:
        node = self._runner.clients.get(client_id)
        if node is None:
            return Heartbeat(alive=False)
        return Heartbeat(node.state != runners.STATE_MISSING, node.cpu_usage, node.memory_usage)

    def close(self) -> None:
        self._runner.greenlet.kill(block=False)
        self._runner.server.close()


class WorkerLink:
    """A worker's side: connects to a master, trying for some minutes."""

    def __init__(self, host: str, port: int, token: str) -> None:
        """Raises `BenchError` when nobody answers, or what answers does not know the token."""
        sockets = SealedSockets(token)
        _use(sockets)
        self.environment = Environment()
        # Silence is told by our own monotonic clock: setting the wall clock must not end a run.
        self._heard_ns = time.monotonic_ns()
        listen: Callable[..., Any] = self.environment.events.heartbeat_received.add_listener
        listen(self._heartbeat)
        watch = gevent.spawn(_watch_handshakes, sockets, f"{host}:{port}", gevent.getcurrent())
        try:
            self._runner: Any = self.environment.create_worker_runner(host, port)
        except (ConnectionError, RPCError) as error:
            raise BenchError(
                f"no master at {host}:{port}: {error}",
                hint="start it with: bench run SCENARIO --master --expect-workers N",
                exit_code=ExitCode.UNREACHABLE,
            ) from error
        finally:
            watch.kill()

    def _heartbeat(self, **_: Any) -> None:
        self._heard_ns = time.monotonic_ns()

    def listen(self, handlers: Mapping[str, Handler]) -> None:
        """Call the handlers from now on, each in a greenlet of its own."""
        _register(self._runner, handlers, concurrent=True)

    def send(self, kind: str, data: Any) -> None:
        self._runner.send_message(kind, data)

    @property
    def silent_s(self) -> float:
        """How long nothing has been heard of the master."""
        return (time.monotonic_ns() - self._heard_ns) / 1e9

    def close(self) -> None:
        # Locust's greenlets would go on talking to a master that has closed its socket.
        self._runner.greenlet.kill(block=True)
        self._runner.client.close()


def _use(sockets: SealedSockets) -> None:
    """Let Locust make its sockets there, also when it makes one anew."""
    module: Any = runners
    module.rpc = sockets


def _watch_handshakes(sockets: SealedSockets, address: str, waiting: gevent.Greenlet) -> None:
    """End the wait for a master with a sentence once it is clear that what listens there is not ours."""
    while sockets.client is None or sockets.client.refused < ENOUGH_REFUSALS:
        gevent.sleep(0.5)
    error = BenchError(
        f"{address} does not accept this worker: its token is another one, or it is no master of this program",
        hint=f"give master and worker the same --token, or the same {TOKEN_VARIABLE}, and the same version",
    )
    gevent.kill(waiting, error)


def _register(
    runner: Any,
    handlers: Mapping[str, Handler],
    *,
    concurrent: bool = False,
    on_malformed: Callable[[str, str], None] | None = None,
) -> None:
    for kind, handler in handlers.items():

        def receive(environment: Environment, msg: Any, kind: str = kind, handler: Handler = handler, **_: Any) -> None:
            try:
                handler(msg.node_id, msg.data)
            except _UNREADABLE:
                if on_malformed is None:
                    raise
                on_malformed(msg.node_id, kind)

        runner.register_message(kind, receive, concurrent=concurrent)
