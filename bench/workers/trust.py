"""Who may talk on the link of master and workers: those that know the run's token. Everything is encrypted.

In: a token, the same on both sides. Out: the two sockets of Locust with ZeroMQ's own encryption and authentication
(CURVE, ZeroMQ RFC 26). The master's key pair follows from the token, and a handshake needs its public key, so a peer
without the token reads nothing and sends nothing. Trap: Locust's listener ends on a message that it cannot read, so a
message that has passed is still checked for its form here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import zmq
import zmq.error
import zmq.green
from locust.exception import RPCError
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from bench.config.secrets import secret_option
from bench.errors import BenchError
from bench.workers import messages

LEAST_TOKEN_LENGTH = 16
MOST_MESSAGE_BYTES = 1 << 30
"""The largest message: recordings to a worker, raw events from one."""
TOKEN_VARIABLE = "BENCH_WORKER_TOKEN"
"""Where the token is looked for when `--token` names no other place."""
_NEEDED = {"client_ready", "client_stopped", "heartbeat", "spawning", "spawning_complete", "quit"}
"""Locust's own messages that are of use here."""
_UNUSED = {"stats", "logs", "exception"}
"""Locust's own messages that a worker sends and nobody here needs."""
_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


def token_of(reference: str | None) -> str:
    """The token that `--token` refers to, or the environment's; empty when there is none.

    Raises `BenchError` when it cannot be had or is too short to keep anybody out.
    """
    if reference is None and TOKEN_VARIABLE not in os.environ:
        return ""
    token = secret_option("--token", reference or f"env:{TOKEN_VARIABLE}") or ""
    if len(token) < LEAST_TOKEN_LENGTH:
        raise BenchError(
            f"--token: the token has {len(token)} characters; at least {LEAST_TOKEN_LENGTH} are needed",
            hint="make one with: openssl rand -hex 32",
        )
    return token


class SealedServer(zmqrpc.BaseSocket):
    """The master's socket: hears only peers that know the token, and counts those that do not."""

    def __init__(self, host: str, port: int, token: str) -> None:
        """Raises `RPCError`, as Locust's own, when the address cannot be had."""
        make: Any = super().__init__
        make(zmq.ROUTER, self.ipv4_only(host, port))
        self.unreadable = 0
        """Messages with the token that are none of a worker."""
        self.socket.curve_secretkey, self.socket.curve_publickey = _keys(token)
        self.socket.curve_server = True
        self.socket.maxmsgsize = MOST_MESSAGE_BYTES
        self._handshakes = _Handshakes(self.socket)
        try:
            self.socket.bind(f"tcp://{host}:{port}")
        except zmq.error.ZMQError as error:
            self.close(linger=0)
            raise RPCError(f"Socket bind failure: {error}") from error
        self.port = port

    @property
    def refused(self) -> int:
        """Connections so far that did not prove the token."""
        return self._handshakes.failed()

    def recv_from_client(self) -> tuple[str, Message]:
        """The next message of a worker. What is none is counted and dropped, whoever sent it."""
        while True:
            try:
                parts = self.socket.recv_multipart()
            except zmq.error.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            try:
                address, message = _worker_message(parts)
                if message.type not in _UNUSED:
                    return address, message
            except Exception:
                # Whatever a decoder may raise on a stranger's bytes.
                self.unreadable += 1

    def close(self, linger: int | None = None) -> None:
        self._handshakes.close()
        self.socket.close(linger=linger)


class SealedClient(zmqrpc.BaseSocket):
    """A worker's socket: talks only to the master that knows the token."""

    def __init__(self, host: str, port: int, identity: str, token: str) -> None:
        make: Any = super().__init__
        make(zmq.DEALER, self.ipv4_only(host, port))
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self.socket.curve_publickey, self.socket.curve_secretkey = zmq.curve_keypair()
        self.socket.curve_serverkey = _keys(token)[1]
        self.socket.maxmsgsize = MOST_MESSAGE_BYTES
        self._handshakes = _Handshakes(self.socket)
        self.socket.connect(f"tcp://{host}:{port}")

    @property
    def refused(self) -> int:
        """Handshakes so far that failed: another token, or no master of ours at this address."""
        return self._handshakes.failed()

    def close(self, linger: int | None = None) -> None:
        self._handshakes.close()
        self.socket.close(linger=linger)


class SealedSockets:
    """Stands in for Locust's module of sockets (`locust.runners.rpc`) on one side of a run."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.client: SealedClient | None = None
        """The last client that was made."""

    def Server(self, host: str, port: int) -> SealedServer:  # noqa: N802
        return SealedServer(host, port, self._token)

    def Client(self, host: str, port: int, identity: str) -> SealedClient:  # noqa: N802
        self.client = SealedClient(host, port, identity, self._token)
        return self.client


class _Handshakes:
    """Counts the failed handshakes of a socket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._monitor = socket.get_monitor_socket(_REFUSED)
        self._failed = 0

    def failed(self) -> int:
        while not self._monitor.closed and self._monitor.poll(0):
            recv_monitor_message(self._monitor)
            self._failed += 1
        return self._failed

    def close(self) -> None:
        if not self._monitor.closed:
            self.failed()
            self._socket.disable_monitor()


def _keys(token: str) -> tuple[bytes, bytes]:
    """Secret and public key of the master for `token`."""
    secret = z85.encode(hashlib.sha256(b"realtime-voice-bench master\0" + token.encode()).digest())
    return secret, zmq.curve_public(secret)


def _worker_message(parts: list[bytes]) -> tuple[str, Message]:
    """Sender and message. Raises whatever a decoder raises, or `ValueError`, when Locust could not take it."""
    sender, body = parts
    address = sender.decode()
    message = _unserialize(body)
    known = _NEEDED | _UNUSED | messages.OF_WORKERS
    if message.type not in known or message.node_id != address:
        raise ValueError("no message of this sender")
    if message.type == "heartbeat":
        _heartbeat(message.data)
    return address, message


_unserialize: Callable[[bytes], Message] = Message.unserialize


def _heartbeat(data: Any) -> None:
    if not isinstance(data["state"], str) or not isinstance(data["current_cpu_usage"], int | float):
        raise ValueError("no heartbeat")
    data.setdefault("current_memory_usage", 0)
