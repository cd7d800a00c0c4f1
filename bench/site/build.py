"""Building the site: stored runs are read, pages are written into a folder that needs nothing else.

In: a folder of runs and one for the site. Out: the files written.
Trap: only files that an earlier build wrote are ever removed (pages of runs that are gone); whatever else lies in the
folder is left alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.site.collect import Collected, collect, kept_text, read_kept
from bench.site.config import SiteConfig
from bench.site.digest import RunDigest
from bench.site.history import History
from bench.site.measure_run import FILES
from bench.site.pages import pages, site_of
from bench.site.windows import WORSE

DIGESTS = "digests.json"
COPIED = "stored"
"""The folder of the site that holds copies of the runs' files."""
OWN_FOLDERS = ("runs", "targets")


@dataclass(frozen=True, slots=True)
class Built:
    """What was made."""

    pages: int
    runs: int
    targets: int
    regressions: int
    unread: dict[str, str]


def build(
    reports: Path,
    history: History,
    out: Path,
    config: SiteConfig,
    *,
    copy: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Built:
    """Write the site of `reports` into `out`. `copy`: the files that pages link to are copied into the site.

    Raises `BenchError` when `out` cannot be written or is the folder of runs itself.
    """
    if out.resolve() == reports.resolve():
        raise BenchError(f"--out {out}: is the folder of the runs", hint="name another folder, such as site")
    try:
        for folder in (out, *(out / name for name in OWN_FOLDERS)):
            folder.mkdir(parents=True, exist_ok=True)
        found = collect(history, read_kept(out / DIGESTS))
        say(f"{len(found.runs)} runs read")
        (out / DIGESTS).write_text(kept_text(found.runs), encoding="utf-8")
        way = COPIED if copy else _way(out, reports)
        if copy:
            _copy(reports, found, out / COPIED)
        site = site_of(config, found.runs, found.unread, way)
        written = set()
        for name, text in pages(site):
            _write(out / name, text)
            written.add(out / name)
        _forget(out, written)
    except OSError as error:
        raise BenchError(
            f"{out}: cannot be written ({error.strerror})", hint="name a folder you may write with --out"
        ) from error
    newest = [series.newest for series in site.series]
    return Built(
        pages=len(written),
        runs=len(found.runs),
        targets=len(site.cards),
        regressions=sum(night.state in WORSE for night in newest),
        unread=found.unread,
    )


def _way(out: Path, reports: Path) -> str:
    """The path from the site to the folder of runs, as in an address."""
    return Path(os.path.relpath(reports.resolve(), out.resolve())).as_posix()


def _write(path: Path, text: str) -> None:
    """A page that is the same is left as it is, so that a publisher need not send it again."""
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        return
    path.write_bytes(data)


def _forget(out: Path, written: set[Path]) -> None:
    """Remove pages of runs and targets that are gone."""
    for name in OWN_FOLDERS:
        for page in (out / name).glob("*.html"):
            if page not in written:
                page.unlink()


def _copy(reports: Path, found: Collected, into: Path) -> None:
    into.mkdir(exist_ok=True)
    for run in found.runs:
        _copy_run(reports / run.folder, run, into / run.folder)
    kept = {run.folder for run in found.runs}
    for folder in into.iterdir():
        if folder.name not in kept and folder.is_dir() and not folder.is_symlink():
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def _copy_run(source: Path, run: RunDigest, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for name in run.files:
        target = into / name
        if not target.exists() or target.stat().st_mtime_ns < (source / name).stat().st_mtime_ns:
            shutil.copy2(source / name, target)
