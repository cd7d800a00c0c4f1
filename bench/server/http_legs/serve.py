"""The three services as a server process: `bench serve --dialect openai-http`.

In: `ServeOptions`. Out: one line on standard output with the base URL that clients are given, then service until the
end. A request that is answered then is broken off: what is tested against this must bear that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bench.errors import BenchError
from bench.server.access import Access
from bench.server.collector import settle_collector
from bench.server.deadlines import Deadlines
from bench.server.engines.base import EngineError
from bench.server.http_legs.exchange import HttpConnection
from bench.server.http_legs.routes import Routes
from bench.server.http_legs.services import Services
from bench.server.listening import bound_socket, tls_context
from bench.server.options import ServeOptions, listening_line
from bench.server.protocol.shapes import HTTP
from bench.server.truth_log import TruthLog

NAME = HTTP
BASE_PATH = "/v1"
BACKLOG = 1024
STOP_TIMEOUT_S = 8.0


def http_server(options: ServeOptions) -> Callable[[asyncio.Event], Awaitable[None]]:
    """What serves until the event is set. Raises `BenchError` for options that it cannot take."""
    if options.processes > 1:
        raise BenchError(f"--processes {options.processes}: the dialect '{NAME}' is served by one process")
    services = _services(options)
    context = tls_context(options)
    truth = TruthLog(options.truth_log, engine=services.name, settings=services.settings)
    settle_collector()

    async def run(stop: asyncio.Event) -> None:
        listener = bound_socket(options.host, options.port, shared=False)
        connections: set[HttpConnection] = set()
        deadlines = Deadlines()
        server: asyncio.Server | None = None
        try:
            try:
                await services.start(deadlines)
            except EngineError as problem:
                raise BenchError(f"the engine {services.name!r} did not start: {problem}") from None
            routes = Routes(services, Access(options.api_key, services.models["llm"]), truth)
            server = await asyncio.get_running_loop().create_server(
                lambda: HttpConnection(routes.handle, connections, deadlines),
                sock=listener,
                backlog=BACKLOG,
                ssl=context,
            )
            host, port = listener.getsockname()[:2]
            line = listening_line(host, port, tls=context is not None, path=BASE_PATH, http=True)
            print(line, flush=True)
            await stop.wait()
        finally:
            if server is not None:
                server.close()
            listener.close()
            for connection in list(connections):
                connection.close()
            await asyncio.sleep(0)  # their tasks end, and write their lines
            truth.close()
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await services.stop()
            deadlines.close()

    return run


def _services(options: ServeOptions) -> Services:
    if options.engine == "local":
        from bench.server.http_legs.local import LocalServices

        if options.profile is not None:
            raise BenchError("--profile: the engine 'local' takes no profile", hint="add --engine simulated")
        return LocalServices(options.workers)
    if options.engine != "simulated":
        raise BenchError(
            f"--engine {options.engine}: it does not serve the dialect '{NAME}'", hint="allowed: local, simulated"
        )
    from bench.server.engines.simulated.profile import load_profile
    from bench.server.http_legs.simulated import SimulatedServices

    return SimulatedServices(load_profile(options.profile))
