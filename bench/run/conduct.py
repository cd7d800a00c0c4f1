"""The loop that conducts a run: begin, watch, stop taking calls, let open ones finish, drain.

In: workers that are ready, guards, watchers. Out: the word for why the run stopped. The same loop serves `bench run`,
`bench calibrate` and whatever plays several runs. Trap: it ends with every row on disk whatever happens, also when a
guard or the loop itself raises; the error goes on to the caller afterwards.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import gevent

from bench.load.progress import Progress
from bench.load.watchers import Watcher
from bench.scenario.model import LoadConfig
from bench.workers.interface import Workers

TICK_S = 0.2
ENOUGH_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a guard ends the run: a word for `stop_reason` in run.json, and a sentence for who is watching."""

    reason: str
    sentence: str


Guard = Callable[[Progress], Stop | None]
"""Judges the run several times a second. A reason ends it at once: no call begins any more, open calls are hung up."""


def nobody_answers(load: LoadConfig) -> Guard:
    """Stops a run in which every one of the first calls failed before it was ready: the target is not there."""
    enough = max(ENOUGH_FAILURES, min(load.callers, 50))

    def guard(progress: Progress) -> Stop | None:
        tally = progress.tally
        if tally.turns or tally.warmup_turns or tally.sessions_failed < enough:
            return None
        return Stop("unreachable", "no call has got through: giving up early")

    return guard


class _Interrupts:
    """Counts Ctrl-C and requests to terminate while it is entered, instead of letting them end the process."""

    def __init__(self) -> None:
        self.count = 0
        self._handlers: list[Any] = []

    def _interrupt(self) -> None:
        self.count += 1

    def __enter__(self) -> Self:
        self._handlers = [gevent.signal_handler(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for handler in self._handlers:
            handler.cancel()


def conduct(workers: Workers, guards: Sequence[Guard], watcher: Watcher, *, graceful_stop_s: float) -> str:
    """Run the calls to their end: `completed`, `interrupted`, or the reason of a guard.

    The first Ctrl-C lets open calls finish within `graceful_stop_s`, the second hangs up.
    """
    with _Interrupts() as interrupts:
        try:
            workers.start()
            stop = _until_admission_ends(workers, guards, watcher, interrupts)
            workers.admit_no_more()
            stop = stop or _until_calls_end(workers, guards, watcher, interrupts, graceful_stop_s)
            if not workers.finished:
                workers.hang_up()
        except BaseException:
            workers.hang_up()
            raise
        finally:
            workers.drain()
            watcher.progress(workers.progress())
            watcher.close()
        if interrupts.count:
            return "interrupted"
        return stop.reason if stop is not None else "completed"


def _until_admission_ends(
    workers: Workers, guards: Sequence[Guard], watcher: Watcher, interrupts: _Interrupts
) -> Stop | None:
    while not workers.finished and not workers.admission_over and not interrupts.count:
        stop = _look(workers, guards, watcher)
        if stop is not None:
            return stop
        workers.wait(TICK_S)
    return None


def _until_calls_end(
    workers: Workers, guards: Sequence[Guard], watcher: Watcher, interrupts: _Interrupts, graceful_stop_s: float
) -> Stop | None:
    deadline = time.monotonic() + graceful_stop_s
    noted = False
    while not workers.finished and interrupts.count < 2 and time.monotonic() < deadline:
        if interrupts.count and not noted:
            noted = True
            watcher.note("stopping: open calls may finish; press Ctrl-C again to hang up now")
        stop = _look(workers, guards, watcher)
        if stop is not None:
            return stop
        workers.wait(TICK_S)
    return None


def _look(workers: Workers, guards: Sequence[Guard], watcher: Watcher) -> Stop | None:
    """Show the run as it is now, and let every guard judge it."""
    progress = workers.progress()
    watcher.progress(progress)
    for guard in guards:
        stop = guard(progress)
        if stop is not None:
            watcher.note(stop.sentence)
            return stop
    return None
