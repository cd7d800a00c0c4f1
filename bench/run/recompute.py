"""Measuring a stored run again: raw timelines in, new tables out. An edge, like the command line.

For a changed definition or a newer price book: no call is made again. The tables of the run as it was go to
`*.as-run.parquet` the first time. Trap: a call without a stored timeline cannot be measured again, so its
rows would be lost; such a run is refused, not shortened.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench import __version__
from bench.errors import BenchError
from bench.facts.timeline import Timeline
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import Books, books_for
from bench.store.finish import replace_tables
from bench.store.manifest import Manifest, PriceBook, write_manifest
from bench.store.reader import Run, iter_timelines, read_run


def recompute(path: Path, *, book: str | None = None, price_as: str | None = None) -> Run:
    """Measure every stored call of the run in `path` again and replace its tables.

    `book` and `price_as` re-price it. Raises `BenchError` when the run is not finished or calls are missing.
    """
    run = read_run(path)
    if run.manifest.state != "finished":
        raise BenchError(f"{path}: the run did not finish, so its tables are still rows", hint=f"bench report {path}")
    books = books_for(book, price_as)
    turns: list[TurnRecord] = []
    sessions: list[SessionRecord] = []
    for rows, session in _measured(path, run.manifest, books):
        turns += rows
        sessions.append(session)
    if len(sessions) != len(run.sessions):
        raise BenchError(
            f"{path}: {len(run.sessions)} calls have rows and {len(sessions)} have a timeline in events/",
            hint="copy the whole run folder, or report the run as it is (without --recompute)",
        )
    for table in (run.folder.turns_parquet, run.folder.sessions_parquet):
        kept = table.with_suffix(".as-run.parquet")
        if not kept.exists():
            shutil.copy2(table, kept)
    replace_tables(run.folder, turns, sessions)
    _note(run, books)
    return read_run(path)


def _measured(path: Path, manifest: Manifest, books: Books) -> Iterator[tuple[list[TurnRecord], SessionRecord]]:
    for timeline in iter_timelines(path):
        anchor = _anchor(manifest, timeline)
        rows = [
            measure_turn(timeline, turn, wall_anchor=anchor, book=books) for turn in timeline.turns if turn_ended(turn)
        ]
        yield rows, measure_session(timeline, rows, anchor, book=books)


def _anchor(manifest: Manifest, timeline: Timeline) -> WallAnchor:
    anchor = manifest.workers.get(timeline.labels.worker)
    if anchor is None:
        raise BenchError(
            f"run.json has no clock anchor for worker {timeline.labels.worker!r}", hint="the manifest was changed"
        )
    return WallAnchor(monotonic_ns=anchor.monotonic_ns, unix_s=anchor.unix_s)


def _note(run: Run, books: Books) -> None:

    manifest = run.manifest
    found = books.book_of(manifest.target.model)
    if found is not None:
        manifest.price_books = [
            PriceBook(name=found.book, date=str(found.date), example=found.label is not None, source=found.vendor)
        ]
    line = f"measured again from the raw events by version {__version__}"
    if line not in manifest.notes:
        manifest.notes.append(line)
    write_manifest(run.folder, manifest)
