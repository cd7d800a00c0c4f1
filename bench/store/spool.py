"""Appending what a worker sees, row by row, so that a killed run keeps every row it had.

In: turn and session rows, timelines. Out: `spool/<worker>-*.jsonl` and `events/<worker>.jsonl.gz`.
Trap: each row is one unbuffered write of a whole line, and each timeline one whole gzip member; a buffer or a single
long gzip stream would lose its tail with the process.
"""

from __future__ import annotations

import gzip
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bench.facts.timeline import Timeline, timeline_to_dict
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.folder import RunFolder

# The quickest level: the writer shares its core with the pacing of audio.
_GZIP_LEVEL = 1
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class SpoolWriter:
    """The one writer of one worker's files; not for use by two processes at once."""

    def __init__(self, folder: RunFolder, worker: str) -> None:
        folder.spool.mkdir(parents=True, exist_ok=True)
        folder.events.mkdir(parents=True, exist_ok=True)
        self.worker = worker
        self.turns_written = 0
        self.sessions_written = 0
        self._turns = _open(folder.spool_turns(worker))
        self._sessions = _open(folder.spool_sessions(worker))
        self.events_path = folder.events_of(worker)
        self._events = _open(self.events_path)

    def turn(self, record: TurnRecord) -> None:
        """Append one turn row; it is with the kernel when this returns."""
        _append(self._turns, _line(record))
        self.turns_written += 1

    def session(self, record: SessionRecord) -> None:
        """Append one session row; it is with the kernel when this returns."""
        _append(self._sessions, _line(record))
        self.sessions_written += 1

    def timeline(self, timeline: Timeline) -> None:
        """Append one call's raw events as a gzip member of its own."""
        line = _line(timeline_to_dict(timeline))
        _append(self._events, gzip.compress(line, compresslevel=_GZIP_LEVEL, mtime=0))

    def timelines(self, members: bytes) -> None:
        """Append whole gzip members that another process made with `timeline`."""
        _append(self._events, members)

    def close(self) -> None:
        for stream in (self._turns, self._sessions, self._events):
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _open(path: Path) -> FileIO:
    return FileIO(path, "a")


def _line(value: TurnRecord | SessionRecord | dict[str, Any]) -> bytes:
    """One line of JSON. Text from outside may hold half a surrogate pair, which is not JSON: it is replaced."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        plain = value if isinstance(value, dict) else asdict(value)
        return orjson.dumps(_writable(plain), option=_OPTIONS)


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    return value


def _append(stream: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.write(view) or 0 :]
