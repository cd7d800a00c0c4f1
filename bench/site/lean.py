"""A stored run with the few columns that the site needs, and a part of it that holds one target alone.

In: a run folder and its manifest. Out: a `Run`. Reading a tenth of the columns takes a tenth of the time, and a site is
built from a thousand runs.
Trap: whether rows are missing is not asked again. The stored verdict says it, and a run that it calls incomplete has no
figures on the site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import BenchError
from bench.measure.metrics import headline_latencies
from bench.measure.records import SessionRecord, TurnRecord
from bench.report.view import equals
from bench.store.columns import RowClass, conform, schema_of
from bench.store.folder import RunFolder
from bench.store.manifest import CalledTarget, Manifest
from bench.store.parquet import parquet_file
from bench.store.reader import Run

LATENCIES = tuple(dict.fromkeys([*(metric.name for metric in headline_latencies()), "endpoint_ms", "barge_in_stop_ms"]))
"""Every latency that may stand for a target, and two more."""
_COMMON = ("session_id", "session_index", "warmup", "status", "target", "transport", "error_kind")
TURN_COLUMNS = (
    *_COMMON,
    "client_late",
    "error_message",
    "phase",
    "fixture",
    "accent",
    "condition",
    *LATENCIES,
    "text_tokens_per_s",
    "stalls",
    "hits",
    "substitutions",
    "deletions",
    "insertions",
    "wer_raw",
    "wer_whisper",
    "reference_chars",
    "char_errors",
    "normaliser",
    "expect_pass",
)
SESSION_COLUMNS = (
    *_COMMON,
    "error_message",
    "phase",
    "gap_ms",
    "http_status",
    "session_ready_ms",
    "duration_ms",
    "cost_usd",
)

FLAGS = ("warmup", "client_late")
"""A flag that is null is not set."""
FEW_VALUES = ("target", "transport", "error_kind", "phase", "accent", "condition")
"""Texts of few kinds, as categories: comparing and choosing rows takes a tenth of the time."""


def read_lean(folder: Path, manifest: Manifest, more: Sequence[str] = ()) -> Run:
    """The run in `folder`, with the columns that the figures are made of and `more` of the turns.

    Raises `BenchError` when a table cannot be read; a table that is missing has no rows.
    """
    run = RunFolder(folder)
    turns = _frame(run.turns_parquet, TurnRecord, (*TURN_COLUMNS, *(each for each in more if each not in TURN_COLUMNS)))
    return Run(run, manifest, turns, _frame(run.sessions_parquet, SessionRecord, SESSION_COLUMNS), False, [])


def _frame(path: Path, record: RowClass, columns: Sequence[str]) -> pd.DataFrame:
    whole = schema_of(record)
    schema = pa.schema([whole.field(name) for name in dict.fromkeys(columns)])
    if not path.exists():
        return _compact(schema.empty_table())
    try:
        with parquet_file(path) as file:
            there = [name for name in schema.names if file.schema_arrow.get_field_index(name) >= 0]
            # One thread: a run is small, and several runs are read at the same time.
            table = conform(file.read(there, use_threads=False), schema)
    except (pa.ArrowException, OSError) as error:
        raise BenchError(f"{path}: cannot be read ({error})", hint="copy the run folder again") from error
    return _compact(table)


def _compact(table: pa.Table) -> pd.DataFrame:
    """Numbers as floats, which lie together in memory, so that a part of the rows is chosen at once."""
    columns = []
    for name in table.schema.names:
        column = table.column(name)
        if name in FLAGS:
            columns.append(pc.fill_null(column, False))
        elif name in FEW_VALUES:
            columns.append(column.dictionary_encode())
        elif pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
            columns.append(
                column.cast(pa.int8() if pa.types.is_boolean(column.type) else column.type).cast(pa.float64())
            )
        else:
            columns.append(column)
    frame: pd.DataFrame = pa.table(columns, names=table.schema.names).to_pandas(
        types_mapper=lambda kind: pd.StringDtype("pyarrow") if pa.types.is_string(kind) else None
    )
    # Of some hundred rows, plain objects are looked for in a list sooner than categories are.
    frame["status"] = frame["status"].astype(object)
    return frame


def targets_of(manifest: Manifest) -> list[CalledTarget]:
    """Every target that the run called."""
    return manifest.targets or [manifest.target]


def part_of(run: Run, target: CalledTarget) -> Run:
    """The rows of one target, and a manifest that knows no other."""
    manifest = run.manifest.model_copy(update={"target": target, "targets": [target]})
    if len(targets_of(run.manifest)) < 2:
        return replace(run, manifest=manifest)
    turns, sessions = (frame[equals(frame, "target", target.name or "-")] for frame in (run.turns, run.sessions))
    return replace(run, manifest=manifest, turns=turns.reset_index(drop=True), sessions=sessions.reset_index(drop=True))
