"""Waiting for a server that we started to say where it listens."""

from __future__ import annotations

import re
import select
import subprocess
import time

from bench.errors import BenchError, ExitCode

START_TIMEOUT_S = 60.0
_LISTENING = re.compile(r"listening on (wss?://\S+)")


def listening_url(process: subprocess.Popen[str], *, what: str) -> str:
    """The address on the server's line `listening on URL`. Raises `BenchError` when the server does not come up.

    The child's standard output must be a pipe; its standard error may be one and is then shown in the error.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    stdout = process.stdout
    if stdout is None:
        raise ValueError("the child's standard output must be a pipe")
    while time.monotonic() < deadline and process.poll() is None:
        ready, _, _ = select.select([stdout], [], [], 0.2)
        match = _LISTENING.search(stdout.readline()) if ready else None
        if match:
            return match.group(1)
    process.kill()
    _, complaint = process.communicate(timeout=10)
    raise BenchError(
        f"{what} did not start: {(complaint or '').strip()[-800:] or 'see above'}",
        hint="run `bench serve` to see it by itself",
        exit_code=ExitCode.UNREACHABLE,
    )
