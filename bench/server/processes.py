"""Several server processes on one port: started together, watched, stopped together.

In: `ServeOptions` with `processes` above 1. Out: the one line that says where they listen, then service.
Trap: the kernel spreads *connections* over the processes, not load; and a process that dies would leave a server that
answers only some callers, so the rest is stopped and the exit is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import replace

from bench.errors import BenchError, ExitCode
from bench.server.lean.serve import bound_socket
from bench.server.options import LISTENING_PREFIX, ServeOptions, listening_line
from bench.server.truth import part_path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 8.0
KEY_VARIABLE = "BENCH_SERVER_KEY"


async def serve_processes(options: ServeOptions, stop: asyncio.Event) -> None:
    """Run all of them until `stop` is set; raises `BenchError` when one does not start or dies."""
    holder = bound_socket(options.host, options.port, shared=True)  # keeps the port; it never listens
    host, port = holder.getsockname()[:2]
    children: list[asyncio.subprocess.Process] = []
    try:
        for number in range(options.processes):
            children.append(await _start(replace(options, port=port, process=number)))
        async with asyncio.timeout(START_TIMEOUT_S):
            for child in children:
                await _ready(child)
        print(listening_line(host, port, tls=options.tls_cert is not None), flush=True)
        ended = await _first_end(children, stop)
        if ended is not None:
            raise BenchError(
                f"server process {ended.pid} ended with status {ended.returncode}; the others were stopped",
                exit_code=ExitCode.UNREACHABLE,
            )
    except TimeoutError:
        raise BenchError("the server processes did not start in time", exit_code=ExitCode.UNREACHABLE) from None
    finally:
        await _stop(children)
        holder.close()


async def _start(options: ServeOptions) -> asyncio.subprocess.Process:
    environment = dict(os.environ)
    if options.api_key is not None:
        environment[KEY_VARIABLE] = options.api_key
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.server", *_arguments(options),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip


def _arguments(options: ServeOptions) -> list[str]:
    arguments = ["--host", options.host, "--port", str(options.port), "--engine", options.engine]
    arguments += ["--processes", str(options.processes), "--process", str(options.process), "--exit-with-stdin"]
    arguments += ["--session-lifetime-s", str(options.session_lifetime_s)]
    if options.profile is not None:
        arguments += ["--profile", options.profile]
    if options.truth_log is not None:
        arguments += ["--truth-log", str(part_path(options.truth_log, options.process, options.processes))]
    if options.api_key is not None:
        arguments += ["--api-key-env", KEY_VARIABLE]
    if options.tls_cert is not None:
        arguments += ["--tls-cert", str(options.tls_cert)]
    if options.tls_key is not None:
        arguments += ["--tls-key", str(options.tls_key)]
    return arguments


async def _ready(child: asyncio.subprocess.Process) -> None:
    assert child.stdout is not None
    line = await child.stdout.readline()
    if not line.startswith(LISTENING_PREFIX.encode()):
        raise BenchError(f"server process {child.pid} did not start", exit_code=ExitCode.UNREACHABLE)


async def _first_end(
    children: list[asyncio.subprocess.Process], stop: asyncio.Event
) -> asyncio.subprocess.Process | None:
    """The process that ended first; None when all were told to stop before."""
    waiting = {asyncio.create_task(child.wait()): child for child in children}
    stopped = asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait((*waiting, stopped), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return None if stopped in done else next(waiting[task] for task in done if task in waiting)


async def _stop(children: list[asyncio.subprocess.Process]) -> None:
    for child in children:
        if child.stdin is not None:
            child.stdin.close()
    for child in children:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
