"""Many runs as one table: figures of each run and target, or the rows of all of them.

In: stored runs. Out: one Parquet or CSV file. Trap: a figure that was not measured is an empty field, and a median of
which too many turns were never answered is infinite (`inf`), not empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from bench.errors import BenchError
from bench.site.digest import RunDigest, TargetDigest
from bench.site.history import ROWS, StoredRun, rows_of
from bench.store.columns import schema_of

WHATS = ("runs", *ROWS)
SUFFIXES = (".parquet", ".csv")
_TEXT = ("run_id", "folder", "scenario", "verdict", "gate", "target", "model", "host", "dialect", "transport")
_OTHER_TEXT = ("frame", "region", "load", "headline")
_COUNTS = ("calls", "good_calls", "turns", "answered")


def figures_table(runs: Sequence[tuple[RunDigest, str | None]], measures: Sequence[str]) -> pa.Table:
    """A row for each run and target, oldest first; each run with what the gate said of it.

    `measures` are the columns of figures; each has a `_low` and a `_high` beside it.
    """
    rows = [_row(run, gate, target, measures) for run, gate in runs for target in run.targets]
    columns = [(name, pa.string()) for name in (*_TEXT, *_OTHER_TEXT)]
    columns.insert(3, ("started_at", pa.timestamp("us", tz="UTC")))
    columns += [(name, pa.int64()) for name in _COUNTS]
    columns += [(f"{column_of(each)}{end}", pa.float64()) for each in measures for end in ("", "_low", "_high")]
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def column_of(measure: str) -> str:
    """`first_audible_ms_p50` of `first_audible_ms: p50`."""
    return measure.replace(": ", "_")


def measures_in(runs: Iterable[RunDigest]) -> list[str]:
    """Every measure that any target of any run has, in the order in which they come."""
    return list(dict.fromkeys(name for run in runs for target in run.targets for name in target.figures))


def _row(run: RunDigest, gate: str | None, target: TargetDigest, measures: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run_id": run.run_id,
        "folder": run.folder,
        "scenario": run.scenario,
        "started_at": run.started_at,
        "verdict": run.verdict,
        "gate": gate,
        "target": target.name,
        "model": target.model,
        "host": target.where,
        "dialect": target.dialect,
        "transport": target.transport,
        "frame": run.frame,
        "region": run.region,
        "load": run.load,
        "headline": target.headline,
        **{name: getattr(target, name) for name in _COUNTS},
    }
    for measure in measures:
        seen = target.figures.get(measure)
        if seen is not None:
            name = column_of(measure)
            row |= {name: seen.value, f"{name}_low": seen.low, f"{name}_high": seen.high}
    return row


def all_rows(runs: Iterable[StoredRun], what: str, unread: dict[str, str]) -> Iterator[pa.Table]:
    """The turns or sessions of each run, one table after the other; `unread` gets the folders without, and why."""
    for run in runs:
        if run.manifest.state != "finished":
            unread[run.folder.name] = "the run is not finished"
            continue
        try:
            table = rows_of(run, what)
        except BenchError as error:
            unread[run.folder.name] = error.message
            continue
        if table is None:
            unread[run.folder.name] = f"has no {ROWS[what][0]}"
        else:
            yield table


def write_tables(path: Path, tables: Iterable[pa.Table], schema: pa.Schema | None = None) -> int:
    """Write one file, table by table; returns the number of rows. Raises `BenchError`.

    `schema` is for the file that has no table.
    """
    if path.suffix not in SUFFIXES:
        raise BenchError(f"{path}: found '{path.suffix}'; allowed: {' or '.join(SUFFIXES)}", hint="history.parquet")
    rows = 0
    part = path.with_name(f".{path.name}.part")
    try:
        with ExitStack() as stack:
            file = stack.enter_context(part.open("wb"))
            writer = None
            for table in tables:
                writer = writer or stack.enter_context(_writer(file, path.suffix, table.schema))
                writer.write_table(table)
                rows += table.num_rows
            if writer is None and schema is not None:
                stack.enter_context(_writer(file, path.suffix, schema))
        part.replace(path)
    except OSError as error:
        raise BenchError(f"{path}: cannot be written ({error.strerror})", hint="name another file") from error
    finally:
        part.unlink(missing_ok=True)
    return rows


def _writer(file: Any, suffix: str, schema: pa.Schema) -> Any:
    if suffix == ".csv":
        return pyarrow.csv.CSVWriter(file, schema)
    return pyarrow.parquet.ParquetWriter(file, schema, compression="zstd")


def schema_for(what: str) -> pa.Schema:
    """The columns of `turns` or `sessions`."""
    return schema_of(ROWS[what][1])
