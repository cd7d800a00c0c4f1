"""The server process: starts the engine, listens, says where, and stops in bounded time.

In: `ServeOptions`. Out: one line on standard output (`options.listening_line`), then service until SIGTERM, SIGINT
or, when asked for, the end of standard input.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading

from aiohttp import web

from bench.errors import BenchError, ExitCode
from bench.server.app import Edge
from bench.server.engines.base import Engine, EngineError
from bench.server.options import ENGINES, ServeOptions, listening_line

STOP_TIMEOUT_S = 8.0


def serve(options: ServeOptions) -> None:
    """Run a server until it is told to stop; raises `BenchError` when it cannot start."""
    engine = _engine(options)
    asyncio.run(_serve(engine, options))


def _engine(options: ServeOptions) -> Engine:
    if options.workers is not None and options.workers < 1:
        raise BenchError(f"--workers {options.workers}: at least 1 worker process is needed")
    if options.engine == "local":
        from bench.server.engines.local import LocalEngine

        if options.profile is not None:
            raise BenchError("--profile: the engine 'local' takes no profile")
        return LocalEngine(options.workers)
    raise BenchError(f"--engine {options.engine}: unknown engine", hint=f"available: {', '.join(ENGINES)}")


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
