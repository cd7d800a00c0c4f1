"""What master and workers say to each other (`bench.workers.link` carries it).

hello -> assign -> ready -> start -> rows, progress ... -> stop -> flushed -> dismissed. Rows travel in columns, at most
`MOST_ROWS` a message. Trap: a message can be lost without a word, so a worker's final message holds its counts, and a
worker that has not sent it makes the run incomplete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib import metadata
from typing import Any, TypeVar

from bench import __version__
from bench.measure.records import SessionRecord, TurnRecord

HELLO = "bench_hello"
ASSIGN = "bench_assign"
READY = "bench_ready"
FAILED = "bench_failed"
START = "bench_start"
TURNS = "bench_turns"
SESSIONS = "bench_sessions"
EVENTS = "bench_events"
PROGRESS = "bench_progress"
STOP = "bench_stop"
FLUSHED = "bench_flushed"
DISMISSED = "bench_dismissed"

DISK_FAILED = "bench_disk_failed"
OF_WORKERS = frozenset({HELLO, READY, FAILED, TURNS, SESSIONS, EVENTS, PROGRESS, FLUSHED, DISK_FAILED})
"""What a worker says."""

MOST_ROWS = 2_000
SHIP_S = 0.5
"""How often a worker tells its rows and its progress."""


def versions() -> dict[str, str]:
    """What both sides must have in common, since rows and messages have no other contract."""
    return {"realtime-voice-bench": __version__, "locust": metadata.version("locust")}


Row = TypeVar("Row", TurnRecord, SessionRecord)


def to_columns(rows: Sequence[TurnRecord] | Sequence[SessionRecord]) -> dict[str, list[Any]]:
    """Rows as one list per column: half the size and a fifth of the unpacking of a list of mappings."""
    if not rows:
        return {}
    return {column.name: [getattr(row, column.name) for row in rows] for column in fields(rows[0])}


def from_columns(record: type[Row], columns: dict[str, list[Any]]) -> list[Row]:
    """The inverse of `to_columns` of the same version."""
    return [record(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]


def batches(rows: list[Row]) -> Iterator[list[Row]]:
    """`rows` in pieces of at most `MOST_ROWS`."""
    for at in range(0, len(rows), MOST_ROWS):
        yield rows[at : at + MOST_ROWS]
