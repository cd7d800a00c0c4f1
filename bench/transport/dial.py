"""From a host name to a wire that reaches it: DNS, TCP, proxy tunnel, TLS, each timed and each failing by name.

In: target and `Dialing`, which learns what is under way; out: a `Wire`, and the stamps of `Connection` filled in.
Trap: there is no timeout in here but TCP's share per address; the caller bounds the whole and asks `Dialing` what
the time was spent on.
"""

from __future__ import annotations

import errno
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gevent import socket as green

from bench.config.redactor import Redactor
from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.transport import stamps
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.failures import Part, of_os_error, of_tls
from bench.transport.http import NotHttpError, read_body
from bench.transport.patience import Patience
from bench.transport.proxy import Proxy, open_tunnel, proxy_for
from bench.transport.tls import TlsWire, context_for
from bench.transport.wire import RECEIVE_BUFFER, SEND_BUFFER, SocketWire, Wire

_LEAST_SHARE_S = 0.25


@dataclass(slots=True)
class Dialing:
    """What connecting is busy with, and how to undo what it has so far."""

    deadline_ns: int
    part: Part = "dns"
    undo: Callable[[], None] | None = None

    def abandon(self) -> None:
        """Close whatever is open."""
        if self.undo is not None:
            self.undo()


def dial(
    host: str,
    port: int,
    *,
    secure: bool,
    options: ConnectOptions,
    connection: Connection,
    progress: Dialing,
    redactor: Redactor,
) -> Wire:
    """Reach `host:port`, through TLS when `secure`. Raises `TransportError`; `BenchError` for unusable settings."""
    context = context_for(options.ca_file, verify=options.verify_tls) if secure else None
    proxy = proxy_for(host, port, secure=secure) if options.proxies else None
    first = (proxy.host, proxy.port) if proxy else (host, port)
    behind: Part = "tcp" if proxy is None else "proxy"
    addresses = _resolve(*first, behind)
    connection.done("dns")

    progress.part = "tcp"
    sock, stamped, peer = _connect_any(addresses, first, progress, behind)
    connection.done("tcp")
    connection.peer = peer
    wire: Wire = SocketWire(sock, send_timeout_s=options.send_timeout_s, stamped=stamped, quickack=options.quickack)
    progress.undo = wire.close
    if proxy is not None:
        progress.part = "proxy"
        if proxy.password:
            redactor.add(proxy.password)
            redactor.add(f"{proxy.user}:{proxy.password}")
        wire = _through(wire, proxy, host, port, options=options, deadline_ns=progress.deadline_ns)
        progress.undo = wire.close
    if context is not None:
        progress.part = "tls"
        wire = _secured(wire, context, host, f"{host}:{port}")
        progress.undo = wire.close
        connection.done("tls")
    return wire


def usable(options: ConnectOptions) -> None:
    """Raises `BenchError` when no call can be made with these settings: an unknown kind of proxy, a missing CA file."""
    parts = urlsplit(options.url)
    secure = parts.scheme in ("wss", "https")
    if options.proxies and parts.hostname:
        proxy_for(parts.hostname, parts.port or (443 if secure else 80), secure=secure)
    if secure:
        context_for(options.ca_file, verify=options.verify_tls)


def _shown(host: str, part: Part) -> str:
    """`host` as a message names it, whose reader may not know that there is a proxy."""
    return f"proxy {host} (from the environment)" if part == "proxy" else host


def _resolve(host: str, port: int, part: Part) -> list[tuple[Any, ...]]:
    """Every address of `host`, in the resolver's order of preference."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))]
    try:
        found = green.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        if isinstance(error, UnicodeError):
            raise TransportError(
                Failure("connect", "connect", "dns", f"{_shown(host, part)}: not a host name")
            ) from error
        raise TransportError(of_os_error(error, "dns", _shown(host, part))) from error
    return list(dict.fromkeys((entry[0], entry[4]) for entry in found))


def _connect_any(
    addresses: list[tuple[Any, ...]], where: tuple[str, int], progress: Dialing, part: Part
) -> tuple[green.socket, bool, str]:
    """The first address that answers; each gets an equal share of the time that is left."""
    last: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    for index, (family, address) in enumerate(addresses):
        left_s = (progress.deadline_ns - time.monotonic_ns()) / 1e9
        share_s = max(left_s / (len(addresses) - index), _LEAST_SHARE_S)
        try:
            sock = green.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            last = error.with_traceback(None)
            continue
        progress.undo = sock.close
        try:
            stamped = _prepare(sock)
            with Patience(share_s, TimeoutError(errno.ETIMEDOUT, "no answer")):
                sock.connect(address)
        except OSError as error:
            sock.close()
            # Its traceback holds this frame, which holds the error: a cycle for each refused call.
            last = error.with_traceback(None)
            continue
        shown = f"[{address[0]}]:{address[1]}" if family == socket.AF_INET6 else f"{address[0]}:{address[1]}"
        return sock, stamped, shown
    raise TransportError(of_os_error(last, part, _shown(f"{where[0]}:{where[1]}", part))) from last


def _prepare(sock: green.socket) -> bool:
    """Options that must precede the connection (the window's scale is settled in the SYN); True when stamps are on."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # A reply comes as a burst. Were the buffer small, its arrival times would tell of our reading, not of its sending.
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < RECEIVE_BUFFER:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return stamps.enable(sock)


def _through(wire: Wire, proxy: Proxy, host: str, port: int, *, options: ConnectOptions, deadline_ns: int) -> Wire:
    """Tunnel through `proxy`. Raises `TransportError`."""
    name = f"proxy {proxy.host}:{proxy.port}"
    if proxy.secure:
        wire = _secured(wire, context_for(options.ca_file, verify=options.verify_tls), proxy.host, name)
    try:
        head = open_tunnel(wire, proxy, host, port)
        if 200 <= head.status < 300:
            return wire
        body = read_body(wire, head, deadline_ns)
    except NotHttpError as error:
        failure = Failure("connect", "connect", f"proxy_{error.code}", f"{name}: {error}", http_status=error.status)
        raise TransportError(failure) from error
    except OSError as error:
        raise TransportError(of_os_error(error, "proxy", name)) from error
    text = body.decode("utf-8", "replace").strip()
    detail = f"{name} refused the tunnel with HTTP status {head.status}: {text}".rstrip(": ")
    raise TransportError(Failure("connect", "connect", f"proxy_http_{head.status}", detail, http_status=head.status))


def _secured(wire: Wire, context: ssl.SSLContext, server_name: str, where: str) -> Wire:
    tls = TlsWire(wire, context, server_name)
    try:
        tls.handshake()
    except ssl.SSLError as error:
        raise TransportError(of_tls(error, where)) from error
    except OSError as error:
        raise TransportError(of_os_error(error, "tls", where)) from error
    return tls
