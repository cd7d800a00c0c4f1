"""The embedded reference server as a child process, for scenarios that name no target.

Started before the first call, stopped after the last. Trap: it must not outlive a run that was killed, so it is
given the reading end of a pipe and exits when that pipe closes, whatever became of us.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from bench.run.server_process import listening_url
from bench.scenario.target import Target

EMBEDDED_MODEL = "local-pipeline"


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


def start_embedded() -> EmbeddedServer:
    """Start the server on a free loopback port. Raises `BenchError` when it does not come up."""
    command = [sys.executable, "-m", "bench.server", "--engine", "local", "--port", "0", "--exit-with-stdin"]
    # Its standard error stays ours: a pipe that nobody reads would stop the server once it is full.
    # A session of its own: Ctrl-C is for the run, whose open calls still need the server to finish.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
    )
    return EmbeddedServer(process, listening_url(process, what="the embedded server"))
