"""Those who make the calls of a run, wherever they are: this process (`bench.load.worker_run`) or several (`master`).

In: a `RunSpec`; out: progress while the run goes on and `WorkersFacts` at its end. The loop that conducts a run
(`bench.run.conduct`) knows only this interface, so that stopping, draining and reporting are one piece of code.
"""

from __future__ import annotations

from typing import Protocol

from bench.load.progress import Progress
from bench.load.spec import WorkersFacts


class Workers(Protocol):
    """One or several workers, ready to begin."""

    def start(self) -> None:
        """Begin the calls."""

    def wait(self, seconds: float) -> None:
        """Let the calls go on for at most `seconds`, less when the last one ends."""

    def progress(self) -> Progress: ...

    def admit_no_more(self) -> None:
        """No call begins from now on."""

    def hang_up(self) -> None:
        """End every open call now."""

    def drain(self) -> None:
        """Wait, within a bound, until every row that ended is on disk, and let the workers go; again is harmless."""

    def facts(self) -> WorkersFacts: ...

    @property
    def finished(self) -> bool:
        """Whether the last call has ended."""
