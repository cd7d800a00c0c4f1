"""`bench run` from a loaded scenario to an exit code: server, folder, calls, drain, report.

In: a scenario and options; out: a run folder and the verdict. Trap: whatever happens after the first row - Ctrl-C,
a dead target, a crash of our own - the folder is finished and reported as what it is.
"""

from __future__ import annotations

import platform
import signal
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import gevent

from bench import __version__
from bench.errors import BenchError, ExitCode
from bench.load.embedded import EmbeddedServer, start_embedded
from bench.load.factory import fixtures_of
from bench.load.live import View, make_view
from bench.load.worker import WorkerRun
from bench.pricing.book import Books, book_of, books_for
from bench.scenario.load import expanded
from bench.scenario.model import Scenario
from bench.scenario.target import Target
from bench.store import manifest as stored
from bench.store.environment import git_state, host_facts, library_versions
from bench.store.finish import finish_run
from bench.store.folder import RunFolder, create_run_folder

if TYPE_CHECKING:
    from rich.console import Console

    from bench.report.summary import Summary

TICK_S = 0.2


@dataclass(slots=True)
class Stop:
    """Why and how firmly the run is to stop; set by signals and by the run itself."""

    reason: str | None = None
    presses: int = 0

    def interrupt(self) -> None:
        """Ctrl-C or a termination request: first gently, then at once."""
        self.presses += 1
        self.reason = "interrupted"


@dataclass(slots=True)
class Outcome:
    """What `bench run` ends with."""

    folder: RunFolder
    summary: Summary
    exit_code: int
    notes: list[str] = field(default_factory=list)


def run_scenario(scenario: Scenario, *, out: Path | None, command: list[str], console: Console) -> Outcome:
    """Run `scenario` in this process and report. Raises `BenchError` for what is wrong before the first call."""
    fixtures = fixtures_of(scenario)
    server: EmbeddedServer | None = None
    target = scenario.target
    if target is not None and target.url is None:
        raise BenchError("the target has no url", hint="add target.url to the scenario, or give --url")
    folder = create_run_folder(out, scenario.name, datetime.now(UTC))
    try:
        if target is None:
            console.print("starting the embedded server ...", highlight=False)
            server = start_embedded()
            target = server.target
        books = books_for(scenario.pricing.book, scenario.pricing.model, base=scenario.base)
        worker = WorkerRun(scenario, target, folder, run_id=folder.run_id, books=books)
        manifest = _manifest(scenario, target, folder, command, worker, embedded=server is not None)
        manifest.price_books = _books_used(scenario, target, books)
        manifest.fixtures = {fixture.id: fixture.sha256 for fixture in fixtures.values()}
        stored.write_manifest(folder, manifest)
        view = make_view(console, scenario.name)
        manifest.stop_reason = _play(worker, view)
    finally:
        if server is not None:
            server.stop()
    _count(manifest, worker)
    return _report(folder, manifest)


def _play(worker: WorkerRun, view: View) -> str:
    """Run the calls to their end; why they ended."""
    stop = Stop()
    previous = [gevent.signal_handler(number, stop.interrupt) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        worker.start()
        _until_admission_ends(worker, view, stop)
        worker.admit_no_more()
        _until_calls_end(worker, view, stop)
        worker.drain()
    finally:
        for handler in previous:
            handler.cancel()
        view.update(worker.progress())
        view.close()
    return stop.reason or "completed"


def _until_admission_ends(worker: WorkerRun, view: View, stop: Stop) -> None:
    while not worker.finished and not worker.admission_over and stop.reason is None:
        if worker.nobody_answers:
            stop.reason = "unreachable"
            view.note("no call has got through: giving up early")
            return
        view.update(worker.progress())
        worker.playing.done.wait(TICK_S)


def _until_calls_end(worker: WorkerRun, view: View, stop: Stop) -> None:
    """Open calls finish within `graceful_stop`; a second Ctrl-C ends them at once."""
    deadline = time.monotonic() + worker.scenario.load.graceful_stop_ms / 1000
    if stop.presses:
        view.note("stopping: open calls may finish; press Ctrl-C again to hang up now")
    pressed = stop.presses
    while not worker.finished:
        unreachable = stop.reason == "unreachable"
        if stop.presses > max(1, pressed) or time.monotonic() >= deadline or unreachable:
            worker.hang_up()
            return
        view.update(worker.progress())
        worker.playing.done.wait(TICK_S)


def _books_used(scenario: Scenario, target: Target, books: Books) -> list[stored.PriceBook]:
    book = book_of(scenario.pricing.model or target.model, books)
    if book is None:
        return []
    return [stored.PriceBook(name=book.book, date=str(book.date), example=book.label is not None, source=book.vendor)]


def _manifest(
    scenario: Scenario,
    target: Target,
    folder: RunFolder,
    command: list[str],
    worker: WorkerRun,
    *,
    embedded: bool,
) -> stored.Manifest:
    return stored.Manifest(
        run_id=folder.run_id,
        bench_version=__version__,
        scenario_name=scenario.name,
        scenario=expanded(scenario),
        seed=scenario.seed,
        command=command,
        started_at=datetime.now(UTC),
        python=platform.python_version(),
        libraries=library_versions(),
        git=git_state(Path.cwd()),
        host=host_facts(),
        target=stored.Target(
            url=target.url,
            model=target.model,
            dialect=target.dialect,
            provider=target.provider_name,
            embedded=embedded,
        ),
        workers={
            worker.name: stored.WorkerAnchor(
                monotonic_ns=worker.anchor.monotonic_ns, unix_s=worker.anchor.unix_s, pid=worker.pid
            )
        },
        notes=[],
    )


def _count(manifest: stored.Manifest, worker: WorkerRun) -> None:
    spool = worker.spool
    manifest.counts.workers[worker.name] = stored.WorkerCounts(
        turns_sent=spool.turns_written,
        turns_received=spool.turns_written,
        sessions_sent=spool.sessions_written,
        sessions_received=spool.sessions_written,
    )
    manifest.health["dropped_arrivals"] = worker.playing.dropped
    manifest.health["most_open_sessions"] = worker.recorder.most_open_sessions


def _report(folder: RunFolder, manifest: stored.Manifest) -> Outcome:
    from bench.report.render import write_reports

    run = finish_run(folder, manifest)
    summary = write_reports(run)
    return Outcome(folder, summary, int(summary.verdict.exit_code or ExitCode.PASS))
