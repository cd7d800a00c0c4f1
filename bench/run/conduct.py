"""`bench run` from a loaded scenario to an exit code: server, folder, calls, drain, report.

In: a scenario and options; out: a run folder and the verdict. Trap: whatever happens after the first row - Ctrl-C,
a dead target, a crash of our own - the folder is finished and reported as what it is.
"""

from __future__ import annotations

import platform
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import gevent

from bench import __version__
from bench.audio.catalogue import Fixture
from bench.errors import BenchError, ExitCode
from bench.load.factory import fixtures_of
from bench.load.health_probe import raise_file_limit
from bench.pricing.book import Books, books_for
from bench.run.embedded import EmbeddedServer, start_embedded
from bench.run.page import WebAddress, WebPage
from bench.run.screen import View, make_view
from bench.scenario.model import Load, Scenario
from bench.scenario.read import expanded
from bench.scenario.target import Target
from bench.store import manifest as stored
from bench.store.calibration import newest_calibration
from bench.store.environment import git_state, host_facts, library_versions
from bench.store.finish import finish_run
from bench.store.folder import RunFolder, create_run_folder, discard_unused
from bench.workers.interface import Crew, SoloCrew

if TYPE_CHECKING:
    from rich.console import Console

    from bench.report.model import Summary

TICK_S = 0.2
HIRE_TIMEOUT_S = 60.0
SPARE_FILES = 128
"""Open files of a process besides its calls: libraries, the spool, the event loop, pipes."""


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


@dataclass(frozen=True, slots=True)
class Workforce:
    """Who makes the calls: this process (the default), `local` processes of its own, `remote` ones that come to it."""

    local: int = 0
    remote: int = 0
    bind_host: str = "127.0.0.1"
    bind_port: int = 0

    @property
    def hired(self) -> bool:
        """Whether others than this process make the calls."""
        return self.local + self.remote > 0

    @property
    def processes(self) -> int:
        return max(1, self.local + self.remote)


