"""Counts of the whole run beside those of one worker, against counting by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import schema_of
from bench.store.concurrency import elsewhere
from bench.store.finish import finish_run, replace_tables
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, WorkerAnchor, write_manifest
from bench.store.reader import read_run
from bench.store.spool import SpoolWriter

T0 = 1_790_000_000.0
Turns = Callable[..., TurnRecord]
Sessions = Callable[..., SessionRecord]


def rows(turn: Turns, session: Sessions) -> tuple[list[TurnRecord], list[SessionRecord]]:
    """w0: one call from 0 s to 10 s. w1: two calls, 1 s to 5 s and 4 s for ever (its end was never written)."""
    sessions = [
        session("a", worker="w0", started_at=T0, ended_at=T0 + 10),
        session("b", worker="w1", started_at=T0 + 1, ended_at=T0 + 5),
        session("c", worker="w1", started_at=T0 + 4, ended_at=None),
    ]
    turns = [
        turn(0, "a", worker="w0", started_at=T0 + 0.5, open_sessions=1, talking_sessions=1),
        turn(1, "a", worker="w0", started_at=T0 + 4.5, open_sessions=1, talking_sessions=1),
        turn(2, "a", worker="w0", started_at=T0 + 6.0, open_sessions=1, talking_sessions=None),
        turn(0, "b", worker="w1", started_at=T0 + 4.0, open_sessions=2, talking_sessions=1),
    ]
    return turns, sessions


OPEN, TALKING = [1, 3, 2, 3], [1, 2, None, 1]


def write(folder: RunFolder, turns: list[TurnRecord], sessions: list[SessionRecord]) -> None:
    for name in sorted({row.worker for row in sessions}):
        spool = SpoolWriter(folder, name)
        for one in turns:
            if one.worker == name:
                spool.turn(one)
        for call in sessions:
            if call.worker == name:
                spool.session(call)
        spool.close()


def loads(frame: pd.DataFrame) -> tuple[list[int], list[int | None]]:
    return frame["open_sessions"].tolist(), [None if pd.isna(n) else n for n in frame["talking_sessions"]]


def test_tables_and_csv_of_a_run_count_all_workers(
    folder: RunFolder, manifest: Manifest, turn: Turns, session: Sessions
) -> None:
    write(folder, *rows(turn, session))
    run = finish_run(folder, manifest)
    assert loads(run.turns) == (OPEN, TALKING)
    assert loads(pd.read_csv(folder.turns_csv)) == (OPEN, TALKING)


def test_a_killed_run_counts_them_too_and_only_once(
    folder: RunFolder, manifest: Manifest, turn: Turns, session: Sessions
) -> None:
    write(folder, *rows(turn, session))
    manifest.state = "running"
    write_manifest(folder, manifest)
    for _ in range(2):
        assert loads(read_run(folder.root).turns) == (OPEN, TALKING)


def test_rows_measured_again_count_them_once(
    folder: RunFolder, manifest: Manifest, turn: Turns, session: Sessions
) -> None:
    turns, sessions = rows(turn, session)
    write(folder, turns, sessions)
    finish_run(folder, manifest)
    replace_tables(folder, turns, sessions)
    assert loads(read_run(folder.root).turns) == (OPEN, TALKING)


def test_one_worker_counts_for_itself(folder: RunFolder, manifest: Manifest, turn: Turns, session: Sessions) -> None:
    write(folder, [turn(0, "a", open_sessions=7, talking_sessions=3)], [session("a")])
    manifest.workers["w0"] = WorkerAnchor(monotonic_ns=0, unix_s=T0, pid=1, host="h", kernel_stamps=True)
    assert loads(finish_run(folder, manifest).turns) == ([7], [3])


moment = st.integers(0, 40).map(float)
call = st.tuples(st.sampled_from(["w0", "w1", "w2"]), moment, st.one_of(st.none(), moment))
said = st.tuples(st.sampled_from(["w0", "w1", "w2"]), moment)


@given(calls=st.lists(call, max_size=12), turns=st.lists(said, max_size=12))
def test_counts_are_those_of_counting_by_hand(
    calls: list[tuple[str, float, float | None]], turns: list[tuple[str, float]]
) -> None:
    calls = [(name, begun, None if ended is None else begun + ended) for name, begun, ended in calls]

    def table(columns: dict[str, list[Any]]) -> pa.Table:
        return pa.table({name: pa.array(values) for name, values in columns.items()})

    found = elsewhere(
        [
            table(
                {
                    "worker": [name for name, _ in turns] or pa.array([], pa.string()),
                    "started_at": [at for _, at in turns] or pa.array([], pa.float64()),
                    "speech_ms": [2500.0 for _ in turns] or pa.array([], pa.float64()),
                }
            )
        ],
        [
            table(
                {
                    "worker": [name for name, _, _ in calls] or pa.array([], pa.string()),
                    "started_at": [at for _, at, _ in calls] or pa.array([], pa.float64()),
                    "ended_at": pa.array([at for _, _, at in calls], pa.float64()),
                }
            )
        ],
    )
    if len({name for name, *_ in (*calls, *turns)}) < 2:
        assert found is None
        return
    assert found is not None
    for place, (worker, at) in enumerate(turns):
        others = [1 for name, begun, ended in calls if name != worker and begun <= at and (ended is None or at < ended)]
        talking = [1 for name, begun in turns if name != worker and begun <= at < begun + 2.5]
        assert found.open_sessions[place] == len(others)
        assert found.talking_sessions[place] == len(talking)


def test_columns_keep_their_types(turn: Turns, session: Sessions) -> None:
    turns, sessions = rows(turn, session)
    schema = schema_of(TurnRecord)
    table = pa.Table.from_pylist([asdict(row) for row in turns], schema=schema)
    found = elsewhere(
        [table], [pa.Table.from_pylist([asdict(row) for row in sessions], schema=schema_of(SessionRecord))]
    )
    assert found is not None
    assert found.added_to(table).schema == schema
