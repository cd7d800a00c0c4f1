"""Ending a run: spool lines become parquet tables and a CSV, and the manifest says `finished`.

In: a run folder whose writers have closed, and its manifest. Out: the tables, and the run read back from them.
Trap: the order is the safety. Tables are written and their row counts verified, then the manifest is replaced, and
only then is the spool removed; a kill at any point leaves a folder that reads as what it is.
"""

from __future__ import annotations

import codecs
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from bench.errors import BenchError, ExitCode
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import conform, schema_of
from bench.store.concurrency import SESSION_COLUMNS, TURN_COLUMNS, Elsewhere, elsewhere, spooled_turns
from bench.store.folder import RunFolder
from bench.store.isolation import SESSION_COLUMNS as CALLS
from bench.store.isolation import TURN_COLUMNS as WORDS
from bench.store.isolation import marked, words_of_others
from bench.store.manifest import Manifest, write_manifest
from bench.store.parquet import parquet_file, parquet_writer, read_table, rows_in
from bench.store.prices import SERVED_COLUMNS, RunPrices, served_models
from bench.store.reader import Run, read_run
from bench.store.reserve import release_reserve
from bench.store.rows import Damage, spool_tables

_FORMULA = "^[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]"
"""How a text begins that a spreadsheet computes (also in full width), or trims until it begins so."""


def finish_run(folder: RunFolder, manifest: Manifest) -> Run:
    """Turn the spool into `turns.parquet`, `sessions.parquet` and `turns.csv`, and close the manifest.

    A run in which rows were damaged keeps its spool as evidence. Raises `BenchError` (incomplete) when a table
    does not hold the rows that were put into it, and `OSError` when the disk does not take it; the spool stays then.
    """
    return close_run(folder, manifest, write_tables(folder))


def write_tables(folder: RunFolder) -> list[str]:
    """Make `turns.parquet`, `sessions.parquet` and `turns.csv` of the spool; tell what was lost of it, in sentences.

    Raises as `finish_run` does.
    """
    release_reserve(folder)
    losses = []
    for what, path, record in (
        ("turn", folder.turns_parquet, TurnRecord),
        ("session", folder.sessions_parquet, SessionRecord),
    ):
        damage = Damage()
        _to_parquet(sorted(folder.spool.glob(f"*-{what}s.jsonl")), path, schema_of(record), damage)
        losses += damage.sentences(what)
    _join_workers(folder)
    _mark_cross_talk(folder)
    write_csv(folder)
    return losses


def close_run(folder: RunFolder, manifest: Manifest, losses: Sequence[str] = ()) -> Run:
    """Close the manifest of a run whose tables are written, and drop its spool where none of its rows was damaged."""
    _name_prices(folder, manifest)
    manifest.losses = [*manifest.losses, *losses]
    manifest.ended_at = manifest.ended_at or datetime.now(UTC)
    manifest.state = "finished"
    write_manifest(folder, manifest)
    if not losses and folder.spool.is_dir():
        shutil.rmtree(folder.spool)
    return read_run(folder.root)


def finish_or_keep(folder: RunFolder, manifest: Manifest) -> Run:
    """As `finish_run`; where the disk does not take the tables, the run as its rows are, to be finished later."""
    try:
        return finish_run(folder, manifest)
    except OSError as error:
        manifest.state = "running"
        # Tables of a run that is not finished are not read; their room is for the manifest.
        for table in (folder.turns_parquet, folder.sessions_parquet, folder.turns_csv):
            table.unlink(missing_ok=True)
        # The old manifest stays where not even this fits; it lacks the health and the reason of the stop.
        with suppress(OSError):
            write_manifest(folder, manifest)
        run = read_run(folder.root, manifest)
        run.reasons.insert(1, f"writing them failed: {error.strerror or error}")
        return run


def reopen(path: Path) -> Run:
    """The run in `path`; one that ended and whose tables did not fit is finished now, if they fit now."""
    run = read_run(path)
    if run.manifest.state == "running" and run.manifest.stop_reason is not None:
        return finish_or_keep(run.folder, run.manifest)
    return run


def replace_tables(folder: RunFolder, turns: list[TurnRecord], sessions: list[SessionRecord]) -> None:
    """Put newly measured rows in place of a finished run's tables, and its CSV with them."""
    measured = pa.Table.from_pylist([asdict(row) for row in turns], schema=schema_of(TurnRecord))
    calls = pa.Table.from_pylist([asdict(row) for row in sessions], schema=schema_of(SessionRecord))
    others = elsewhere([measured], [calls])
    if others is not None:
        measured = others.added_to(measured)
    measured, calls = marked(measured, calls)
    for path, table in ((folder.turns_parquet, measured), (folder.sessions_parquet, calls)):
        with _replacing(path) as part, parquet_writer(part, table.schema) as writer:
            writer.write_table(table)
    write_csv(folder)


