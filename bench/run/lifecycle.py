"""A run from a loaded scenario to its report: prepare, conduct, finish.

In: a scenario and options; out: a run folder and the verdict. Trap: whatever happens after the first call - Ctrl-C, a
dead target, a crash of our own - the folder is finished and reported as what it is.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import gevent

from bench import __version__
from bench.audio.recording_checks import check_recordings, draw_recordings
from bench.errors import BenchError
from bench.load.factory import fixtures_of
from bench.load.health_probe import raise_file_limit
from bench.load.spec import Callee, RunSpec, Workforce, callees_of
from bench.load.watchers import Watcher, Watchers
from bench.measure.metrics import metric_versions
from bench.pricing.book import PriceBook
from bench.run.budget_guard import BudgetGuard, budget_remarks
from bench.run.capacity import capacity_remark
from bench.run.conduct import (
    COMPLETED,
    SERVER_ENDED,
    Guard,
    Stop,
    conduct,
    finishing_first,
    nobody_answers,
    on_interrupt,
    remember,
    rows_are_kept,
    server_lives,
)
from bench.run.estimate import estimate
from bench.run.kept_calls import keep_slowest
from bench.run.own_servers import as_written, check_reachable, start_servers
from bench.run.plan import exposures_of, recording_ends
from bench.run.recogniser import recogniser_asked_for
from bench.run.reply_words import with_reply_words
from bench.run.search_workers import SearchWorkers
from bench.run.watchdog import Watchdog
from bench.run.watchdogs import seen_by, watchdogs_of
from bench.scenario.books import books_of
from bench.scenario.load_sentence import load_sentence
from bench.scenario.load_shapes import shape_of
from bench.scenario.model import LoadConfig, Scenario
from bench.scenario.read import expanded
from bench.store import manifest as stored
from bench.store.calibration import Calibration, newest_calibration
from bench.store.environment import git_state, host_facts, library_versions
from bench.store.finish import finish_or_keep
from bench.store.folder import RunFolder, create_run_folder, discard_unused
from bench.store.reader import Run
from bench.store.reserve import take_reserve
from bench.workers.interface import Workers

if TYPE_CHECKING:
    from bench.report.findings import Summary

SPARE_FILES = 128
"""Open files of a process besides its calls: libraries, the spool, the event loop, pipes."""
CRASHED = "crashed"
"""`stop_reason` of a run that a mistake of our own ended."""

OpenWatcher = Callable[[RunSpec], Watcher]
"""Makes a watcher of one run, before its workers are there."""


@dataclass(slots=True)
class PreparedRun:
    """A run whose workers are ready and whose folder says that it is running."""

    spec: RunSpec
    manifest: stored.Manifest
    workers: Workers


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What `bench run` ends with."""

    folder: RunFolder
    summary: Summary

    @property
    def exit_code(self) -> int:
        return self.summary.verdict.exit_code


def run_scenario(
    scenario: Scenario,
    *,
    out: Path | None = None,
    command: Sequence[str] = (),
    workforce: Workforce | None = None,
    watchers: Sequence[OpenWatcher] = (),
    guards: Sequence[Guard] = (),
) -> FinishedRun:
    """Run `scenario` and report; it may be called again in the same process.

    Raises `BenchError` for what is wrong before the first call. An error of our own during the calls is raised once the
    folder is finished and reported.
    """
    workforce = workforce or Workforce()
    if workforce.remote:
        check_reachable(scenario)
    fixtures = fixtures_of(scenario)
    checks = check_recordings(fixtures.values())
    doubts = {name: check.doubts for name, check in checks.items() if check.doubts}
    check_load(scenario, workers=workforce.processes)
    recogniser = recogniser_asked_for(scenario)
    folder = create_run_folder(out, scenario.name, datetime.now(UTC))
    failure: Exception | None = None
    with ExitStack() as stack:
        stack.callback(discard_unused, folder)
        own = start_servers(scenario, stack)
        callees = callees_of(own.scenario, own.embedded)
        spec = RunSpec(
            own.scenario,
            callees[0].target,
            folder,
            folder.run_id,
            callees[0].books,
            fixtures,
            workforce,
            interleaved=callees if len(callees) > 1 else (),
        )
        watching = Watchers()
        stack.callback(watching.close)
        for open_watcher in watchers:
            watching.add(open_watcher(spec))
        dogs = watchdogs_of(spec)
        for dog in dogs:
            watching.add(dog)
        for exposure in exposures_of(scenario):
            watching.note(f"WARNING: {exposure}")
        for name, said in doubts.items():
            watching.note(f"warning: recording {name}: {'; '.join(said)}")
        run = prepare(spec, watching, command=command)
        run.manifest.recording_doubts = doubts
        run.manifest.recording_ends = recording_ends(fixtures, checks)
        _say_what_to_expect(run, watching)
        run.manifest.calls_began_at = datetime.now(UTC)
        stored.write_manifest(folder, run.manifest)
        try:
            all_guards: list[Guard] = [
                rows_are_kept,
                *(server_lives(each) for each in own.processes),
                nobody_answers(scenario.load),
                *dogs,
                *guards,
            ]
            reason = _conducted(run, all_guards, dogs, watching)
            if reason == SERVER_ENDED:
                run.manifest.losses += own.losses
        except Exception as error:
            reason, failure = CRASHED, error
            run.manifest.losses.append(f"the harness itself failed in mid-run: {type(error).__name__}: {error}")
    run.manifest.budget = next((dog.used for dog in dogs if isinstance(dog, BudgetGuard)), None)
    with finishing_first(f"bench report {folder.root}"):
        finished = with_reply_words(finish(run, reason), recogniser)
        # Pictures are a convenience: a disk that does not take them does not end a report.
        with suppress(OSError):
            draw_recordings(folder.root, fixtures, doubts)
        outcome = _report(finished)
    if failure is not None:
        failure.add_note(f"what was measured until then: {folder.report_html}")
        raise failure
    return outcome


