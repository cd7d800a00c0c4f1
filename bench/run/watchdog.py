"""A guard that follows the rows of a run: each kind is one class in one file; `bench.run.watchdogs` lists them.

In: every row, as the screen gets it, and several times a second the question whether the run must stop.
Trap: a watchdog is called in the loop that paces audio. It must answer in well under a millisecond, so what takes
longer is done on every n-th question only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from bench.load.progress import Progress
from bench.load.watchers import Watcher
from bench.run.conduct import Stop


class Watchdog(Watcher, ABC):
    """A watcher that may end the run; it is a `Guard` as it stands."""

    @abstractmethod
    def __call__(self, progress: Progress) -> Stop | None:
        """Why the run must stop now; None to let it go on."""

    def seen(self, progress: Progress) -> Progress:
        """The progress with what this watchdog knows besides, as screens show it."""
        return progress

    def at_end(self) -> Stop | None:
        """Why a run that came to its own end did so before its plan was done; None when it was done."""
        return None
