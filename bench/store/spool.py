"""Appending what a worker sees, row by row, so that a killed run keeps every row it had.

In: turn and session rows, timelines. Out: `spool/<worker>-*.jsonl` and `events/<worker>.jsonl.gz`, and what could not
be kept. Trap: a call must never end because of its row. A row that the disk does not take waits in memory and is tried
again; one that cannot be kept is a loss that makes the run incomplete.
"""

from __future__ import annotations

import gzip
from collections import deque
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bench.facts.timeline import Timeline, timeline_to_dict
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.folder import RunFolder
from bench.store.reserve import release_reserve

# The quickest level: the writer shares its core with the pacing of audio.
_GZIP_LEVEL = 1
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
# Columns are int64: an integer beyond 53 bits is looked at before it is written. No row holds nanoseconds.
_ROW_OPTIONS = _OPTIONS | orjson.OPT_STRICT_INTEGER
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(slots=True)
class Unkept:
    """Rows or calls of one kind that could not be kept, and the first reason."""

    count: int = 0
    reason: str = ""

    def add(self, reason: str, count: int = 1) -> None:
        self.count += count
        self.reason = self.reason or reason


class _AppendOnly:
    """One file that grows by whole pieces, unbuffered; a piece that does not fit leaves no part of it."""

    def __init__(self, path: Path) -> None:
        self._stream = FileIO(path, "a")
        self._size = self._stream.seek(0, 2)
        self.waiting: deque[bytes] = deque()
        """Pieces that the disk did not take, in order."""

    def append(self, data: bytes) -> None:
        """Write `data` after what waits. Raises `OSError` when the disk does not take it; then it waits."""
        self.waiting.append(data)
        self.retry()

    def retry(self) -> None:
        """Write what waits. Raises `OSError` at the first piece that does not fit."""
        while self.waiting:
            self._write(self.waiting[0])
            self.waiting.popleft()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._stream.write(view) or 0 :]
        except OSError:
            # Half a line would spoil the next one too.
            self._stream.truncate(self._size)
            raise
        self._size += len(data)

    def close(self) -> None:
        self._stream.close()


class SpoolWriter:
    """The one writer of one worker's files; not for use by two processes at once. Its methods never raise."""

    def __init__(self, folder: RunFolder, worker: str) -> None:
        folder.spool.mkdir(parents=True, exist_ok=True)
        folder.events.mkdir(parents=True, exist_ok=True)
        self.worker = worker
        self.turns_written = 0
        self.sessions_written = 0
        self.failure: str | None = None
        """Why the disk stopped taking rows, from the first time on; None while it takes them."""
        self._folder = folder
        self._turns = _AppendOnly(folder.spool_turns(worker))
        self._sessions = _AppendOnly(folder.spool_sessions(worker))
        self.events_path = folder.events_of(worker)
        self._events = _AppendOnly(self.events_path)
        self._unkept: dict[str, Unkept] = {}

    def turn(self, record: TurnRecord) -> None:
        """Append one turn row; it is with the kernel when this returns, or waits for room."""
        if self._row(self._turns, record, "turn row(s)"):
            self.turns_written += 1

    def session(self, record: SessionRecord) -> None:
        """Append one session row; it is with the kernel when this returns, or waits for room."""
        if self._row(self._sessions, record, "session row(s)"):
            self.sessions_written += 1

    def timeline(self, timeline: Timeline) -> None:
        """Append one call's raw events as a gzip member of its own."""
        try:
            line, altered = _line(timeline_to_dict(timeline), _OPTIONS)
        except Exception as error:
            self.lose("set(s) of raw events", f"{type(error).__name__}: {error}")
            return
        if altered:
            self.lose("set(s) of raw events in part", _ALTERED)
        self.timelines(gzip.compress(line, compresslevel=_GZIP_LEVEL, mtime=0))

    def timelines(self, members: bytes) -> None:
        """Append whole gzip members that another process made with `timeline`. They do not wait: rows come first."""
        try:
            self._store(self._events, members)
        except OSError as error:
            self._events.waiting.clear()
            self.lose("set(s) of raw events", _why(error))

    def lose(self, what: str, reason: str, count: int = 1) -> None:
        """Count `what`, such as `turn row(s)`, as lost for `reason`."""
        self._unkept.setdefault(what, Unkept()).add(reason, count)

    @property
    def losses(self) -> list[str]:
        """What could not be kept, in sentences; complete once the writer is closed."""
        full = [] if self.failure is None else [f"worker {self.worker}: the disk took no more rows: {self.failure}"]
        return full + [
            f"worker {self.worker}: {lost.count} {what} could not be kept: {lost.reason}"
            for what, lost in sorted(self._unkept.items())
        ]

    def close(self) -> None:
        """Try what waits for the last time; what still does not fit is lost. Again is harmless."""
        for stream, what in ((self._turns, "turn row(s)"), (self._sessions, "session row(s)")):
            try:
                stream.retry()
            except (OSError, ValueError):
                self._give_up(stream, what)
            stream.close()
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _row(self, stream: _AppendOnly, record: TurnRecord | SessionRecord, what: str) -> bool:
        """Whether `record` is written or waits for room."""
        try:
            line, altered = _line(record, _ROW_OPTIONS)
        except Exception as error:
            self.lose(what, f"{type(error).__name__}: {error}")
            return False
        if altered:
            self.lose(f"value(s) in {what}", _ALTERED)
        try:
            self._store(stream, line)
        except OSError as error:
            self.failure = self.failure or _why(error)
        return True

    def _store(self, stream: _AppendOnly, data: bytes) -> None:
        try:
            stream.append(data)
        except OSError as error:
            self.failure = self.failure or _why(error)
            if not release_reserve(self._folder):
                raise
            stream.retry()

    def _give_up(self, stream: _AppendOnly, what: str) -> None:
        count = len(stream.waiting)
        stream.waiting.clear()
        if what == "turn row(s)":
            self.turns_written -= count
        else:
            self.sessions_written -= count
        if count:
            self.lose(what, self.failure or "the file was closed", count)


_ALTERED = "the value is no text or number that a table can hold"


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _line(value: TurnRecord | SessionRecord | dict[str, Any], options: int) -> tuple[bytes, bool]:
    """One line of JSON, and whether a value had to be left out since no table can hold it.

    Text from outside may hold half a surrogate pair, which is not JSON: it is replaced.
    """
    try:
        return orjson.dumps(value, option=options), False
    except TypeError:
        plain = value if isinstance(value, dict) else asdict(value)
        altered: list[Any] = []
        return orjson.dumps(_writable(plain, altered), option=_OPTIONS), bool(altered)


def _writable(value: Any, altered: list[Any]) -> Any:
    """`value` with every text as Unicode, and null for what no column can hold; `altered` lists these."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if value in _INT64:
            return value
    elif isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    elif isinstance(value, dict):
        return {_writable(key, altered): _writable(item, altered) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        return [_writable(item, altered) for item in value]
    elif hasattr(value, "dtype"):
        return value
    altered.append(value)
    return None
