"""The run of the same scenario and target that came before this one, where it lies beside it, and what changed since.

In: a `Run`. Out: a `Previous`, by the statistics of `bench compare`.
Trap: what lies beside a run may be anything; a folder that cannot be read is no reason to fail the report of this one.
A difference between two runs may also come from the hour and the network, which no interval knows.
"""

from __future__ import annotations

import os
from datetime import datetime
from itertools import islice
from pathlib import Path

import orjson

from bench.errors import BenchError
from bench.report.compare.comparison import compare
from bench.report.compare.matters import parse_matters
from bench.report.compare.measures import measures
from bench.report.findings_previous import Previous
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, read_manifest
from bench.store.reader import Run, read_run

MEASURES = (
    "first_audible_ms: p50",
    "first_audible_ms: p95",
    "ttft_ms: p50",
    "error_rate",
    "session_error_rate",
    "wer",
    "task_success",
    "cost_per_minute_usd",
)
MOST_FOLDERS = 50
"""So many folders beside the run are looked at, the newest first."""
MOST_TURNS = 50_000
"""In both runs: with more, the comparison takes longer than the report; `bench compare` makes it."""


def previous(run: Run) -> Previous | None:
    """None where no such run lies beside this one, or where nothing of the two may be compared."""
    if run.manifest.state != "finished" or run.manifest.search is not None:
        return None
    before = _before(run)
    if before is None or len(before.turns) + len(run.turns) > MOST_TURNS:
        return None
    try:
        found = compare([before, run], measures(MEASURES), parse_matters([]))
    except BenchError:
        return None
    rows = [row for pair in found.pairs for row in pair.rows]
    if not rows:
        return None
    folder = os.path.relpath(before.folder.root.resolve(), run.folder.root.resolve())
    return Previous(
        run_id=before.manifest.run_id,
        started_at=before.manifest.started_at,
        verdict=found.runs[0].verdict,
        folder=Path(folder).as_posix(),
        rows=rows,
        conditions=[each for each in found.conditions if each.level != "note"],
        warnings=found.warnings,
    )


def _before(run: Run) -> Run | None:
    """The newest finished run that began before this one, of the same scenario and targets."""
    for folder in islice(_beside(run.folder.root), MOST_FOLDERS):
        try:
            if not _may_precede(folder, run.manifest):
                continue
            kept = read_manifest(RunFolder(folder))
            if _precedes(kept, run.manifest):
                return read_run(folder, kept)
        except (BenchError, OSError, ValueError, LookupError, TypeError):
            continue
    return None


def _may_precede(folder: Path, manifest: Manifest) -> bool:
    """By a glance, which takes a tenth of the time that reading and checking all of a manifest does."""
    kept = orjson.loads(RunFolder(folder).manifest.read_bytes())
    return bool(
        kept["state"] == "finished"
        and kept["run_id"] != manifest.run_id
        and kept["scenario_name"] == manifest.scenario_name
        and datetime.fromisoformat(kept["started_at"]) < manifest.started_at
    )


def _beside(root: Path) -> list[Path]:
    """Other run folders in the same folder, those that were written last first."""
    try:
        stored = [(each / "run.json", each) for each in root.resolve().parent.iterdir() if each != root.resolve()]
        return [each for path, each in sorted(stored, key=lambda pair: -_written(pair[0])) if path.is_file()]
    except OSError:
        return []


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _precedes(kept: Manifest, manifest: Manifest) -> bool:
    def called(of: Manifest) -> list[tuple[object, ...]]:
        return [(each.provider, each.model, each.dialect) for each in of.targets or [of.target]]

    return (
        kept.state == "finished"
        and kept.search is None
        and kept.run_id != manifest.run_id
        and kept.started_at < manifest.started_at
        and kept.scenario_name == manifest.scenario_name
        and called(kept) == called(manifest)
    )
