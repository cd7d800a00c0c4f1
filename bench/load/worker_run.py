"""One worker's calls: its users, its rows, its health; started, watched and stopped by whoever owns it.

In: a run and the worker's number. Out: rows in the spool, counts, and a `WorkerReport` at the end. Trap: stopping has
three strengths - take no new calls, let the open ones finish within a bound, hang up what is left - and each row that
ended is on disk before `drain` returns.
"""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass
from typing import Any

from bench.load.back_off import backing_off
from bench.load.factory import CallFactories, CallFactory, RunIdentity
from bench.load.health_probe import HealthProbe, ProbeReadings, certificate_of
from bench.load.progress import LiveCalls, Progress, progress_of
from bench.load.recorder import Recorder
from bench.load.spec import RecordingCost, RunSpec, WorkersFacts
from bench.load.tapes import Tapes, tape_notes
from bench.load.users import CallSchedule
from bench.load.watchers import RowListener, Watcher
from bench.measure import expectations, wer
from bench.measure.records import WallAnchor
from bench.priority import go_first
from bench.scenario.load_shapes import shape_of
from bench.store.certificate import Arrivals
from bench.store.manifest import WorkerAnchor, WorkerCounts
from bench.store.spool import SpoolWriter

HANG_UP_GRACE_S = 5.0
GC_THRESHOLDS = (20_000, 20, 20)
"""Calls make few cycles and many short-lived objects; at the interpreter's own thresholds pauses of 50 ms were seen."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of itself once its rows are written."""

    turns: int
    sessions: int
    readings: ProbeReadings
    arrivals: Arrivals | None
    """Open arrivals; None for a closed pool."""
    losses: list[str]
    """What could not be kept, in sentences."""
    pauses: int
    """How often callers waited after a call that failed, and how long in all."""
    paused_s: float
    tapes: tuple[int, float, int, str | None] = (0, 0.0, 0, None)
    """Recordings written, seconds that took, recordings that failed, and why."""


class WorkerRun:
    """The calls of one process: all those of a run (`bench.workers.interface.Workers`), or a worker's share."""

    def __init__(
        self,
        spec: RunSpec,
        listener: RowListener | None = None,
        *,
        worker: int = 0,
        environment: Any = None,
    ) -> None:
        """Read and encode all audio. `environment` is Locust's, of a worker that a master leads."""
        scenario = spec.scenario
        self.name = f"w{worker}"
        self._scenario = scenario
        self._clocks = WallAnchor(monotonic_ns=time.monotonic_ns(), unix_s=time.time())
        identity, callees = RunIdentity(spec.run_id, self.name), spec.callees
        factories = CallFactories(
            scenario.seed,
            [CallFactory(each.scenario, each.target, identity, among=len(callees)) for each in callees],
        )
        factories.prepare()
        # A normaliser takes a second to build; the first turn to end must not stop every call for it.
        for language in {fixture.language for fixture in spec.fixtures.values()}:
            wer.prepare(language)
        if any(step.all_expected for step in scenario.conversation):
            expectations.prepare()
        self.spool = SpoolWriter(spec.folder, self.name)
        books = {each.name: each.books for each in callees}
        record = scenario.record
        self._tapes = Tapes(spec.folder.recorded_calls, record.slowest) if record is not None else None
        self.recorder = Recorder(
            self.spool, self._clocks, spec.books, listener or Watcher(), by_target=books, tapes=self._tapes
        )
        self._shape = shape_of(scenario.load)
        share = self._shape.share(scenario.seed, worker=worker, workers=spec.workforce.processes)
        budget, stretch = scenario.budget, spec.stretch
        most_calls = budget.max_sessions if budget is not None else None
        self._schedule = CallSchedule(
            scenario.load,
            share,
            factories,
            self.recorder,
            environment,
            seed=scenario.seed,
            most_calls=stretch.most_calls if stretch is not None else most_calls,
            stretch=stretch,
        )
        self.health = HealthProbe(self.recorder.delays, frame_ms=scenario.session.frame_ms)
        self._finishing = False
        self._drained = False

    # running

    def start(self) -> None:
        """Begin: planned offsets count from now."""
        gc.collect()
        # What exists now lives as long as the run; the collector need not walk it again and again.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        go_first()
        self.health.start()
        self._schedule.begin()

    @property
    def finished(self) -> bool:
        """Whether every user has made its last call."""
        return bool(self._schedule.done.is_set())

    @property
    def counts(self) -> LiveCalls:
        recorder, schedule = self.recorder, self._schedule
        return LiveCalls(
            open=recorder.open_sessions,
            talking=recorder.talking_sessions,
            started=schedule.started,
            dropped=schedule.dropped,
            withheld=schedule.withheld,
            call_s=schedule.call_s,
        )

    def progress(self) -> Progress:
        """The run as it is now."""
        return progress_of(
            self._scenario.load,
            self.recorder.tally,
            self.counts,
            elapsed_s=(time.monotonic_ns() - self._schedule.start_ns) / 1e9,
            finishing=self._finishing,
            disk_failure=self.spool.failure,
        )

    def wait(self, seconds: float) -> None:
        """Let the calls go on for at most `seconds`, less when the last one ends."""
        self._schedule.done.wait(seconds)

    # stopping

    def admit_no_more(self) -> None:
        """No call begins from now on."""
        self._finishing = True
        self._schedule.admit_no_more()

    def hang_up(self) -> None:
        """End every open call now. The probe stops too: hanging up all calls at once is no load of the run."""
        self.admit_no_more()
        self.health.stop()
        self._schedule.hang_up_all()

    def drain(self) -> None:
        """Wait for hung-up calls to be written, stop the users, close the spool: every ended row is on disk."""
        if self._drained:
            return
        self._drained = True
        if self._schedule.start_ns:
            self._schedule.done.wait(HANG_UP_GRACE_S + self._scenario.timeouts.close_ms / 1000)
        self.health.stop()
        self.recorder.flush()
        self._schedule.end()
        self.spool.close()
        gc.unfreeze()

    # what is kept of it

    @property
    def anchor(self) -> WorkerAnchor:
        """This worker's clocks, and whether the kernel stamped what arrived."""
        return WorkerAnchor(
            monotonic_ns=self._clocks.monotonic_ns,
            unix_s=self._clocks.unix_s,
            pid=os.getpid(),
            kernel_stamps=self.recorder.kernel_stamps,
        )

    def report(self) -> WorkerReport:
        """Rows written, health and arrivals so far."""
        schedule = self._schedule
        arrivals = Arrivals(offered=schedule.offered, achieved=schedule.started, dropped=schedule.dropped)
        return WorkerReport(
            self.spool.turns_written,
            self.spool.sessions_written,
            self.health.readings(),
            arrivals if self._shape.is_open else None,
            self.spool.losses,
            schedule.pauses,
            schedule.paused_s,
            self._tapes.told if self._tapes is not None else (0, 0.0, 0, None),
        )

    def facts(self) -> WorkersFacts:
        """What the manifest keeps when this is the only worker."""
        report = self.report()
        counts = WorkerCounts(
            turns_sent=report.turns,
            turns_received=report.turns,
            sessions_sent=report.sessions,
            sessions_received=report.sessions,
        )
        health = certificate_of({self.name: report.readings}, [report.arrivals])
        return WorkersFacts(
            {self.name: self.anchor},
            {self.name: counts},
            report.losses,
            health,
            [*backing_off(report.pauses, report.paused_s), *tape_notes(*report.tapes[2:])],
            {self.name: report.readings},
            RecordingCost(*report.tapes[:2]),
        )
