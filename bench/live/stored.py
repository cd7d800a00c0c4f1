"""A run folder as the page shows it: rows from the spool while the run goes on, and its verdict when there is one.

In: arrow tables of rows, or a manifest. Out: a `Run` with what is there, whose numbers `snapshot` counts.
Trap: words of another call are looked for at the end alone: that takes all rows, and longer than all the counting.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from bench.report.phrases import meaning_of
from bench.store.columns import pandas_type
from bench.store.folder import RunFolder
from bench.store.isolation import marked
from bench.store.manifest import Manifest, read_manifest
from bench.store.reader import Run, read_run


def run_of(folder: RunFolder, manifest: Manifest, tables: tuple[pa.Table, pa.Table], *, last: bool = False) -> Run:
    """The run as these rows of turns and calls have it; `last`: there will be no more."""
    turns, sessions = marked(*tables) if last else tables
    return Run(folder, manifest, _frame(turns), _frame(sessions), not last, [])


def ended_run_of(folder: RunFolder, tables: tuple[pa.Table, pa.Table]) -> Run:
    """The run when its last call has ended, by its spool, or by its tables where those are written.

    The spool may be gone before each of its files was opened. Raises `BenchError` when it is not a run folder.
    """
    manifest = read_manifest(folder)
    return read_run(folder.root) if manifest.state == "finished" else run_of(folder, manifest, tables, last=True)


def verdict_of(manifest: Manifest) -> dict[str, Any] | None:
    """The verdict of a run that was reported; None before."""
    if manifest.verdict is None:
        return None
    return {
        "name": manifest.verdict,
        "exit_code": manifest.exit_code,
        "meaning": meaning_of(manifest.verdict, several=len(manifest.targets) > 1),
        "reasons": manifest.reasons,
    }


def _frame(table: pa.Table) -> pd.DataFrame:
    """The table in pandas; unlike the store's own way, the table stays usable."""
    found: pd.DataFrame = table.to_pandas(types_mapper=pandas_type)
    return found
