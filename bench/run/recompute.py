"""Measuring a stored run again, for a changed definition or a newer price book: no call is made.

In: a finished run folder with its raw timelines; out: new tables in it. The first time, the old tables are kept as
`*.as-run.parquet`. Prices are those that the run's scenario asked for, unless others are given.
Trap: a call without a stored timeline cannot be measured again and would lose its rows, so such a run is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import __version__
from bench.errors import BenchError
from bench.facts.timeline import Timeline
from bench.measure.metrics import metric_versions
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import Books, PriceBook, books_for
from bench.store.finish import replace_tables
from bench.store.manifest import Manifest, UsedPriceBook, write_manifest
from bench.store.reader import Run, iter_timelines, read_run


def recompute(path: Path, *, book: str | None = None, price_as: str | None = None) -> Run:
    """Measure every stored call of the run in `path` again and replace its tables.

    `book` and `price_as` come before the scenario's own `pricing:`. Raises `BenchError` when the run is not finished,
    calls are missing, or the scenario's price book cannot be found.
    """
    run = read_run(path)
    if run.manifest.state != "finished":
        raise BenchError(f"{path}: the run did not finish, so its tables are still rows", hint=f"bench report {path}")
    prices = _Prices.of(run.manifest, book, price_as)
    turns: list[TurnRecord] = []
    sessions: list[SessionRecord] = []
    for rows, session in _measured(path, run.manifest, prices):
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
    _note(run, prices)
    return read_run(path)


@dataclass(frozen=True, slots=True)
class _Prices:
    """The books that each call is priced with."""

    shared: Books
    by_target: Mapping[str, Books]
    """Of interleaved targets that have prices of their own."""

    @classmethod
    def of(cls, manifest: Manifest, book: str | None, price_as: str | None) -> _Prices:
        """What the run's scenario asked for; `book` and `price_as` come before it, for every target."""
        shared = _block(manifest.scenario, "pricing")
        own: dict[str, Books] = {}
        for target in manifest.targets:
            pricing = _block(_block(manifest.scenario, "targets").get(target.name or ""), "pricing")
            if target.name is not None and pricing:
                # The book of all targets is the run's own; that of this one was kept with it.
                kept = target.own_price_book or (None if pricing.get("book") else manifest.own_price_book)
                own[target.name] = _books(manifest, kept, {**shared, **pricing}, book, price_as)
        return cls(_books(manifest, manifest.own_price_book, shared, book, price_as), own)

    def of_call(self, target: str | None) -> Books:
        return self.by_target.get(target or "", self.shared)


def _block(data: object, name: str) -> dict[str, Any]:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _books(
    manifest: Manifest, kept: PriceBook | None, pricing: dict[str, Any], book: str | None, price_as: str | None
) -> Books:
    """The books that `pricing` names, of which `kept` was stored, with what is asked for now before them."""
    model, transcription_model = price_as or pricing.get("model"), pricing.get("transcription_model")
    chosen: str | PriceBook | None = book or kept or pricing.get("book")
    try:
        return books_for(chosen, model, transcription_model=transcription_model)
    except BenchError as error:
        if book or not isinstance(chosen, str):
            raise
        # An older run does not hold the book itself, and its name is relative to a scenario that may be elsewhere.
        raise BenchError(
            f"{manifest.run_id}: the run was priced with the book '{chosen}', which cannot be read from here ({error})",
            hint="name it with --book FILE, or a shipped one",
        ) from error


def _measured(path: Path, manifest: Manifest, prices: _Prices) -> Iterator[tuple[list[TurnRecord], SessionRecord]]:
    for timeline in iter_timelines(path):
        anchor = _anchor(manifest, timeline)
        books = prices.of_call(timeline.labels.target)
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


def _note(run: Run, prices: _Prices) -> None:
    manifest = run.manifest
    used: list[UsedPriceBook] = []
    for target in manifest.targets or [manifest.target]:
        books = prices.of_call(target.name)
        used += [each for each in UsedPriceBook.used(books.price_as or target.model, books) if each not in used]
    manifest.metric_versions = metric_versions()
    manifest.price_books = used or manifest.price_books
    line = f"measured again from the raw events by version {__version__}"
    if line not in manifest.notes:
        manifest.notes.append(line)
    write_manifest(run.folder, manifest)
