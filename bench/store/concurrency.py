"""How many calls were open in the whole run when a turn began, where several workers shared it.

In: turn rows that count the calls of their own worker, and session rows. Out: the same turns with the calls of all
others added, found from the rows' wall-clock times. A clock that is off between two hosts moves a count
by the calls that began in that time; it enters no latency. Calls that were open in a worker that was killed left no
row and are not counted. Trap: adding twice. Rows of the spool and rows that were
measured again count their own worker; tables of a finished run are whole already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import schema_of
from bench.store.folder import RunFolder
from bench.store.rows import Damage, spool_tables

TURN_COLUMNS = ("worker", "started_at", "speech_ms")
SESSION_COLUMNS = ("worker", "started_at", "ended_at")

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """For each turn, in the order of the rows: calls open and callers talking in other workers as it began."""

    open_sessions: Counts
    talking_sessions: Counts

    def added_to(self, table: pa.Table, first: int = 0) -> pa.Table:
        """`table`, whose rows begin at turn `first`, with both counts for the whole run; null stays null."""
        for name, counts in (("open_sessions", self.open_sessions), ("talking_sessions", self.talking_sessions)):
            at = table.schema.get_field_index(name)
            more = pa.array(counts[first : first + table.num_rows], type=pa.int64())
            table = table.set_column(at, table.schema.field(at), pc.add(table.column(at), more))
        return table


def elsewhere(turns: Iterable[pa.Table], sessions: Iterable[pa.Table]) -> Elsewhere | None:
    """What the other workers of each turn did; None when one worker made all calls."""
    turn_names, begun, speech_ms = _columns(turns, TURN_COLUMNS)
    session_names, opened, closed = _columns(sessions, SESSION_COLUMNS)
    names = sorted({*turn_names.tolist(), *session_names.tolist()})
    if len(names) < 2:
        return None
    open_calls, talking = np.zeros(len(begun), np.int64), np.zeros(len(begun), np.int64)
    for name in names:
        mine, others = turn_names == name, session_names != name
        open_calls[mine] = _inside(begun[mine], opened[others], closed[others])
        spoken = turn_names != name
        talking[mine] = _inside(begun[mine], begun[spoken], begun[spoken] + speech_ms[spoken] / 1000)
    return Elsewhere(open_calls, talking)


def spooled_turns(folder: RunFolder, damage: Damage) -> pa.Table:
    """The turn rows of a spool, with the calls of all workers counted; `damage` is added to."""
    schema, calls = schema_of(TurnRecord), schema_of(SessionRecord)
    turns = pa.concat_tables(
        [schema.empty_table(), *spool_tables(sorted(folder.spool.glob("*-turns.jsonl")), schema, damage)]
    )
    sessions = spool_tables(sorted(folder.spool.glob("*-sessions.jsonl")), calls, Damage())
    others = elsewhere([turns], sessions)
    return turns if others is None else others.added_to(turns)


def _inside(moments: Floats, starts: Floats, ends: Floats) -> Counts:
    """How many of the intervals hold each moment; one without an end goes on for ever."""
    begun = np.searchsorted(np.sort(starts), moments, side="right")
    over = np.searchsorted(np.sort(ends[~np.isnan(ends)]), moments, side="right")
    inside: Counts = np.maximum(begun - over, 0).astype(np.int64)
    return inside


def _columns(tables: Iterable[pa.Table], names: tuple[str, str, str]) -> tuple[NDArray[np.str_], Floats, Floats]:
    """A text and two number columns over all tables; a missing number is NaN."""
    parts = [table.select(list(names)) for table in tables]
    if not parts:
        return np.array([], np.str_), np.array([]), np.array([])
    whole = pa.concat_tables(parts)
    workers = np.asarray(whole.column(0).to_numpy(zero_copy_only=False), dtype=np.str_)
    first, second = (np.asarray(whole.column(at).to_numpy(zero_copy_only=False), dtype=np.float64) for at in (1, 2))
    return workers, first, second
