"""From the spool's JSON lines to arrow tables, a few megabytes at a time.

In: `spool/*.jsonl`, perhaps cut off by a kill. Out: tables of the fixed schema, and how many lines were damaged.
Trap: only the last line of a file can be torn by a kill, but a full disk can tear others; a damaged line is counted
and left out, never allowed to take its neighbours with it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json

from bench.store.columns import conform

_CHUNK_BYTES = 16 << 20


@dataclass(slots=True)
class Damage:
    """Lines that could not be read: `torn` ended without a newline, `broken` were whole but not a row."""

    torn: int = 0
    broken: int = 0

    def sentences(self, what: str) -> list[str]:
        """What to tell the reader; empty when nothing was damaged."""
        said = []
        if self.torn:
            said.append(f"the last row of {self.torn} {what} file(s) was cut off while it was written")
        if self.broken:
            said.append(f"{self.broken} damaged {what} row(s) were left out")
        return said


def spool_tables(paths: Iterable[Path], schema: pa.Schema, damage: Damage) -> Iterator[pa.Table]:
    """Tables of at most some megabytes, file after file; `damage` is added to as lines are met."""
    for path in paths:
        for block in _whole_lines(path, damage):
            yield parse_lines(block, schema, damage)


def parse_lines(block: bytes, schema: pa.Schema, damage: Damage) -> pa.Table:
    """The rows of a block of whole lines; damaged ones are counted in `damage`."""
    return conform(_parse(block, schema, damage), schema)


def _whole_lines(path: Path, damage: Damage) -> Iterator[bytes]:
    rest = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            head, newline, tail = (rest + chunk).rpartition(b"\n")
            rest = tail
            if head:
                yield head + newline
    if rest.strip(b"\0 \t\r\n"):
        damage.torn += 1


def _parse(block: bytes, schema: pa.Schema, damage: Damage) -> pa.Table:
    """All lines of `block`: in one go when they are sound, line by line when one is not."""
    try:
        return pyarrow.json.read_json(
            io.BytesIO(block),
            read_options=pyarrow.json.ReadOptions(block_size=max(len(block), 1) + 1),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return pa.concat_tables([schema.empty_table(), *_one_by_one(block, schema, damage)])


def _one_by_one(block: bytes, schema: pa.Schema, damage: Damage) -> Iterator[pa.Table]:
    names = set(schema.names)
    sound: list[dict[str, Any]] = []
    for line in block.splitlines():
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            if not isinstance(row, dict):
                raise pa.ArrowInvalid("not a row")
            row = {name: value for name, value in row.items() if name in names}
            pa.Table.from_pylist([row], schema=schema)
        except (orjson.JSONDecodeError, pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            damage.broken += 1
            continue
        sound.append(row)
    if sound:
        yield pa.Table.from_pylist(sound, schema=schema)
