"""The socket that the server listens on, and TLS for it."""

from __future__ import annotations

import socket
import ssl

from bench.errors import BenchError, why
from bench.server.options import ServeOptions


def bound_socket(host: str, port: int, *, shared: bool) -> socket.socket:
    """A TCP socket bound to the address; `shared` lets other processes bind to it, too."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, proto)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError as problem:
        raise BenchError(
            f"cannot listen on {host}:{port}: {problem.strerror or problem}",
            hint="choose another --port (0 takes any free one); --host must be an address of this machine",
        ) from None
    return bound


def tls_context(options: ServeOptions) -> ssl.SSLContext | None:
    """The server's side of TLS, or None without a certificate."""
    if options.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except OSError as problem:
        reason = problem if isinstance(problem, ssl.SSLError) else why(problem)
        raise BenchError(
            f"--tls-cert {options.tls_cert}: cannot be used: {reason}",
            hint="a certificate and its key in PEM; the key may be in the same file",
        ) from None
    return context
