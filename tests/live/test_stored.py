"""The last numbers of a page are those of the whole run, however late the page comes to count them."""

from __future__ import annotations

from pathlib import Path

from bench.live.stored import ended_run_of
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import schema_of
from tests.report import build


def test_rows_of_a_run_whose_spool_is_gone_are_those_of_its_tables(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=4)
    run = build.finished(tmp_path, turns, sessions)
    assert not run.folder.spool.exists()
    unread = (schema_of(TurnRecord).empty_table(), schema_of(SessionRecord).empty_table())
    found = ended_run_of(run.folder, unread)
    assert (len(found.turns), len(found.sessions)) == (len(turns), len(sessions))
