"""Rows of a run that is under way, read from its spool as they are appended.

In: a run folder, again and again. Out: all rows so far as arrow tables. Trap: the last line of a file may be half
written: it waits until its newline is there. Files stay open, so the rows can be read on although the end of the
run has removed the spool meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import schema_of
from bench.store.concurrency import elsewhere
from bench.store.folder import RunFolder
from bench.store.rows import Damage, parse_lines

MOST_BYTES = 16 << 20
"""Read at once."""


@dataclass(slots=True)
class Followed:
    """One file that grows."""

    stream: BinaryIO
    rest: bytes = b""

    def blocks(self) -> Iterator[bytes]:
        """Whole lines that were appended since the last time."""
        while chunk := self.stream.read(MOST_BYTES):
            head, newline, self.rest = (self.rest + chunk).rpartition(b"\n")
            if newline:
                yield head + newline


@dataclass(slots=True)
class _Table:
    pattern: str
    schema: pa.Schema
    files: dict[Path, Followed] = field(default_factory=dict)
    rows: pa.Table = field(init=False)

    def __post_init__(self) -> None:
        self.rows = self.schema.empty_table()

    def read_on(self, spool: Path, damage: Damage) -> int:
        """Add what is new; how many rows that were."""
        for path in sorted(spool.glob(self.pattern)):
            if path not in self.files:
                self.files[path] = Followed(path.open("rb"))
        before = self.rows.num_rows
        fresh = [parse_lines(block, self.schema, damage) for file in self.files.values() for block in file.blocks()]
        if fresh:
            self.rows = pa.concat_tables([self.rows, *fresh]).combine_chunks()
        return int(self.rows.num_rows - before)


class SpoolTail:
    """Follows the spool of one run."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._turns = _Table("*-turns.jsonl", schema_of(TurnRecord))
        self._sessions = _Table("*-sessions.jsonl", schema_of(SessionRecord))
        self.damage = Damage()

    def read_on(self) -> int:
        """Read what was appended; the number of new rows."""
        return sum(table.read_on(self._folder.spool, self.damage) for table in (self._turns, self._sessions))

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Turns, with the open calls of all workers counted, and calls."""
        turns, sessions = self._turns.rows, self._sessions.rows
        others = elsewhere([turns], [sessions])
        return (turns if others is None else others.added_to(turns)), sessions

    def close(self) -> None:
        for table in (self._turns, self._sessions):
            for file in table.files.values():
                file.stream.close()
