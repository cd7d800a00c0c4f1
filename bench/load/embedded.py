"""The embedded reference server as a child process, for scenarios that name no target.

Started before the first call, stopped after the last. Trap: it must not outlive a run that was killed, so it is
given the reading end of a pipe and exits when that pipe closes, whatever became of us.
"""

from __future__ import annotations

import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass

from bench.errors import BenchError, ExitCode
from bench.scenario.target import Target

EMBEDDED_MODEL = "local-pipeline"
START_TIMEOUT_S = 60.0
_LISTENING = re.compile(r"listening on (ws://\S+)")


@dataclass(slots=True)
class EmbeddedServer:
    """A running child; `url` is where it listens."""

    process: subprocess.Popen[str]
    url: str

    @property
    def target(self) -> Target:
        """The target that a scenario without one gets."""
        return Target(dialect="openai", url=self.url, model=EMBEDDED_MODEL, provider="embedded")

    def stop(self) -> None:
        """End the child, gently first."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


def start_embedded(engine: str = "local") -> EmbeddedServer:
    """Start the server on a free loopback port. Raises `BenchError` when it does not come up."""
    command = [sys.executable, "-m", "bench.server", "--engine", engine, "--port", "0", "--exit-with-stdin"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    deadline = time.monotonic() + START_TIMEOUT_S
    assert process.stdout is not None
    while time.monotonic() < deadline and process.poll() is None:
        ready, _, _ = select.select([process.stdout], [], [], 0.2)
        if not ready:
            continue
        match = _LISTENING.search(process.stdout.readline())
        if match:
            return EmbeddedServer(process, match.group(1))
    process.kill()
    _, complaint = process.communicate(timeout=10)
    raise BenchError(
        f"the embedded server did not start: {complaint.strip()[-800:] or 'it said nothing'}",
        hint="run `bench serve` to see it by itself",
        exit_code=ExitCode.UNREACHABLE,
    )
