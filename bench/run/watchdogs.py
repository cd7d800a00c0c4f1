"""The watchdogs of a run, each named here once.

In: the run before its first call. Out: the watchdogs that its scenario asks for. `run_scenario` tells each of them
every row and asks it several times a second whether the run must stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.load.progress import Progress
from bench.load.spec import RunSpec
from bench.run.budget_guard import budget_guard
from bench.run.threshold_guard import threshold_guard
from bench.run.watchdog import Watchdog

MAKERS: tuple[Callable[[RunSpec], Watchdog | None], ...] = (threshold_guard, budget_guard)
"""Each gives a watchdog for a run that needs it."""


def watchdogs_of(spec: RunSpec) -> list[Watchdog]:
    """Those that the scenario of `spec` asks for."""
    made = (make(spec) for make in MAKERS)
    return [dog for dog in made if dog is not None]


def seen_by(dogs: Sequence[Watchdog]) -> Callable[[Progress], Progress]:
    """The progress with what all of them know besides."""

    def seen(progress: Progress) -> Progress:
        for dog in dogs:
            progress = dog.seen(progress)
        return progress

    return seen
