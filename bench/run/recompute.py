"""Measuring a stored run again, for a changed definition or a newer price book: no call is made.

In: a finished run folder with its raw timelines; out: new tables in it. The first time, the old tables are kept as
`*.as-run.parquet`. Prices are those that the run's scenario asked for, unless others are given.
Trap: a call without a stored timeline cannot be measured again and would lose its rows, so such a run is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench import __version__
from bench.errors import BenchError
from bench.facts.timeline import Timeline
from bench.measure.metrics import metric_versions
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.reply_words import with_reply_words
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.run.reply_words import heard_replies
from bench.store.finish import replace_tables
from bench.store.manifest import Manifest, write_manifest
from bench.store.prices import RunPrices
from bench.store.reader import Run, iter_timelines, read_run


def recompute(path: Path, *, book: str | None = None, price_as: str | None = None) -> Run:
    """Measure every stored call of the run in `path` again and replace its tables.

    `book` and `price_as` come before the scenario's own `pricing:`. Raises `BenchError` when the run is not finished,
    calls are missing, or the scenario's price book cannot be found.
    """
    run = read_run(path)
    if run.manifest.state != "finished":
        raise BenchError(f"{path}: the run did not finish, so its tables are still rows", hint=f"bench report {path}")
    prices = RunPrices.wanted(run.manifest, book, price_as)
    listened = heard_replies(run)
    turns: list[TurnRecord] = []
    sessions: list[SessionRecord] = []
    for rows, session in _measured(path, run.manifest, prices):
        turns += [with_reply_words(row, listened.get((row.session_id, row.turn))) for row in rows]
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
    _note(run, prices, sessions)
    return read_run(path)


def _measured(path: Path, manifest: Manifest, prices: RunPrices) -> Iterator[tuple[list[TurnRecord], SessionRecord]]:
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


def _note(run: Run, prices: RunPrices, sessions: list[SessionRecord]) -> None:
    manifest = run.manifest
    manifest.metric_versions = metric_versions()
    served = {(row.target, row.server_model) for row in sessions if row.server_model}
    manifest.price_books = prices.used(manifest, sorted(served, key=str)) or manifest.price_books
    line = f"measured again from the raw events by version {__version__}"
    if line not in manifest.notes:
        manifest.notes.append(line)
    write_manifest(run.folder, manifest)
