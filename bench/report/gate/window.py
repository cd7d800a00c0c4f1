"""Which earlier runs a run is judged by: those of the same kind that were sound, and why others were left out.

In: the run, and `last:7` or folders. Out: a `Window`: runs in the order in which they were made, and the skipped ones.
Trap: a run that was a regression itself must not become the measure of the next one, or a slow server is the new normal
within a week. Its `gate.json` says so; a change that was meant is accepted, and the window begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from bench.errors import BenchError
from bench.report.compare.comparison import allowed
from bench.report.compare.conditions import conditions
from bench.report.findings_differences import Condition
from bench.report.gate.findings import GateReport, Skipped
from bench.report.view import View, view_of
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, read_manifest
from bench.store.reader import read_run

GATE_JSON: Final = "gate.json"
MOST_RUNS = 60
"""More nights than this say little more, and each has to be read."""
JUDGED_RUNS = ("pass", "failed", "budget")
"""Verdicts of a run whose numbers describe the target, as far as it went."""
FAILED = "failed"
"""What `--allow` takes for runs that broke a threshold: an outage would widen the spread of all nights after it."""
_LAST = re.compile(r"last:(\d+)")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run of the window, with what differs between it and the run that is judged."""

    view: View
    conditions: list[Condition]

    def differs(self, metric: str) -> Condition | None:
        """What keeps `metric` from being compared with this run."""
        return next((each for each in self.conditions if each.level != "note" and each.touches(metric)), None)


@dataclass(slots=True)
class Window:
    """The runs to judge by, oldest first."""

    runs: list[Baseline] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    worse: list[str] = field(default_factory=list)
    """Measures that were not back in the newest run that the gate judged, of those before this one (`last:N` alone)."""


def window_of(run: View, baseline: Sequence[str], allow: Collection[str] = ()) -> Window:
    """The window that `baseline` says, as `last:N` or folders. Raises `BenchError` when it cannot be read."""
    last = _LAST.fullmatch(baseline[0]) if len(baseline) == 1 else None
    if last is not None and not 1 <= int(last[1]) <= MOST_RUNS:
        raise BenchError(f"--baseline {baseline[0]}: allowed: last:1 to last:{MOST_RUNS}", hint="usual is last:7")
    if last is not None:
        return _last(run, int(last[1]), allow)
    found = Window()
    folders = dict.fromkeys(each for text in baseline for each in _folders(text))
    for folder, manifest in _by_time(folders, found):
        if not _same(run, folder, manifest):
            _take(run, folder, manifest, found, allow)
    found.runs = found.runs[-MOST_RUNS:]
    return found


def _last(run: View, count: int, allow: Collection[str]) -> Window:
    """The newest `count` runs of the scenario that lie beside the run and were made before it."""
    found = Window()
    newest: GateReport | None = None
    beside = [each.parent for each in sorted(run.run.folder.root.resolve().parent.glob("*/run.json"))]
    for folder, manifest in reversed(list(_by_time(beside, found))):
        if manifest.scenario_name != run.run.manifest.scenario_name or _same(run, folder, manifest):
            continue
        if manifest.started_at >= run.run.manifest.started_at:
            continue
        outcome = stored_outcome(folder)
        _take(run, folder, manifest, found, allow)
        if newest is None and outcome is not None and outcome.run.verdict in JUDGED_RUNS:
            newest = outcome
        if len(found.runs) == count or (outcome is not None and outcome.accepted):
            break
    found.worse = [] if newest is None or newest.accepted else newest.not_back
    found.runs.reverse()
    found.skipped.reverse()
    return found


def _folders(text: str) -> list[Path]:
    """The run folders in the folder `text`, or itself if it is one."""
    root = Path(text)
    if not root.is_dir():
        hint = "allowed: last:N, a folder that holds run folders, or a run folder"
        raise BenchError(f"--baseline {text}: no such folder", hint=hint)
    if (root / "run.json").exists():
        return [root]
    found = sorted(each.parent for each in root.glob("*/run.json"))
    if not found:
        raise BenchError(
            f"--baseline {text}: holds no run folder (a folder with a run.json)",
            hint="name the folder in which the run folders lie, such as reports",
        )
    return found


def _by_time(folders: Collection[Path], found: Window) -> Iterator[tuple[Path, Manifest]]:
    """Folders with their manifests, oldest first; those that cannot be read are skipped with their reason."""
    read = []
    for folder in folders:
        try:
            read.append((folder, read_manifest(RunFolder(folder))))
        except BenchError as error:
            found.skipped.append(Skipped(folder=str(folder), run_id=folder.name, why=error.message))
    yield from sorted(read, key=lambda pair: pair[1].started_at)


def _same(run: View, folder: Path, manifest: Manifest) -> bool:
    return folder.resolve() == run.run.folder.root.resolve() or manifest.run_id == run.run.manifest.run_id


def _take(run: View, folder: Path, manifest: Manifest, found: Window, allow: Collection[str]) -> None:
    """Put a run into the window, or say why not."""
    why = _unsound(folder, manifest, allow)
    if why is None:
        try:
            stored = read_run(folder)
        except BenchError as error:
            why = error.message
        else:
            why = f"incomplete: {stored.reasons[0]}" if stored.incomplete else None
    if why is None:
        view = view_of(stored)
        differing = [each for each in conditions([view, run]) if not allowed(each, allow)]
        why = _other_kind(differing)
        if why is None:
            found.runs.append(Baseline(view, differing))
    if why is not None:
        found.skipped.append(Skipped(folder=str(folder), run_id=manifest.run_id, why=why))


def _unsound(folder: Path, manifest: Manifest, allow: Collection[str]) -> str | None:
    if manifest.verdict != "pass" and not (manifest.verdict == FAILED and FAILED in allow):
        because = f": {manifest.reasons[0]}" if manifest.reasons else ""
        advice = f" (--allow {FAILED})" if manifest.verdict == FAILED else ""
        return f"{manifest.verdict or 'not finished'}{because}{advice}"
    outcome = stored_outcome(folder)
    if outcome is not None and outcome.verdict == "regression" and not outcome.accepted:
        return "it was a regression itself (bench gate --accept takes it as the new normal)"
    if outcome is not None and outcome.not_back and not outcome.accepted:
        return "it had not recovered from a regression (bench gate --accept takes it as the new normal)"
    return None


def _other_kind(differing: Sequence[Condition]) -> str | None:
    """Why no figure of the run may be compared."""
    first = next((each for each in differing if each.level == "warn" and not each.metrics), None)
    if first is None:
        return None
    there, here = (value or "not said" for value in first.values)
    return f"not the same {first.title}: {there}, now {here} (--allow {first.key})"


def stored_outcome(folder: Path) -> GateReport | None:
    """What the gate said of a run when it was judged; None where it was not, or by another version."""
    try:
        return GateReport.model_validate_json((folder / GATE_JSON).read_bytes())
    except (OSError, ValidationError):
        return None
