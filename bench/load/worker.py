"""One worker's run: its Locust runner, its calls, its rows; started, watched and stopped by whoever owns it.

In: the scenario, the target, the worker's share. Out: rows in the spool and a tally. Trap: stopping has three
strengths - take no new calls, let the open ones finish within a bound, hang up what is left - and each row that
ended is on disk before `drain` returns.
"""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass

import gevent
from locust.env import Environment

from bench.load.factory import CallFactory, RunIdentity
from bench.load.plan import admission_s, share_of, total_sessions
from bench.load.recorder import Recorder, Tally
from bench.load.users import Playing, user_class
from bench.measure import wer
from bench.measure.records import TurnRecord, WallAnchor
from bench.pricing.book import Books
from bench.scenario.model import Scenario
from bench.scenario.target import Target
from bench.store.folder import RunFolder
from bench.store.spool import SpoolWriter

HANG_UP_GRACE_S = 5.0


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
        self.recorder = Recorder(
            self.spool,
            self.anchor,
            books,
            on_turn=self._tell_locust,
        )
        share = share_of(scenario.load, scenario.seed, worker=worker, workers=workers)
        self.playing = Playing(scenario, self._factory, self.recorder, share)
        self.environment = environment or Environment()
        self.environment.user_classes = [user_class(self.playing)]
        self._draining = False

    def _tell_locust(self, row: TurnRecord) -> None:
        """One event per turn, for Locust's own screens only."""
        self.environment.events.request.fire(
            request_type="turn",
            name="first_audible",
            response_time=row.first_audible_ms,
            response_length=0,
            exception=None if row.status == "ok" else RuntimeError(f"{row.status} {row.error_kind or ''}".strip()),
            context={},
        )

    # running

    def start(self) -> None:
        """Spawn the users and release them together."""
        gc.collect()
        gc.freeze()
        runner = self.environment.runner or self.environment.create_local_runner()
        users = max(1, len(self.playing.share.callers))
        runner.start(users, spawn_rate=users)
        self.playing.begin(time.monotonic_ns())

    @property
    def finished(self) -> bool:
        """Whether every user has made its last call."""
        return self.playing.done.is_set()

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
        """Whether every one of the first calls failed before it was ready: the target is not there."""
        tally = self.recorder.tally
        enough = max(10, min(self.scenario.load.callers, 50))
        return not tally.turns and not tally.warmup_turns and tally.sessions_failed >= enough

    def progress(self) -> Progress:
        """What the live view shows."""
        load, recorder = self.scenario.load, self.recorder
        elapsed_s, bound_s, calls = self.elapsed_s, admission_s(load), total_sessions(load)
        if bound_s is not None:
            done = min(1.0, elapsed_s / bound_s)
        else:
            done = min(1.0, recorder.tally.sessions / calls) if calls else None
        if self._draining:
            phase = "finishing"
        elif recorder.tally.sessions < load.warmup_sessions or elapsed_s * 1000 < load.warmup_ms:
            phase = "warm-up"
        elif elapsed_s * 1000 < load.ramp_ms:
            phase = "ramp"
        else:
            phase = "steady"
        return Progress(
            phase=phase,
            elapsed_s=elapsed_s,
            done=done,
            open_sessions=recorder.open_sessions,
            talking_sessions=recorder.talking_sessions,
            started=self.playing.started,
            dropped=self.playing.dropped,
            tally=recorder.tally,
        )

    # stopping

    def admit_no_more(self) -> None:
        """No call begins from now on."""
        self._draining = True
        self.playing.no_more.set()

    def hang_up(self) -> None:
        """End every open call now."""
        self.admit_no_more()
        self.playing.hang_up_all()

    def drain(self) -> None:
        """Stop the users after they finished or were hung up, and close the spool: every ended row is on disk."""
        self.playing.done.wait(HANG_UP_GRACE_S + self.scenario.timeouts.close_ms / 1000)
        runner = self.environment.runner
        if runner is not None:
            runner.quit()
        gevent.sleep(0)
        self.spool.close()
