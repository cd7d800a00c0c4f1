"""The server process: starts the engine, listens, says where, and stops in bounded time.

In: `ServeOptions`. Out: one line on standard output (`options.listening_line`), then service until SIGTERM, SIGINT
or, when asked for, the end of standard input.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from bench.errors import BenchError, ExitCode
from bench.server.app import Edge
from bench.server.engines.base import Engine, EngineError
from bench.server.engines.local import LocalEngine
from bench.server.options import ENGINES, ServeOptions, listening_line

STOP_TIMEOUT_S = 8.0
GC_THRESHOLDS = (20_000, 20, 20)  # of the simulated engine: ten thousand messages a second make few cycles


def serve(options: ServeOptions) -> None:
    """Run a server until it is told to stop; raises `BenchError` when it cannot start."""
    if options.workers is not None and options.workers < 1:
        raise BenchError(f"--workers {options.workers}: at least 1 worker process is needed")
    if options.processes < 1:
        raise BenchError(f"--processes {options.processes}: at least 1 process is needed")
    if options.engine == "simulated":
        _serve_simulated(options)
    elif options.engine == "local":
        _refuse_simulated_options(options)
        asyncio.run(_serve(LocalEngine(options.workers), options))
    else:
        raise BenchError(f"--engine {options.engine}: unknown engine", hint=f"available: {', '.join(ENGINES)}")


def _refuse_simulated_options(options: ServeOptions) -> None:
    for name, given in (
        ("--profile", options.profile is not None),
        ("--processes", options.processes > 1),
        ("--tls-cert", options.tls_cert is not None),
    ):
        if given:
            raise BenchError(f"{name}: the engine 'local' takes no {name.removeprefix('--')}")


def _serve_simulated(options: ServeOptions) -> None:
    from bench.server.engines.simulated.engine import Share, SimulatedEngine  # reads recordings: not for the others
    from bench.server.engines.simulated.profile import load_profile
    from bench.server.lean.serve import serve_lean
    from bench.server.processes import serve_processes

    profile = load_profile(Path(options.profile) if options.profile is not None else None)
    if options.processes > 1 and not options.shared_port:
        asyncio.run(_until_stopped(options, lambda stop: serve_processes(options, stop)))
        return
    engine = SimulatedEngine(
        profile,
        truth_log=options.truth_log,
        share=Share(options.process, options.processes),
        session_lifetime_s=options.session_lifetime_s,
    )
    # A pause of the collector is a late event; what start-up made stays for good and need not be looked at again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    asyncio.run(_until_stopped(options, lambda stop: serve_lean(engine, options, stop)))


async def _until_stopped(options: ServeOptions, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.exit_with_stdin:
        _watch_stdin(loop, stop)
    await run(stop)


async def _serve(engine: Engine, options: ServeOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.exit_with_stdin:
        _watch_stdin(loop, stop)
    edge = Edge(engine, options)
    runner = web.AppRunner(edge.application(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    try:
        started = await _unless(stop, asyncio.create_task(_start(engine, runner, options)))
        if started:
            await stop.wait()
    finally:
        await edge.close()
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await runner.cleanup()
            await engine.stop()


async def _start(engine: Engine, runner: web.AppRunner, options: ServeOptions) -> None:
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port, backlog=1024)
    try:
        await engine.start()
        await site.start()
    except EngineError as problem:
        raise BenchError(
            f"the engine {engine.name!r} did not start: {problem}", exit_code=ExitCode.UNREACHABLE
        ) from None
    except OSError as problem:
        raise BenchError(
            f"cannot listen on {options.host}:{options.port}: {problem.strerror or problem}",
            hint="choose another --port; 0 takes any free one",
        ) from None
    address = runner.addresses[0]
    print(listening_line(address[0], address[1]), flush=True)


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
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()
