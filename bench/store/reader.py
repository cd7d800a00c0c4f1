"""Reading a run back: a finished one, a killed one, one of an older version.

In: a run folder. Out: a `Run` whose tables have every column of the row classes with its own type.
Trap: a run is complete only when that was proved: finished, every worker's count matched, no row damaged or twice;
otherwise `incomplete` is true and `reasons` says why, in sentences for the reader.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pandas as pd
import pyarrow as pa

from bench.errors import BenchError
from bench.facts.timeline import Timeline
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import RowClass, conform, schema_of, to_frame
from bench.store.concurrency import spooled_turns
from bench.store.folder import RunFolder
from bench.store.isolation import marked
from bench.store.manifest import Manifest, read_manifest
from bench.store.older import read_timeline
from bench.store.parquet import read_table
from bench.store.rows import Damage, spool_tables

_READ_BYTES = 1 << 20
_GZIP_WRAPPER = 31
_NO_TABLES = "the tables of the run could not be written; these are the rows as they were kept"


@dataclass(slots=True)
class Run:
    """A stored run: one frame row per turn and per session, in order of arrival."""

    folder: RunFolder
    manifest: Manifest
    turns: pd.DataFrame
    sessions: pd.DataFrame
    incomplete: bool
    reasons: list[str]


def read_run(path: Path, manifest: Manifest | None = None) -> Run:
    """The run in folder `path`. Raises `BenchError` when it is not a run folder or a table cannot be read.

    `manifest` is what is known of it where that is more than the stored one says.
    """
    folder = RunFolder(path)
    manifest = manifest or read_manifest(folder)
    reasons: list[str] = []
    if manifest.state == "running":
        ended = manifest.stop_reason is not None
        reasons.append(_NO_TABLES if ended else "the run was killed or is still under way")
    from_spool = reads_spool(folder, manifest)
    tables = {}
    for what, parquet, record in (
        ("turn", folder.turns_parquet, TurnRecord),
        ("session", folder.sessions_parquet, SessionRecord),
    ):
        table, said = _table(folder, parquet, record, what, from_spool=from_spool)
        tables[what] = table
        del table
        reasons += said
    if from_spool:
        tables["turn"], tables["session"] = marked(tables["turn"], tables["session"])
    frames = {what: to_frame(tables.pop(what)) for what in list(tables)}
    reasons += manifest.losses
    if manifest.state == "finished":
        reasons += _disagreements(manifest, frames["turn"], frames["session"])
    reasons += _duplicates(frames["turn"], frames["session"])
    return Run(folder, manifest, frames["turn"], frames["session"], bool(reasons), reasons)


def reads_spool(folder: RunFolder, manifest: Manifest) -> bool:
    """Whether the rows to be trusted are still in the spool: they are until the manifest says `finished`."""
    return manifest.state == "running" and folder.spool.is_dir()


def iter_timelines(path: Path) -> Iterator[Timeline]:
    """Every stored call of the run, worker by worker; a file cut off by a kill gives the calls before the cut.

    Raises `BenchError` when a whole line is not a timeline.
    """
    for file in sorted(RunFolder(path).events.glob("*.jsonl.gz")):
        for line in _members(file):
            try:
                yield read_timeline(orjson.loads(line))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise BenchError(f"{file}: a stored call cannot be read ({error})") from error


def _table(
    folder: RunFolder, parquet: Path, record: RowClass, what: str, *, from_spool: bool
) -> tuple[pa.Table, list[str]]:
    schema = schema_of(record)
    if from_spool:
        damage = Damage()
        if record is TurnRecord:
            return spooled_turns(folder, damage), damage.sentences(what)
        parts = list(spool_tables(sorted(folder.spool.glob(f"*-{what}s.jsonl")), schema, damage))
        return pa.concat_tables([schema.empty_table(), *parts]), damage.sentences(what)
    if not parquet.exists():
        return schema.empty_table(), [f"{parquet.name} is missing"] if folder.manifest.exists() else []
    try:
        return conform(read_table(parquet), schema), []
    except (pa.ArrowException, OSError) as error:
        raise BenchError(
            f"{parquet}: cannot be read ({error})", hint="copy the run folder again from where it was made"
        ) from error


def _disagreements(manifest: Manifest, turns: pd.DataFrame, sessions: pd.DataFrame) -> list[str]:
    said = [
        f"worker {name} never confirmed its rows" for name in manifest.workers if name not in manifest.counts.workers
    ]
    for name, counts in manifest.counts.workers.items():
        for what, frame, sent, received in (
            ("turn", turns, counts.turns_sent, counts.turns_received),
            ("session", sessions, counts.sessions_sent, counts.sessions_received),
        ):
            kept = int((frame["worker"] == name).sum())
            if sent is None:
                said.append(f"worker {name} never confirmed how many {what} rows it had; {kept} are here")
            elif sent != kept:
                said.append(f"worker {name} wrote {sent} {what} rows and {kept} are here")
            elif received is not None and received != sent:
                said.append(f"worker {name} sent {sent} {what} rows and {received} arrived")
    orphans = int((~turns["session_id"].isin(sessions["session_id"])).sum())
    if orphans:
        said.append(f"{orphans} turns belong to calls that have no session row")
    return said


def _duplicates(turns: pd.DataFrame, sessions: pd.DataFrame) -> list[str]:
    said = []
    for what, frame, keys in (("turn", turns, ["session_id", "turn"]), ("session", sessions, ["session_id"])):
        twice = int(frame[keys].duplicated().sum())  # with the keys as words it walks all columns
        if twice:
            said.append(f"{twice} {what} rows are here twice")
    return said


def _members(file: Path) -> Iterator[bytes]:
    """The content of each whole gzip member; a truncated or damaged last one is left out."""
    with file.open("rb") as stream:
        data = stream.read(_READ_BYTES)
        while data:
            inflater = zlib.decompressobj(_GZIP_WRAPPER)
            content = bytearray()
            try:
                while data and not inflater.eof:
                    content += inflater.decompress(data)
                    data = stream.read(_READ_BYTES) if not inflater.eof else b""
            except zlib.error:
                return
            if not inflater.eof:
                return
            yield bytes(content)
            data = inflater.unused_data or stream.read(_READ_BYTES)
