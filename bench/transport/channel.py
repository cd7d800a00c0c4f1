"""What passes between a transport and a session: options in, messages with their arrival stamps out, typed failures.

Nothing here opens a socket or imports gevent, so any room may import it.
Trap: `Message.at_ns` is when the last byte reached this machine's kernel; `read_ns`, when our loop came to read it,
is later by the harness's own delay and must never stand in for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
class Closed:
    """How a connection ended.

    `code` is the peer's close code, 1005 when its close frame bore none, 1006 when there was no close frame, or the
    code we failed it with (1002, 1007) when the peer broke the protocol. `clean`: both close frames were exchanged.
    """

    code: int | None
    reason: str
    clean: bool
    at_ns: int


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