def change_turns(folder: RunFolder, columns: Mapping[str, Mapping[tuple[str, int], Any]]) -> None:
    """Put new values into a finished run's table of turns, by (session id, turn), and into its CSV."""
    table = conform(read_table(folder.turns_parquet), schema_of(TurnRecord))
    rows = list(zip(*(table.column(name).to_pylist() for name in ("session_id", "turn")), strict=True))
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        field, old = table.schema.field(at), table.column(at).to_pylist()
        new = [values.get(row, before) for row, before in zip(rows, old, strict=True)]
        table = table.set_column(at, field, pa.array(new, type=field.type))
    _write_parquet(folder.turns_parquet, table.schema, [table])
    write_csv(folder)


def write_csv(folder: RunFolder, *, from_spool: bool = False, into: Path | None = None) -> None:
    """`turns.csv`, or `into`, from the turn rows, batch by batch; null is an empty field, an empty text is `""`.

    The file begins with a byte order mark, or Excel would read it in the encoding of its own machine.
    """
    path = into or folder.turns_csv
    schema = schema_of(TurnRecord)
    with _replacing(path) as part:
        if from_spool:
            _csv(part, schema, [spooled_turns(folder, Damage())])
        elif folder.turns_parquet.exists():
            with parquet_file(folder.turns_parquet) as table:
                _csv(part, table.schema_arrow, table.iter_batches())
        else:
            _csv(part, schema, ())


def write_frame_csv(turns: pd.DataFrame, into: Path) -> None:
    """The same of turn rows that were changed after they were read."""
    schema = schema_of(TurnRecord)
    with _replacing(into) as part:
        _csv(part, schema, [pa.Table.from_pandas(turns[schema.names], schema=schema, preserve_index=False)])


def _join_workers(folder: RunFolder) -> None:
    """Count the calls of all workers in the rows of each; the tables are there, and stay so if this is cut off."""
    turns, sessions = folder.turns_parquet, folder.sessions_parquet
    others = elsewhere(
        [read_table(turns, TURN_COLUMNS)],
        [read_table(sessions, SESSION_COLUMNS)],
    )
    if others is not None:
        with parquet_file(turns) as table:
            _write_parquet(turns, table.schema_arrow, _joined(table, others))


def _mark_cross_talk(folder: RunFolder) -> None:
    """Turns with words of another call; the tables are read whole only where there are any."""
    turns, sessions = folder.turns_parquet, folder.sessions_parquet
    if not words_of_others(read_table(turns, WORDS), read_table(sessions, CALLS)):
        return
    tables = marked(read_table(turns), read_table(sessions))
    for path, table in zip((turns, sessions), tables, strict=True):
        _write_parquet(path, table.schema, [table])


def _name_prices(folder: RunFolder, manifest: Manifest) -> None:
    """The books that rows were priced with, where only the server said which model it is."""
    served = served_models(read_table(folder.sessions_parquet, SERVED_COLUMNS))
    with suppress(BenchError):  # a book that went away since: then those that were known before the run stay
        found = RunPrices.wanted(manifest).used_as_served(manifest, served)
        manifest.price_books += [each for each in found if each not in manifest.price_books]


def _joined(table: pyarrow.parquet.ParquetFile, others: Elsewhere) -> Iterator[pa.Table]:
    first = 0
    for batch in table.iter_batches():
        yield others.added_to(pa.Table.from_batches([batch]), first)
        first += batch.num_rows


def _csv(path: Path, schema: pa.Schema, tables: Iterable[pa.Table | pa.RecordBatch]) -> None:
    with path.open("wb") as file:
        file.write(codecs.BOM_UTF8)
        with pyarrow.csv.CSVWriter(file, schema) as writer:
            for table in tables:
                writer.write(_inert(table))


def _inert(table: pa.Table | pa.RecordBatch) -> pa.Table:
    """The rows with an apostrophe before each text that a spreadsheet would compute; numbers stay numbers."""
    columns = [_without_formulas(table.column(index)) for index in range(table.num_columns)]
    return pa.table(columns, schema=table.schema)


def _without_formulas(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.match_substring_regex(column, _FORMULA), pc.binary_join_element_wise("'", column, ""), column)


def _to_parquet(sources: list[Path], path: Path, schema: pa.Schema, damage: Damage) -> None:
    _write_parquet(path, schema, spool_tables(sources, schema, damage))


def _write_parquet(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    rows = 0
    with _replacing(path) as part:
        with parquet_writer(part, schema) as writer:
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
        stored = rows_in(part)
        if stored != rows:
            raise BenchError(
                f"{path}: holds {stored} rows of {rows}",
                hint=f"the rows are still in {path.parent / 'spool'}; check the disk, then render the folder again",
                exit_code=ExitCode.INCOMPLETE,
            )


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place once it is whole, and leaves no trace when it is not."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