def check_load(scenario: Scenario, *, workers: int) -> None:
    """Refuse a load that these workers cannot place."""
    check_file_limit(scenario.load, workers=workers)
    check_cap(scenario, workers=workers)


def check_file_limit(load: LoadConfig, *, workers: int) -> None:
    """Raise the limit on open files and refuse a load that cannot fit under it."""
    limit = raise_file_limit()
    most = shape_of(load).most_open()
    need = -(-(most or 1) // workers) + SPARE_FILES
    if need > limit:
        what = f"{most} calls at a time need" if most else "even one call at a time needs"
        raise BenchError(
            f"{what} about {need} open files in a process; the limit is {limit}",
            hint="raise it (ulimit -n), spread the load with --workers, or lower the number of callers",
        )


def check_cap(scenario: Scenario, *, workers: int) -> None:
    """Refuse a cap on open calls of which a target would have none in some worker process."""
    cap, need = scenario.load.max_open, len(scenario.targets) * workers
    if cap is not None and cap < need:
        raise BenchError(
            f"load.max_open = {cap} does not give each of {workers} workers a call for each of "
            f"{len(scenario.targets)} targets",
            hint=f"raise it to {need} or more, or take fewer --workers",
        )


def prepare(spec: RunSpec, watching: Watchers, *, command: Sequence[str] = ()) -> PreparedRun:
    """Make the workers ready and write the manifest of a running run.

    Ctrl-C and a request to terminate end it with `KeyboardInterrupt`; then nothing is left of the run.
    """
    manifest = _manifest(spec, command)
    # Raised in this greenlet and no other: Python would raise it in whichever runs, and Locust's swallow it.
    with on_interrupt(gevent.kill, gevent.getcurrent(), KeyboardInterrupt):
        workers = _ready_workers(spec, watching)
    if isinstance(workers, SearchWorkers):
        manifest.search, workers.keep = workers.record, lambda: stored.write_manifest(spec.folder, manifest)
    manifest.workers = workers.facts().anchors
    stored.write_manifest(spec.folder, manifest)
    take_reserve(spec.folder)
    return PreparedRun(spec, manifest, workers)


def finish(run: PreparedRun, stop_reason: str) -> Run:
    """Close the run folder: tables from the spool, and the manifest as finished."""
    facts, manifest = run.workers.facts(), run.manifest
    manifest.stop_reason = stop_reason
    manifest.workers, manifest.counts.workers = facts.anchors, facts.counts
    manifest.losses, manifest.health = [*manifest.losses, *facts.losses], facts.health
    manifest.notes = [*manifest.notes, *facts.notes]
    manifest.calls_recorded, manifest.recording_s = facts.recordings.written, round(facts.recordings.seconds, 3)
    finished = finish_or_keep(run.spec.folder, manifest)
    record = run.spec.scenario.record
    if record is not None and record.slowest is not None:
        keep_slowest(finished, record.slowest)
    return finished


def _conducted(run: PreparedRun, guards: Sequence[Guard], dogs: Sequence[Watchdog], watching: Watchers) -> str:
    """The word for why the run stopped; the sentence of whoever stopped it is in the manifest."""
    stops: list[Stop] = []
    reason = conduct(
        run.workers,
        [remember(guard, stops) for guard in guards],
        watching,
        graceful_stop_s=run.spec.scenario.load.graceful_stop_ms / 1000,
        seen=seen_by(dogs),
    )
    if reason == COMPLETED:
        stops += [stop for dog in dogs if (stop := dog.at_end()) is not None]
        reason = stops[-1].reason if stops else reason
    run.manifest.stop_sentence = stops[-1].sentence if stops else None
    return reason


def _say_what_to_expect(run: PreparedRun, watching: Watchers) -> None:
    """Name what will not hold before it is tried: a load that this machine cannot place, a limit on unknown prices."""
    spec, known = run.spec, run.manifest.calibration
    remark = capacity_remark(
        shape_of(spec.scenario.load).most_open(),
        frame_ms=spec.scenario.session.frame_ms,
        processes=spec.workforce.processes,
        cores=None if spec.workforce.remote else run.manifest.host.cores,
        known=known if isinstance(known, Calibration) else None,
    )
    for said in [*([] if remark is None else [remark]), *budget_remarks(spec)]:
        watching.note(said)
        run.manifest.notes.append(said)


def _ready_workers(spec: RunSpec, watching: Watchers) -> Workers:
    if spec.scenario.load.search is None:
        return _workers(spec, watching)
    planned = estimate(spec.scenario, spec.fixtures, spec.books)
    call_s = 60 * planned.minutes.mid / planned.calls.mid if planned.calls.mid else 0.0
    return SearchWorkers(spec, watching, crew=_Crew(), call_s=call_s)


class _Crew:
    """Workers of the levels of a search: processes stay from level to level."""

    def first(self, spec: RunSpec, listener: Watcher) -> Workers:
        return _workers(spec, listener, lasting=True)

    def again(self, workers: Workers, spec: RunSpec, listener: Watcher) -> Workers:
        if spec.workforce.in_this_process:
            return _workers(spec, listener)
        from bench.workers.master import Master

        assert isinstance(workers, Master)
        workers.again(spec)
        return workers

    def dismiss(self, workers: Workers) -> None:
        from bench.workers.master import Master

        if isinstance(workers, Master):
            workers.close()


def _workers(spec: RunSpec, watching: Watcher, *, lasting: bool = False) -> Workers:
    # Both import Locust, which patches the standard library: only a running load may do that.
    from bench.load.worker_run import WorkerRun
    from bench.workers.master import Master

    if spec.workforce.in_this_process:
        return WorkerRun(spec, watching)
    master = Master(spec, watching, lasting=lasting)
    if spec.workforce.remote:
        host, port = master.address
        watching.note(f"waiting for {spec.workforce.remote} workers on {host}:{port}")
    master.await_workers()
    return master


def _manifest(spec: RunSpec, command: Sequence[str]) -> stored.Manifest:
    scenario, host = spec.scenario, host_facts()
    own_book = stored.own_book(books_of(scenario))
    called = [_called(each, own_book) for each in spec.callees]
    used = [book for each in spec.callees for book in _books_used(each)]
    return stored.Manifest(
        run_id=spec.run_id,
        bench_version=__version__,
        scenario_name=scenario.name,
        scenario=expanded(as_written(scenario)),
        load_sentence=load_sentence(scenario.load, scenario.turns, list(scenario.targets)),
        seed=scenario.seed,
        command=list(command),
        started_at=datetime.now(UTC),
        python=platform.python_version(),
        libraries=library_versions(),
        git=git_state(Path.cwd()),
        host=host,
        target=called[0],
        targets=called,
        calibration=newest_calibration(host),
        price_books=[book for place, book in enumerate(used) if book not in used[:place]],
        own_price_book=own_book,
        estimate=_estimated(spec),
        metric_versions=metric_versions(),
        fixtures={fixture.id: fixture.sha256 for fixture in spec.fixtures.values()},
        notes=exposures_of(scenario),
    )


def _called(callee: Callee, shared: PriceBook | None) -> stored.CalledTarget:
    """What the manifest keeps of a target; its price book where that is not the one of all."""
    target, book = callee.target, stored.own_book(callee.books)
    return stored.CalledTarget(
        name=callee.name,
        url=None if target.cascade is not None else target.url,
        model=target.model if target.cascade is None else target.cascade.model,
        dialect=target.dialect,
        provider=target.provider_name,
        embedded=callee.scenario.target is None,
        own_price_book=book if book != shared else None,
    )


def _books_used(callee: Callee) -> list[stored.UsedPriceBook]:
    session, model = callee.scenario.session, callee.scenario.pricing.model or callee.target.model
    used, cascade = stored.UsedPriceBook, callee.target.cascade
    if cascade is not None:
        return [
            *used.used(model or cascade.llm.model, callee.books),
            *used.used_to_transcribe(model, cascade.stt.model, callee.books),
            *used.used_to_speak(cascade.tts.model, callee.books),
        ]
    if session.transcribes and session.transcription is not None:
        return used.used_to_transcribe(model, session.transcription.model, callee.books)
    return used.used(model, callee.books)


def _estimated(spec: RunSpec) -> stored.EstimatedCost:
    found = estimate(spec.scenario, spec.fixtures, spec.books)
    money = found.usd
    return stored.EstimatedCost(
        low_usd=money.low if money else None,
        usd=money.mid if money else None,
        high_usd=money.high if money else None,
        calls=found.calls.mid,
        minutes=found.minutes.mid,
        assumed=list(found.assumed),
    )


def _report(run: Run) -> FinishedRun:
    from bench.report.render import write_reports

    return FinishedRun(run.folder, write_reports(run))
