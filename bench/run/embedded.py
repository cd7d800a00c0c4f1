"""The embedded reference server as a child process, for scenarios that name no target.

Started before the first call, stopped after the last. It cannot outlive a run that was killed: it exits when the
pipe to its standard input closes.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from bench.run.server_process import listening_url
from bench.scenario.target import Target
from bench.server.options import ServeOptions, start_server

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


def start_embedded(engine: str = "local") -> EmbeddedServer:
    """Start the server on a free loopback port. Raises `BenchError` when it does not come up."""
    # Its standard error stays ours: a pipe that nobody reads would stop the server once it is full.
    # A session of its own: Ctrl-C is for the run, whose open calls still need the server to finish.
    process = start_server(ServeOptions(engine=engine, port=0), start_new_session=True)
    return EmbeddedServer(process, listening_url(process, what="the embedded server"))
