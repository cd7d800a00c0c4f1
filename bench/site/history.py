"""The stored runs of a folder: which there are, which may go, and their rows in one file.

In: a folder of run folders. Out: a list, and what to remove by age and count. Nothing is removed here but by `remove`.
Trap: a run is kept while either rule keeps it (young enough, or among the newest of its scenario). A run that never
finished may still be under way, and one that was accepted by the gate begins later windows: both stay.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from bench.errors import BenchError
from bench.measure.records import SessionRecord, TurnRecord
from bench.report.gate.window import stored_outcome
from bench.store.columns import RowClass, conform, schema_of
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, read_manifest
from bench.store.parquet import read_table


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run folder with its manifest. `gate` is what the gate said of it; None where it was not asked."""

    folder: Path
    manifest: Manifest
    gate: str | None = None
    accepted: bool = False

    @property
    def verdict(self) -> str:
        """`pass`, ..., or `not finished` for a run that is under way or was killed."""
        return self.manifest.verdict or ("not finished" if self.manifest.state == "running" else "no verdict")

    @property
    def targets(self) -> list[str]:
        """Names of the targets; of a run without names, their models."""
        called = self.manifest.targets or [self.manifest.target]
        return [each.name or each.model or "no name" for each in called]


@dataclass(slots=True)
class History:
    """Runs, oldest first, and folders that hold a manifest which cannot be read, with the reason."""

    runs: list[StoredRun] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def read_history(reports: Path) -> History:
    """Every run folder in `reports`. Raises `BenchError` where there is no such folder, or no run in it."""
    if not reports.is_dir():
        raise BenchError(f"{reports}: no such folder", hint="name the folder in which run folders lie, such as reports")
    found = History()
    for path in sorted(reports.glob("*/run.json")):
        folder = path.parent
        try:
            manifest = read_manifest(RunFolder(folder))
        except BenchError as error:
            found.unreadable[folder.name] = error.message
            continue
        outcome = stored_outcome(folder)
        found.runs.append(
            StoredRun(
                folder,
                manifest,
                None if outcome is None else outcome.verdict,
                outcome is not None and outcome.accepted,
            )
        )
    if not found.runs and not found.unreadable:
        hint = "make one with: bench run SCENARIO"
        if (reports / "run.json").exists():
            hint = f"this is a run folder; name the folder that holds it: {reports.resolve().parent}"
        raise BenchError(f"{reports}: holds no run folder (a folder with a run.json)", hint=hint)
    found.runs.sort(key=lambda each: (each.manifest.started_at, each.manifest.run_id))
    return found


def to_prune(
    runs: Sequence[StoredRun], now: datetime, *, older_than_days: float | None = None, keep: int | None = None
) -> list[StoredRun]:
    """The runs that neither rule keeps, oldest first.

    `keep`: so many of the newest finished runs of each scenario stay, whatever their age. At least one rule is given.
    """
    if older_than_days is None and keep is None:
        raise ValueError("an age, a count, or both")
    newest = _among_newest(runs, keep or 0)
    return [
        run
        for run in runs
        if run.manifest.state == "finished"
        and not run.accepted
        and run.folder not in newest
        and (older_than_days is None or now - run.manifest.started_at > timedelta(days=older_than_days))
    ]


def _among_newest(runs: Sequence[StoredRun], keep: int) -> set[Path]:
    seen: Counter[str] = Counter()
    newest = set()
    for run in sorted(runs, key=lambda each: each.manifest.started_at, reverse=True):
        if run.manifest.state == "finished" and seen[run.manifest.scenario_name] < keep:
            seen[run.manifest.scenario_name] += 1
            newest.add(run.folder)
    return newest


def remove(run: StoredRun) -> None:
    """Delete the run folder and all that is in it. Raises `BenchError` where that cannot be."""
    if run.folder.is_symlink():
        raise BenchError(f"{run.folder}: a link to a folder is not removed", hint="remove the link by hand")
    try:
        shutil.rmtree(run.folder)
    except OSError as error:
        raise BenchError(f"{run.folder}: cannot be removed ({error.strerror})") from error


def size_bytes(folder: Path) -> int:
    """What the files of a run folder take."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


ROWS: dict[str, tuple[str, RowClass]] = {
    "turns": ("turns.parquet", TurnRecord),
    "sessions": ("sessions.parquet", SessionRecord),
}


def rows_of(run: StoredRun, what: str) -> pa.Table | None:
    """The rows of a finished run with every column of this version; None where it has no table.

    `run_id` is that of the manifest, so that rows of a folder which was copied and renamed still tell their run.
    """
    name, record = ROWS[what]
    path = run.folder / name
    if not path.exists():
        return None
    schema = schema_of(record)
    try:
        table = conform(read_table(path), schema).select(schema.names)
    except (pa.ArrowException, OSError) as error:
        raise BenchError(f"{path}: cannot be read ({error})", hint="copy the run folder again") from error
    place = table.schema.get_field_index("run_id")
    return table.set_column(place, "run_id", pa.array([run.manifest.run_id] * table.num_rows, pa.string()))
