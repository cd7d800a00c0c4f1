"""The server process: starts the engine, listens, says where, and stops in bounded time.

In: `ServeOptions`. Out: one line on standard output (`options.listening_line`), then service until SIGTERM, SIGINT
or, when asked for, the end of standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.errors import BenchError, ExitCode
from bench.server.collector import settle_collector
from bench.server.engines.base import Engine, EngineError
from bench.server.http_legs import serve as http_serve
from bench.server.listening import bound_socket, tls_context
from bench.server.options import ENGINES, ServeOptions, listening_line
from bench.server.protocol.shapes import shape_of
from bench.server.server_connection import ServerConnection, Service
from bench.server.truth_log import TruthLog

BACKLOG = 4096
DRAIN_TIMEOUT_S = 3.0
STOP_TIMEOUT_S = 8.0

OWN_LIMITS = {
    "tokens_per_minute": "tokens_per_min",
    "requests_per_minute": "requests_per_min",
    "max_sessions": "max_sessions",
}
"""Options, and the key of the profile's limits that each stands for."""

Connect = Callable[[Service], ServerConnection]
"""Makes the protocol object of a new connection; None: the server is to be one that does not listen."""


def serve(options: ServeOptions, *, until_stdin_ends: bool = False) -> None:
    """Run a server until it is stopped; raises `BenchError` when it cannot start."""
    if options.workers is not None and options.workers < 1:
        raise BenchError(f"--workers {options.workers}: at least 1 worker process is needed")
    if options.processes < 1:
        raise BenchError(f"--processes {options.processes}: at least 1 process is needed")
    for name in OWN_LIMITS:
        if (value := getattr(options, name)) is not None and value < 1:
            raise BenchError(f"{_option(name)} {value}: a limit is a whole number, 1 or more", hint="or leave it out")
    if options.engine not in ENGINES:
        raise BenchError(f"--engine {options.engine}: unknown engine", hint=f"available: {', '.join(ENGINES)}")
    if options.dialect == http_serve.NAME:
        make: Callable[[ServeOptions], Serve] = http_serve.http_server
    else:
        shape_of(options.dialect)
        make = {"local": _make_local, "simulated": _make_simulated, "cascade": _make_cascade}[options.engine]
    if options.engine != "cascade" and options.config is not None:
        raise BenchError(f"--config: the engine {options.engine!r} takes no config", hint="--engine cascade does")
    asyncio.run(_until_stopped(make(options), until_stdin_ends=until_stdin_ends))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


Serve = Callable[[asyncio.Event], Awaitable[None]]


def _make_local(options: ServeOptions) -> Serve:
    from bench.server.engines.local import LocalEngine

    _refuse_what_is_simulated(options)
    return _service(LocalEngine(options.workers), ServerConnection, options)


def _make_cascade(options: ServeOptions) -> Serve:
    from bench.scenario.cascade import CascadeConfig, load_cascade
    from bench.server.engines.cascade.engine import CascadeEngine

    _refuse_what_is_simulated(options)
    if options.cascade is not None:
        config, base = CascadeConfig.model_validate(options.cascade), options.base or Path.cwd()
    elif options.config is not None:
        config, base = load_cascade(options.config), options.config.parent
    else:
        raise BenchError(
            "--engine cascade: nothing says which services to call", hint="give --config FILE (docs/cascade.md)"
        )
    return _service(CascadeEngine(config, base), ServerConnection, options)


def _refuse_what_is_simulated(options: ServeOptions) -> None:
    limits = [(_option(name), getattr(options, name) is not None) for name in OWN_LIMITS]
    for name, given in (("--profile", options.profile is not None), ("--processes", options.processes > 1), *limits):
        if given:
            raise BenchError(
                f"{name}: the engine {options.engine!r} takes no {name.removeprefix('--')}",
                hint="--engine simulated does",
            )


def _make_simulated(options: ServeOptions) -> Serve:
    from bench.server.engines.simulated.engine import SimulatedEngine
    from bench.server.engines.simulated.faulty_connection import connect_with
    from bench.server.engines.simulated.profile import load_profile, with_limits
    from bench.server.processes import serve_processes

    profile = with_limits(
        load_profile(options.profile), {key: getattr(options, name) for name, key in OWN_LIMITS.items()}
    )
    if options.processes > 1 and options.process is None:
        return lambda stop: serve_processes(options, stop)
    engine = SimulatedEngine(profile, process=options.process or 0, processes=options.processes)
    return _service(engine, connect_with(engine), options)


def _service(engine: Engine, connect: Connect | None, options: ServeOptions) -> Serve:
    context = tls_context(options)
    truth = TruthLog(options.truth_log, engine=engine.name, settings=engine.settings)
    settle_collector()

    async def run(stop: asyncio.Event) -> None:
        service = Service(engine, options, truth)
        listener = bound_socket(options.host, options.port, shared=options.process is not None)
        server: asyncio.Server | None = None
        try:
            if not await _unless(stop, asyncio.create_task(_start(engine))):
                return
            if connect is not None:
                server = await asyncio.get_running_loop().create_server(
                    lambda: connect(service), sock=listener, backlog=BACKLOG, ssl=context
                )
            host, port = listener.getsockname()[:2]
            print(listening_line(host, port, tls=context is not None, path=service.shape.paths[0]), flush=True)
            await stop.wait()
        finally:
            if server is not None:
                server.close()
            listener.close()
            await service.close(DRAIN_TIMEOUT_S)
            truth.close()
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await engine.stop()

    return run


async def _start(engine: Engine) -> None:
    try:
        await engine.start()
    except EngineError as problem:
        raise BenchError(
            f"the engine {engine.name!r} did not start: {problem}", exit_code=ExitCode.UNREACHABLE
        ) from None


async def _until_stopped(run: Serve, *, until_stdin_ends: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_ends:
        _watch_stdin(loop, stop)
    await run(stop)


async def _unless(stop: asyncio.Event, task: asyncio.Task[None]) -> bool:
    """Whether `task` finished before `stop` was set; raises what it raised."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` at the end of standard input; a thread, because a file or a terminal cannot be polled alike."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()
