"""What master and workers say to each other, over Locust's own sockets.

hello -> assign -> ready -> start -> rows, progress ... -> stop -> flushed -> dismissed. Rows travel in columns, at most
`MOST_ROWS` a message. Trap: Locust acknowledges nothing and drops what arrives after its own idea of the end, so
a worker's last word is a count, and the master believes no worker that has not said it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from bench import __version__
from bench.measure.records import SessionRecord, TurnRecord

HELLO = "bench_hello"
ASSIGN = "bench_assign"
READY = "bench_ready"
FAILED = "bench_failed"
START = "bench_start"
ROWS = "bench_rows"
EVENTS = "bench_events"
PROGRESS = "bench_progress"
STOP = "bench_stop"
FLUSHED = "bench_flushed"
DISMISSED = "bench_dismissed"

MOST_ROWS = 2_000


def versions() -> dict[str, str]:
    """What both sides must have in common, since rows and messages have no other contract."""
    import locust

    return {"realtime-voice-bench": __version__, "locust": str(locust.__version__)}


Row = TypeVar("Row", TurnRecord, SessionRecord)


def to_columns(rows: Sequence[TurnRecord] | Sequence[SessionRecord]) -> dict[str, list[Any]]:
    """Rows as one list per column: half the size and a fifth of the unpacking of a list of mappings."""
    if not rows:
        return {}
    return {column.name: [getattr(row, column.name) for row in rows] for column in fields(rows[0])}


def from_columns(record: type[Row], columns: dict[str, list[Any]]) -> list[Row]:
    """The inverse; columns that this version does not know are left out."""
    known = {column.name for column in fields(record)}
    names = [name for name in columns if name in known]
    return [
        record(**dict(zip(names, values, strict=True))) for values in zip(*(columns[n] for n in names), strict=True)
    ]


def batches(rows: list[Row]) -> Iterator[list[Row]]:
    """`rows` in pieces of at most `MOST_ROWS`."""
    for at in range(0, len(rows), MOST_ROWS):
        yield rows[at : at + MOST_ROWS]
