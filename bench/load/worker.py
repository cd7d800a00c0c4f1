"""One worker's calls: its Locust users, its rows, its health; started, watched and stopped by whoever owns it.

In: the scenario, the target, the worker's share. Out: rows in the spool, a tally, a health certificate. Trap:
stopping has three strengths - take no new calls, let the open ones finish within a bound, hang up what is left -
and each row that ended is on disk before `drain` returns.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from locust.env import Environment
from locust.runners import LocalRunner

from bench.load.factory import CallFactory, RunIdentity
from bench.load.health_probe import HealthProbe, raise_priority
from bench.load.plan import admission_s, share_of, total_sessions
from bench.load.recorder import Recorder, Tally
from bench.load.users import Playing, user_class
from bench.measure import wer
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.pricing.book import Books
from bench.scenario.model import Load, Scenario
from bench.scenario.target import Target
from bench.store.folder import RunFolder
from bench.store.spool import SpoolWriter

HANG_UP_GRACE_S = 5.0
ENOUGH_FAILURES = 10
GC_THRESHOLDS = (20_000, 20, 20)
"""Calls make few cycles and many short-lived objects; at the interpreter's own thresholds pauses of 50 ms were seen."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A glance at a run under way."""

    phase: str
    elapsed_s: float
    done: float | None
    """Share of the run that is over, 0 to 1; None when it cannot be told."""
    open_sessions: int
    talking_sessions: int
    started: int
    dropped: int
    tally: Tally


def glance(
    load: Load, tally: Tally, *, elapsed_s: float, draining: bool, counts: tuple[int, int, int, int]
) -> Progress:
    """What the live view shows; `counts` are calls open, callers talking, calls begun, arrivals dropped."""
    bound_s, calls = admission_s(load), total_sessions(load)
    if bound_s is not None:
        done: float | None = min(1.0, elapsed_s / bound_s)
    else:
        done = min(1.0, (tally.sessions + counts[3]) / calls) if calls else None
    if draining:
        phase = "finishing"
    elif tally.sessions < load.warmup_sessions or elapsed_s * 1000 < load.warmup_ms:
        phase = "warm-up"
    elif elapsed_s * 1000 < load.ramp_ms:
        phase = "ramp"
    else:
        phase = "steady"
    return Progress(phase, elapsed_s, done, *counts, tally)


def nobody_answers(load: Load, tally: Tally) -> bool:
    """Whether every one of the first calls failed before it was ready: the target is not there."""
    enough = max(ENOUGH_FAILURES, min(load.callers, 50))
    return not tally.turns and not tally.warmup_turns and tally.sessions_failed >= enough


class WorkerRun:
    """The calls of one process."""

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        folder: RunFolder,
        *,
        run_id: str,
        books: Books,
        worker: int = 0,
        workers: int = 1,
        environment: Environment | None = None,
        on_turn: Callable[[TurnRecord], None] | None = None,
        on_session: Callable[[SessionRecord], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self.name = f"w{worker}"
        self.anchor = WallAnchor(monotonic_ns=time.monotonic_ns(), unix_s=time.time())
        self.pid = os.getpid()
        self._factory = CallFactory(scenario, target, RunIdentity(run_id, self.name))
        self._factory.prepare()
        # The normaliser takes a second to build; the first turn to end must not stop every call for it.
        wer.prepare("en")
        self.spool = SpoolWriter(folder, self.name)
        self.recorder = Recorder(self.spool, self.anchor, books, on_turn=on_turn, on_session=on_session)
        share = share_of(scenario.load, scenario.seed, worker=worker, workers=workers)
        self.playing = Playing(scenario, self._factory, self.recorder, share)
        self.health = HealthProbe(self.recorder.delays, frame_ms=scenario.session.frame_ms)
        self.environment = environment or Environment()
        self._user_class = user_class(self.playing)
        self.environment.user_classes = [self._user_class]
        self._draining = False
        self._drained = False

    # running

    def start(self) -> None:
        """Spawn the users and release them together."""
        gc.collect()
        # What exists now lives as long as the run; the collector need not walk it again and again.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        raise_priority()
        runner = self.environment.runner or self.environment.create_local_runner()
        users = max(1, len(self.playing.share.callers)) if self.playing.share.offsets_s else 0
        self.health.start()
        if not users:
            self.playing.done.set()
        elif isinstance(runner, LocalRunner):
            runner.start(users, spawn_rate=users)
        else:
            # Locust would deal users out by its own arithmetic; which callers are ours is settled by the share.
            runner.spawn_users({self._user_class.__name__: users})
        self.playing.begin(time.monotonic_ns())

    @property
    def finished(self) -> bool:
        """Whether every user has made its last call."""
        return bool(self.playing.done.is_set())

    @property
    def admission_over(self) -> bool:
        """Whether the time for new calls has passed."""
        bound_s = admission_s(self.scenario.load)
        return bound_s is not None and self.elapsed_s >= bound_s

    @property
    def elapsed_s(self) -> float:
        return (time.monotonic_ns() - self.playing.start_ns) / 1e9

    @property
    def nobody_answers(self) -> bool:
        return nobody_answers(self.scenario.load, self.recorder.tally)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Calls open, callers talking, calls begun, arrivals dropped."""
        recorder, playing = self.recorder, self.playing
        return recorder.open_sessions, recorder.talking_sessions, playing.started, playing.dropped

    def progress(self) -> Progress:
        """What the live view shows."""
        return glance(
            self.scenario.load,
            self.recorder.tally,
            elapsed_s=self.elapsed_s,
            draining=self._draining,
            counts=self.counts,
        )

    def wait(self, seconds: float) -> None:
        """Let the calls go on for at most `seconds`, less when the last one ends."""
        self.playing.done.wait(seconds)

    # stopping

    def admit_no_more(self) -> None:
        """No call begins from now on."""
        self._draining = True
        self.playing.no_more.set()

    def hang_up(self) -> None:
        """End every open call now. The certificate ends here too: all farewells at once are no load of the run."""
        self.admit_no_more()
        self.health.stop()
        self.playing.hang_up_all()

    def drain(self) -> None:
        """Wait for hung-up calls to be written, stop the users, close the spool: every ended row is on disk."""
        if self._drained:
            return
        self._drained = True
        self.playing.done.wait(HANG_UP_GRACE_S + self.scenario.timeouts.close_ms / 1000)
        self.health.stop()
        self.recorder.flush()
        runner = self.environment.runner
        if isinstance(runner, LocalRunner):
            runner.quit()
        gevent.sleep(0)
        self.spool.close()
