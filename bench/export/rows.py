"""Rows of a run that is under way, in the parts in which they come.

In: a run folder, again and again. Out: the rows that are new, as a `Run` of these alone. Trap: calls are read before
turns. The row of a call is written after those of its turns, so the turns of every call that is here are here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bench.live.tail import Followed
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import RowClass, pandas_type, schema_of
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest
from bench.store.reader import Run
from bench.store.rows import Damage, parse_lines


class NewRows:
    """Follows the spool of one run; files stay open, so the rows can be read on once the spool has gone."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._files: dict[Path, Followed] = {}
        self._damage = Damage()

    def read(self, manifest: Manifest) -> Run | None:
        """What came since the last time; None for nothing."""
        sessions = self._fresh("*-sessions.jsonl", SessionRecord)
        turns = self._fresh("*-turns.jsonl", TurnRecord)
        if not turns and not sessions:
            return None
        return Run(self._folder, manifest, _frame(turns, TurnRecord), _frame(sessions, SessionRecord), True, [])

    def _fresh(self, pattern: str, record: RowClass) -> list[pa.Table]:
        for path in sorted(self._folder.spool.glob(pattern)):
            if path not in self._files:
                self._files[path] = Followed(path.open("rb"))
        schema = schema_of(record)
        return [
            parse_lines(block, schema, self._damage)
            for path, file in self._files.items()
            if path.match(pattern)
            for block in file.blocks()
        ]


def _frame(parts: Sequence[pa.Table], record: RowClass) -> pd.DataFrame:
    found: pd.DataFrame = pa.concat_tables([schema_of(record).empty_table(), *parts]).to_pandas(
        types_mapper=pandas_type
    )
    return found
