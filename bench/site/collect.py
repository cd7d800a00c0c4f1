"""All runs of a folder as digests: what was made before is kept, new runs are read by several processes.

In: a `History` and the file of an earlier build. Out: digests, oldest first, and what could not be read.
Trap: a digest belongs to the files that it was made from. Their sizes and times stand in its signature, and a run that
was measured again is read again.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from pydantic import ValidationError

from bench.errors import BenchError
from bench.report.findings_parts import Part
from bench.site.digest import DIGEST_VERSION, RunDigest
from bench.site.history import History, StoredRun
from bench.site.measure_run import digest_of

FEW = 40
"""Runs that one process reads sooner than others would be started."""
SELDOM = 50_000
"""New objects between two collections of a reader."""
SIGNED = ("run.json", "turns.parquet", "sessions.parquet", "gate.json", "report.html")


class Kept(Part):
    """The file beside the pages."""

    digest_version: int = DIGEST_VERSION
    runs: list[RunDigest]


@dataclass(slots=True)
class Collected:
    """Every run of the folder. `unread` are folder names with the reason."""

    runs: list[RunDigest] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


def collect(history: History, kept: Sequence[RunDigest] = ()) -> Collected:
    """A digest for each run, oldest first."""
    known = {each.signature: each for each in kept}
    signed = [(run, signature_of(run.folder)) for run in history.runs]
    new = [(run, signature) for run, signature in signed if signature not in known]
    made: dict[str, RunDigest | str] = {}
    workers = min(len(os.sched_getaffinity(0)), 4)
    if len(new) <= FEW or workers < 2:
        made = {signature: _made(run, signature) for run, signature in new}
    else:
        # Tables are made and dropped by the thousand, and none is part of a circle: collecting them seldom saves time.
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=gc.set_threshold, initargs=(SELDOM,)
        ) as pool:
            found = pool.map(_made, *zip(*new, strict=True), chunksize=8)
            made = dict(zip((signature for _, signature in new), found, strict=True))
    collected = Collected(unread=dict(history.unreadable))
    for run, signature in signed:
        digest = known.get(signature) or made[signature]
        if isinstance(digest, str):
            collected.unread[run.folder.name] = digest
        else:
            collected.runs.append(digest)
    return collected


def _made(run: StoredRun, signature: str) -> RunDigest | str:
    try:
        return digest_of(run, signature)
    except BenchError as error:
        return error.message


def signature_of(folder: Path) -> str:
    """Name, size and time of each file that a digest is made from."""
    parts = [folder.name]
    for name in SIGNED:
        try:
            stat = (folder / name).stat()
        except OSError:
            continue
        parts.append(f"{name}:{stat.st_size}:{stat.st_mtime_ns}")
    return "|".join(parts)


def read_kept(path: Path) -> list[RunDigest]:
    """The digests of an earlier build; none where there was none, or of another version."""
    try:
        found = Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return []
    return found.runs if found.digest_version == DIGEST_VERSION else []


def kept_text(runs: Sequence[RunDigest]) -> str:
    """The file to be read by the next build."""
    return Kept(runs=list(runs)).model_dump_json() + "\n"
