"""What a transport is to the rest: a `Transport` opens `Channel`s; a channel moves messages with their stamps.

A new transport is a new file that implements the two protocols below, and one line in `bench.transport`. Nothing here
opens a socket or imports gevent.
Trap: `Message.at_ns` is when the last byte reached this machine's kernel; `read_ns`, when our loop came to read it,
is later by the harness's own delay and must never stand in for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bench.config.redactor import Redactor
from bench.facts.connection import Connection
from bench.facts.failure import Failure


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message, reassembled: `str` from text, `bytes` from binary. Both stamps are monotonic ns."""

    data: str | bytes
    at_ns: int
    """Arrival of its last byte at the kernel; equal to `read_ns` where the platform gives no stamps."""
    read_ns: int
    """When our loop had it in hand; `read_ns - at_ns` is the harness's own receive lag."""


@dataclass(frozen=True, slots=True)
class Media:
    """A piece of reply audio that came apart from the messages (RTP, say), in the dialect's output format."""

    payload: bytes
    at_ns: int
    read_ns: int


@dataclass(frozen=True, slots=True)
class Closed:
    """How a connection ended.

    `code` is the peer's close code, 1005 when its close frame bore none, 1006 when there was no close frame, or the
    code we failed it with (1002, 1007) when the peer broke the protocol. `clean`: both close frames were exchanged.
    """

    code: int | None
    reason: str
    clean: bool
    at_ns: int


MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Six minutes of PCM16 at 24 kHz in base64: no event of a voice protocol is as large."""


class TransportError(Exception):
    """A connection that could not be made, or a frame that could not be sent; `failure` says why, in fields."""

    def __init__(self, failure: Failure) -> None:
        code = f"/{failure.error_code}" if failure.error_code else ""
        super().__init__(f"{failure.error_kind}{code} at {failure.stage}: {failure.message or 'no detail'}")
        self.failure = failure


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Where to connect and how. Headers and URL may hold keys: neither is printed, logged or put into a failure.

    `connect_timeout_s` covers the whole of DNS, TCP, proxy, TLS and upgrade. `ca_file`: a PEM file (or a directory of
    them) trusted in place of the system's store; without it the usual variables apply. `proxies`: obey HTTP_PROXY,
    HTTPS_PROXY, ALL_PROXY and NO_PROXY. `send_timeout_s`: how long a peer that does not read may block one send.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    connect_timeout_s: float = 10.0
    ca_file: str | None = None
    verify_tls: bool = True
    proxies: bool = True
    send_timeout_s: float = 10.0
    quickack: bool = True
    """Acknowledge at once what arrives, where the platform can: a server that waits for it is not measured late."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """A larger message ends the connection, whatever it is made of."""
    redactor: Redactor | None = field(default=None, repr=False, compare=False)
    """Knows the secrets of the run; without it, those that the names of this request give away."""

    def knowing_secrets(self) -> Redactor:
        """What takes secrets out of texts that come over a connection with these options."""
        return self.redactor or Redactor.of_request(self.url, self.headers, self.subprotocols)


class Channel(Protocol):
    """An open connection. `receive` belongs to one greenlet; the rest may be called from any.

    Methods that send raise `TransportError`: `closed` when the connection is, `timeout` when the peer does not read;
    the stage is `turn`, since a transport cannot know better.
    """

    def send(self, message: str | bytes) -> None:
        """Send one message; returns when the kernel has all of it."""

    def post(self, packed: bytes) -> bool:
        """Send what `Transport.pack` made, without waiting: False when the kernel has not taken all of it yet."""

    def post_audio(self, packed: bytes) -> bool:
        """As `post`, for a frame of caller audio. The same where audio travels in messages."""

    def flush(self) -> None:
        """Wait until the kernel has everything that was posted."""

    def receive(self, timeout_s: float | None) -> Message | Media | Closed | None:
        """The next message or piece of audio; `Closed`, again and again, after the end; None after `timeout_s`."""

    def close(self, *, timeout_s: float) -> Closed:
        """Hang up in good order, waiting at most `timeout_s` for the peer; the answer is how the connection ended."""

    def abort(self) -> None:
        """Cut the connection at once; a waiting `receive` returns `Closed`."""


class Transport(Protocol):
    """A way of moving messages. It has no state: one object serves every call of the process."""

    carries_audio: bool
    """Caller audio goes out as media, packed by `pack_audio`, not inside the dialect's messages."""

    def pack(self, message: str | bytes) -> bytes:
        """`message` in the form that every channel sends: text from `str`, binary from `bytes`. It can be shared."""

    def pack_audio(self, payload: bytes) -> bytes:
        """A frame of caller audio in the form that `Channel.post_audio` sends; used where `carries_audio`."""

    def connect(self, options: ConnectOptions, connection: Connection) -> Channel:
        """Open a channel, noting in `connection` when each stage was done (`Connection.done`).

        Raises `TransportError` with a typed failure, and `BenchError` for options that cannot be used.
        """
