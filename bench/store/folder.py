"""Names of the files of one run, and the making of its folder.

In: a path, or the scenario's name and the time. Out: a `RunFolder` that knows where everything lies.
Trap: names are the contract of other people's scripts (design of the run folder): add, never rename; and two runs
must never be mixed in one folder, so a folder that already holds one is refused, not emptied.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import BenchError
from bench.terminal import readable

REPORTS = Path("reports")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run; every path below it is named here and nowhere else."""

    root: Path

    @property
    def run_id(self) -> str:
        """The folder's own name, which is also the run's identity in every row."""
        return readable([self.root.resolve().name])[0]

    @property
    def manifest(self) -> Path:
        return self.root / "run.json"

    @property
    def turns_parquet(self) -> Path:
        return self.root / "turns.parquet"

    @property
    def sessions_parquet(self) -> Path:
        return self.root / "sessions.parquet"

    @property
    def turns_csv(self) -> Path:
        return self.root / "turns.csv"

    @property
    def spool(self) -> Path:
        """Rows of a run that is under way or was killed; gone once the parquet files are verified."""
        return self.root / "spool"

    @property
    def reserve(self) -> Path:
        """Space set aside for the end of the run (`bench.store.reserve`)."""
        return self.root / ".reserve"

    @property
    def events(self) -> Path:
        return self.root / "events"

    @property
    def recorded_calls(self) -> Path:
        """Calls that were kept as sound, `call-000012.wav` for call number 12."""
        return self.root / "calls"

    @property
    def summary_json(self) -> Path:
        return self.root / "summary.json"

    @property
    def report_html(self) -> Path:
        return self.root / "report.html"

    @property
    def report_md(self) -> Path:
        return self.root / "report.md"

    @property
    def step_summary_md(self) -> Path:
        return self.root / "step-summary.md"

    @property
    def junit_xml(self) -> Path:
        return self.root / "junit.xml"

    def spool_turns(self, worker: str) -> Path:
        return self.spool / f"{file_part(worker)}-turns.jsonl"

    def spool_sessions(self, worker: str) -> Path:
        return self.spool / f"{file_part(worker)}-sessions.jsonl"

    def events_of(self, worker: str) -> Path:
        return self.events / f"{file_part(worker)}.jsonl.gz"

    def holds_a_run(self) -> bool:
        """Whether any file that a run leaves behind is here."""
        marks = (self.manifest, self.turns_parquet, self.sessions_parquet, self.spool, self.events, self.summary_json)
        return any(mark.exists() for mark in marks)


def file_part(name: str) -> str:
    """`name` as it may stand in a file name: letters, digits, `.`, `_` and `-`, never empty, never hidden."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"


def create_run_folder(out: Path | None, scenario_name: str, now: datetime) -> RunFolder:
    """Make the folder for a new run: `out` exactly as given, else `reports/<UTC time>-<scenario>/`.

    A folder may hold other files (a log that the caller redirects there), but not another run.
    Raises `BenchError` when it does, or when it cannot be made or written.
    """
    if out is not None:
        folder = RunFolder(out)
        _make(folder)
        if folder.holds_a_run():
            raise BenchError(
                f"{out}: this folder already holds a run",
                hint=f"name another folder with --out, remove this one, or read it with: bench report {out}",
            )
        return folder
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    base = f"{stamp}-{file_part(scenario_name)}"
    for attempt in range(1, 1000):
        folder = RunFolder(REPORTS / (base if attempt == 1 else f"{base}-{attempt}"))
        if not folder.root.exists():
            _make(folder)
            return folder
    raise BenchError(f"{REPORTS / base}: too many runs of this name in one second", hint="name a folder with --out")


def discard_unused(folder: RunFolder) -> None:
    """Take away what a run left that ended before it began, so that its folder can be named again.

    Only files without a row and folders without a file go; anything else is left as it is.
    """
    if folder.manifest.exists():
        return
    folder.reserve.unlink(missing_ok=True)
    for part in (folder.spool, folder.events):
        for file in part.glob("*") if part.is_dir() else ():
            if file.is_file() and file.stat().st_size == 0:
                file.unlink()
    for place in (folder.spool, folder.events, folder.root):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _make(folder: RunFolder) -> None:
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise BenchError(f"{folder.root}: is a file, not a folder", hint="name a folder with --out") from None
    except OSError as error:
        raise BenchError(
            f"{folder.root}: cannot be made ({error.strerror})", hint="name a folder you may write with --out"
        ) from error
    if not os.access(folder.root, os.W_OK | os.X_OK):
        raise BenchError(f"{folder.root}: cannot be written", hint="name a folder you may write with --out")


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `path` so that a reader sees the old content or the new, never half of it."""
    payload = data.encode() if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(payload)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files private; a report is read by others as any file made here would be.
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
