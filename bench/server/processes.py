"""Several server processes on one port: started together, watched, stopped together.

In: `ServeOptions` with `processes` above 1. Out: the one line that says where they listen, then service.
Trap: the kernel spreads *connections* over the processes, not load; and a process that dies would leave a server that
answers only some callers, so the rest is stopped and the exit is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from bench.errors import BenchError, ExitCode
from bench.server.listening import bound_socket
from bench.server.options import COMMAND, LISTENING_PREFIX, ServeOptions, listening_line
from bench.server.truth_log import part_path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 8.0


async def serve_processes(options: ServeOptions, stop: asyncio.Event) -> None:
    """Run all of them until `stop` is set; raises `BenchError` when one does not start or dies."""
    holder = bound_socket(options.host, options.port, shared=True)  # keeps the port; it never listens
    host, port = holder.getsockname()[:2]
    children: list[asyncio.subprocess.Process] = []
    shared_key = secrets.token_hex(32)
    try:
        for number in range(options.processes):
            children.append(await _start(options, port, number, shared_key))
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
        await stop_children(children, STOP_TIMEOUT_S)
        holder.close()


async def _start(options: ServeOptions, port: int, number: int, shared_key: str) -> asyncio.subprocess.Process:
    log = options.truth_log and part_path(options.truth_log, number, options.processes)
    own = options.model_copy(update={"port": port, "process": number, "truth_log": log, "shared_key": shared_key})
    child = await asyncio.create_subprocess_exec(
        *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None
    child.stdin.write(own.line().encode())
    return child


async def _ready(child: asyncio.subprocess.Process) -> None:
    line = await child.stdout.readline() if child.stdout is not None else b""
    if not line.startswith(LISTENING_PREFIX.encode()):
        raise BenchError(f"server process {child.pid} did not start", exit_code=ExitCode.UNREACHABLE)


async def _first_end(
    children: list[asyncio.subprocess.Process], stop: asyncio.Event
) -> asyncio.subprocess.Process | None:
    """The process that ended first; None when `stop` was set before."""
    waiting = {asyncio.create_task(child.wait()): child for child in children}
    stopped = asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait((*waiting, stopped), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return None if stopped in done else next(waiting[task] for task in done if task in waiting)


async def stop_children(children: list[asyncio.subprocess.Process], timeout_s: float) -> None:
    """Close every child's standard input, then make sure that each has gone."""
    for child in children:
        if child.stdin is not None:
            child.stdin.close()
    for child in children:
        try:
            async with asyncio.timeout(timeout_s):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
