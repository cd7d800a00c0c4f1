"""The reference server as a child process: embedded in a run without a target, or simulated for a calibration.

In: its arguments; out: a process that says where it listens. Trap: it must not outlive a run that was killed, so it
holds the reading end of a pipe and exits when that pipe closes, whatever became of us.
"""

from __future__ import annotations

import re
import select
import subprocess
import time

from bench.errors import BenchError, ExitCode
from bench.scenario.target import Target
from bench.server.options import ServeOptions, start_server

EMBEDDED_MODEL = "local-pipeline"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
_LISTENING = re.compile(r"listening on ((?:wss?|https?)://\S+)")


class ServerProcess:
    """A running child; `url` is where it listens."""

    def __init__(self, options: ServeOptions, *, what: str) -> None:
        """Start the server. Raises `BenchError` when it does not come up."""
        # Its standard error stays ours: a pipe that nobody reads would stop the server once it is full.
        # A session of its own: Ctrl-C is for the run, whose open calls still need the server to finish.
        self._process = start_server(options, start_new_session=True)
        self.pid = self._process.pid
        self.url = self._listening_url(what)

    def _listening_url(self, what: str) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        stdout = self._process.stdout
        while stdout is not None and time.monotonic() < deadline and self._process.poll() is None:
            ready, _, _ = select.select([stdout], [], [], 0.2)
            match = _LISTENING.search(stdout.readline()) if ready else None
            if match:
                return match.group(1)
        self.stop()
        raise BenchError(
            f"{what} did not start: see above",
            hint="run `bench serve` to see it by itself",
            exit_code=ExitCode.UNREACHABLE,
        )

    def ended(self) -> str | None:
        """How the child ended by itself; None while it lives."""
        code = self._process.poll()
        if code is None:
            return None
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """End the child, gently first; again is harmless. What it writes at its end is complete afterwards."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=STOP_TIMEOUT_S)


def embedded_target(server: ServerProcess) -> Target:
    """The target that a scenario without one gets."""
    return Target(url=server.url, model=EMBEDDED_MODEL, provider="embedded")
