"""The loop that conducts a run: begin, watch, begin no more calls, let open ones finish, drain.

In: workers that are ready, guards, watchers. Out: the word for why the run stopped. The same loop serves `bench run`,
`bench calibrate` and whatever plays several runs. Trap: it ends with every row on disk whatever happens, also when a
guard or the loop itself raises; the error goes on to the caller afterwards.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import gevent

from bench.load.progress import Progress
from bench.load.watchers import Watcher
from bench.run.server_process import ServerProcess
from bench.scenario.load_shapes import pool_size
from bench.scenario.model import LoadConfig
from bench.workers.interface import Workers

TICK_S = 0.2
ENOUGH_FAILURES = 10
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask a run to stop: Ctrl-C, `kill`, and a terminal or a CI step that has gone."""
COMPLETED = "completed"
"""What a run ends with that came to its own end."""
SERVER_ENDED = "server_ended"
"""`stop_reason` of a run whose embedded server ended before it."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a guard ends the run: a word for `stop_reason` in run.json, and a sentence for who is watching."""

    reason: str
    sentence: str


Guard = Callable[[Progress], Stop | None]
"""Judges the run several times a second. A reason ends it at once: no call begins any more, open calls are hung up."""


def remember(guard: Guard, stops: list[Stop]) -> Guard:
    """`guard`, which also enters its stop into `stops`, for the manifest."""

    def asked(progress: Progress) -> Stop | None:
        stop = guard(progress)
        if stop is not None:
            stops.append(stop)
        return stop

    return asked


def nobody_answers(load: LoadConfig) -> Guard:
    """Stops a run in which every one of the first calls failed before it was ready: the target is not there."""
    enough = max(ENOUGH_FAILURES, min(pool_size(load) or 1, 50))

    def guard(progress: Progress) -> Stop | None:
        tally = progress.tally
        if tally.turns or tally.warmup_turns or tally.sessions_failed < enough:
            return None
        if 2 * tally.sessions_failed_here > tally.sessions_failed:
            return Stop("own_limits", "limits of this machine keep calls from being made: giving up early")
        return Stop("unreachable", "no call has got through: giving up early")

    return guard


def rows_are_kept(progress: Progress) -> Stop | None:
    """Stops a run whose rows the disk does not take: calls go on costing money, and what they measure would be lost."""
    if progress.disk_failure is None:
        return None
    return Stop("disk", f"rows cannot be written ({progress.disk_failure}): hanging up")


def server_lives(server: ServerProcess) -> Guard:
    """Stops a run whose own server has ended: what fails from then on is not the target's."""

    def guard(progress: Progress) -> Stop | None:
        ended = server.ended()
        return None if ended is None else Stop(SERVER_ENDED, f"the embedded server ended ({ended}): hanging up")

    return guard


@contextmanager
def on_interrupt(action: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Ctrl-C, a request to terminate and a closed terminal call `action` meanwhile, instead of ending the process."""
    # Started by `nohup`, a run is meant to outlive its terminal.
    numbers = [number for number in STOPPING if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN)]
    handlers = [gevent.signal_handler(number, action, *arguments) for number in numbers]
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()


@contextmanager
def finishing_first(later: str) -> Iterator[None]:
    """Let what is under way be finished although a stop is asked for; the second time gives up and says what to do."""
    presses: list[int] = []

    def press(number: int, frame: object) -> None:
        presses.append(number)
        if len(presses) > 1:
            _tell(f"given up; to get the report later: {later}")
            raise KeyboardInterrupt
        _tell("the report is being written first; once more gives it up")

    before = {
        number: signal.signal(number, press)
        for number in STOPPING
        if threading.current_thread() is threading.main_thread() and signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(line: str) -> None:
    """A word to standard error, which a closed terminal may no longer take."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def as_it_is(progress: Progress) -> Progress:
    """Progress to which nobody has anything to add."""
    return progress


def conduct(
    workers: Workers,
    guards: Sequence[Guard],
    watcher: Watcher,
    *,
    graceful_stop_s: float,
    seen: Callable[[Progress], Progress] = as_it_is,
) -> str:
    """Run the calls to their end: `completed`, `interrupted`, or the reason of a guard.

    The first Ctrl-C lets open calls finish within `graceful_stop_s`, the second hangs up. `seen` adds to the progress
    what workers do not know.
    """
    interrupts: list[bool] = []
    with on_interrupt(interrupts.append, True):
        try:
            workers.start()
            stop = _until_over(workers, guards, watcher, interrupts, graceful_stop_s, seen)
        finally:
            if not workers.finished:
                workers.hang_up()
            workers.drain()
            watcher.progress(seen(workers.progress()))
            watcher.close()
    if interrupts:
        return "interrupted"
    return stop.reason if stop is not None else COMPLETED


def _until_over(
    workers: Workers,
    guards: Sequence[Guard],
    watcher: Watcher,
    interrupts: list[bool],
    graceful_stop_s: float,
    seen: Callable[[Progress], Progress],
) -> Stop | None:
    """Until the last call has ended or must be hung up; the stop of the first guard that asks for one."""
    deadline: float | None = None
    noted = False
    while not workers.finished:
        progress = seen(workers.progress())
        watcher.progress(progress)
        for guard in guards:
            stop = guard(progress)
            if stop is not None:
                watcher.note(stop.sentence)
                return stop
        if deadline is None and (progress.admission_over or interrupts):
            workers.admit_no_more()
            deadline = time.monotonic() + graceful_stop_s
        elif len(interrupts) > 1 or (deadline is not None and time.monotonic() >= deadline):
            return None
        if interrupts and not noted:
            noted = True
            watcher.note("stopping: open calls may finish; press Ctrl-C again to hang up now")
        workers.wait(TICK_S)
    return None
