"""Rows travel in columns and come back equal."""

from __future__ import annotations

from dataclasses import asdict

import msgpack

from bench.measure.records import TurnRecord
from bench.workers.messages import MOST_ROWS, batches, from_columns, to_columns
from tests.measure.build import good_reply, measure


def row(turn: int) -> TurnRecord:
    record = measure(good_reply())
    record.turn = turn
    return record


def test_rows_come_back_equal_through_a_real_message() -> None:
    rows = [row(turn) for turn in range(5)]
    wire = msgpack.unpackb(msgpack.packb(to_columns(rows)), strict_map_key=False)
    assert [asdict(back) for back in from_columns(TurnRecord, wire)] == [asdict(one) for one in rows]
    assert to_columns([]) == {}
    assert from_columns(TurnRecord, {}) == []


def test_batches_are_bounded_and_whole() -> None:
    rows = [row(1)] * (MOST_ROWS + 7)
    assert [len(piece) for piece in batches(rows)] == [MOST_ROWS, 7]