def run_scenario(
    scenario: Scenario,
    *,
    out: Path | None,
    command: list[str],
    console: Console,
    workforce: Workforce | None = None,
    web: WebAddress | None = None,
) -> Outcome:
    """Run `scenario` and report; `web` shows it on a page meanwhile.

    Raises `BenchError` for what is wrong before the first call.
    """
    workforce = workforce or Workforce()
    if workforce.remote and scenario.target is None:
        raise BenchError(
            "the scenario has no target, and workers on other machines cannot reach the embedded server here",
            hint="name a target in the scenario, or give --url with an address that every worker can reach",
        )
    fixtures = fixtures_of(scenario)
    check_file_limit(scenario.load, workers=workforce.processes)
    folder = create_run_folder(out, scenario.name, datetime.now(UTC))
    server: EmbeddedServer | None = None
    page: WebPage | None = None
    target = scenario.target
    try:
        if web is not None:
            page = _open_page(web, scenario, folder, workforce, console)
        if target is None:
            console.print("starting the embedded server ...", highlight=False)
            server = start_embedded()
            target = server.target
        books = books_for(scenario.pricing.book, scenario.pricing.model, base=scenario.base)
        manifest = _manifest(scenario, target, folder, command, embedded=server is not None)
        newest = newest_calibration(manifest.host)
        manifest.calibration = newest.model_dump(mode="json") if newest is not None else None
        manifest.price_books = _books_used(scenario, target, books)
        manifest.fixtures = {fixture.id: fixture.sha256 for fixture in fixtures.values()}
        with _interruptible():
            crew = _hire(scenario, target, folder, books, fixtures, workforce, console, page)
        manifest.workers = crew.facts().anchors
        stored.write_manifest(folder, manifest)
        view = make_view(console, scenario.name)
        manifest.stop_reason = _play(crew, scenario, view if page is None else page.view(view, crew, target.url or "-"))
    finally:
        if page is not None:
            page.stop()
        if server is not None:
            server.stop()
        discard_unused(folder)
    facts = crew.facts()
    manifest.workers, manifest.counts.workers = facts.anchors, facts.counts
    manifest.losses, manifest.health = facts.losses, facts.health
    return _report(folder, manifest)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Before the first call, Ctrl-C and a request to terminate end the preparations with `KeyboardInterrupt`.

    Raised in this greenlet and no other: Python would raise it in whichever runs, and Locust's swallow it.
    """
    waiting = gevent.getcurrent()
    handlers = [
        gevent.signal_handler(number, gevent.kill, waiting, KeyboardInterrupt)
        for number in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()


def _open_page(
    web: WebAddress, scenario: Scenario, folder: RunFolder, workforce: Workforce, console: Console
) -> WebPage:
    """The page of this run, served already, and its address told."""
    report = folder.root / "report.html"
    page = WebPage(web, title=scenario.name, run_id=folder.run_id, report=report, distributed=workforce.hired)
    console.print(f"web page: {page.url}", markup=False, highlight=False, soft_wrap=True)
    return page


def _hire(
    scenario: Scenario,
    target: Target,
    folder: RunFolder,
    books: Books,
    fixtures: dict[str, Fixture],
    workforce: Workforce,
    console: Console,
    page: WebPage | None,
) -> Crew:
    """The callers of this run, ready to begin; `page` is told of each turn and call that ends."""
    on_turn, on_session = (None, None) if page is None else (page.turn, page.session)
    if not workforce.hired:
        return SoloCrew(
            scenario, target, folder, run_id=folder.run_id, books=books, on_turn=on_turn, on_session=on_session
        )
    from bench.workers.master import MasterCrew

    crew = MasterCrew(
        scenario,
        target,
        folder,
        run_id=folder.run_id,
        books=books,
        fixtures=fixtures,
        local=workforce.local,
        remote=workforce.remote,
        bind_host=workforce.bind_host,
        bind_port=workforce.bind_port,
        on_turn=on_turn,
        on_session=on_session,
    )
    if workforce.remote:
        host, port = crew.address
        console.print(f"waiting for {workforce.remote} workers on {host}:{port}", highlight=False)
    crew.await_workers(None if workforce.remote else HIRE_TIMEOUT_S)
    return crew


def check_file_limit(load: Load, *, workers: int) -> None:
    """Raise the limit on open files and refuse a load that cannot fit under it."""
    limit = raise_file_limit()
    most = load.callers if load.arrival == "closed" else (load.max_open or 0)
    need = -(-most // workers) + SPARE_FILES
    if need > limit:
        raise BenchError(
            f"{most} calls at a time need about {need} open files in a process; the limit is {limit}",
            hint="raise it (ulimit -n), spread the load with --workers, or lower the number of callers",
        )


def _play(crew: Crew, scenario: Scenario, view: View) -> str:
    """Run the calls to their end; why they ended."""
    stop = Stop()
    previous = [gevent.signal_handler(number, stop.interrupt) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        crew.start()
        _until_admission_ends(crew, view, stop)
        crew.admit_no_more()
        _until_calls_end(crew, scenario, view, stop)
        crew.drain()
    finally:
        for handler in previous:
            handler.cancel()
        view.update(crew.progress())
        view.close()
    return stop.reason or "completed"


def _until_admission_ends(crew: Crew, view: View, stop: Stop) -> None:
    while not crew.finished and not crew.admission_over and stop.reason is None:
        if crew.nobody_answers:
            stop.reason = "unreachable"
            view.note("no call has got through: giving up early")
            return
        view.update(crew.progress())
        crew.wait(TICK_S)


def _until_calls_end(crew: Crew, scenario: Scenario, view: View, stop: Stop) -> None:
    """Open calls finish within `graceful_stop`; a second Ctrl-C ends them at once."""
    deadline = time.monotonic() + scenario.load.graceful_stop_ms / 1000
    told = False
    while not crew.finished:
        if stop.presses and not told:
            told = True
            view.note("stopping: open calls may finish; press Ctrl-C again to hang up now")
        if stop.presses > 1 or time.monotonic() >= deadline or stop.reason == "unreachable":
            crew.hang_up()
            return
        view.update(crew.progress())
        crew.wait(TICK_S)


def _books_used(scenario: Scenario, target: Target, books: Books) -> list[stored.PriceBook]:
    book = books.book_of(scenario.pricing.model or target.model)
    if book is None:
        return []
    return [stored.PriceBook(name=book.book, date=str(book.date), example=book.label is not None, source=book.vendor)]


def _manifest(
    scenario: Scenario,
    target: Target,
    folder: RunFolder,
    command: list[str],
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
    )


def _report(folder: RunFolder, manifest: stored.Manifest) -> Outcome:
    from bench.report.render import write_reports

    run = finish_run(folder, manifest)
    summary = write_reports(run)
    return Outcome(folder, summary, int(summary.verdict.exit_code or ExitCode.PASS))
