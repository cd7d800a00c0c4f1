"""Running the thin edge: a socket (its own, or one of several on a port), TLS where asked for, service until stopped.

In: the engine, `ServeOptions`, the event that stops it. Out: the line that says where it listens, then service.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from bench.errors import BenchError
from bench.server.engines.simulated.engine import SimulatedEngine
from bench.server.lean.edge import LeanEdge
from bench.server.options import ServeOptions, listening_line

BACKLOG = 4096
DRAIN_TIMEOUT_S = 3.0


async def serve_lean(engine: SimulatedEngine, options: ServeOptions, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; raises `BenchError` when it cannot listen."""
    context = tls_context(options)
    edge = LeanEdge(engine, options.api_key)
    listener = bound_socket(options.host, options.port, shared=options.shared_port)
    engine.start()
    server: asyncio.Server | None = None
    try:
        if not _deaf(engine):
            server = await asyncio.get_running_loop().create_server(
                edge.connection, sock=listener, backlog=BACKLOG, ssl=context
            )
        host, port = listener.getsockname()[:2]
        print(listening_line(host, port, tls=context is not None), flush=True)
        await stop.wait()
    finally:
        if server is not None:
            server.close()
        listener.close()
        await edge.close(DRAIN_TIMEOUT_S)
        engine.stop()


def _deaf(engine: SimulatedEngine) -> bool:
    """Whether the profile wants a port that nobody listens on."""
    return any(fault.kind == "refuse" and fault.form == "not_listening" for fault in engine.profile.faults)


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
            hint="choose another --port; 0 takes any free one",
        ) from None
    return bound


def tls_context(options: ServeOptions) -> ssl.SSLContext | None:
    """The server's side of TLS, or None without a certificate."""
    if options.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError) as problem:
        raise BenchError(
            f"--tls-cert {options.tls_cert}: cannot be used: {problem}",
            hint="a certificate and its key in PEM; the key may be in the same file",
        ) from None
    return context
