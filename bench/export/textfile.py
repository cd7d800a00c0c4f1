"""A file for node_exporter's textfile collector: a run as its report has it.

In: a stored run and its summary. Out: the file, replaced in one step. Trap: node_exporter reads it whenever it likes,
also months later; `voicebench_end_timestamp_seconds` says how old it is.
"""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.export.stored import stored_series
from bench.report.findings import Summary
from bench.store.folder import write_atomic
from bench.store.reader import Run


def write_textfile(path: Path, run: Run, summary: Summary) -> None:
    """Write `path`. Raises `BenchError` when the disk does not take it."""
    from bench.export.prometheus import text_of

    try:
        write_atomic(path, text_of(stored_series(run, summary)))
    except OSError as error:
        raise BenchError(
            f"--prometheus-textfile {path}: cannot be written ({error.strerror or error})",
            hint=f"the run is kept; write the file later: bench export {run.folder.root} --prometheus-textfile {path}",
        ) from error
