"""Parquet files, opened by their paths and closed again.

Trap: pyarrow takes a path as UTF-8 whatever the locale is, so it is given open files and never a path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The whole table, or some of its columns."""
    with path.open("rb") as file:
        return pyarrow.parquet.read_table(file, columns=None if columns is None else list(columns))


@contextmanager
def parquet_file(path: Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    """A table to be read in batches."""
    with path.open("rb") as file, pyarrow.parquet.ParquetFile(file) as table:
        yield table


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema) -> Iterator[pyarrow.parquet.ParquetWriter]:
    """A table to be written in batches."""
    with path.open("wb") as file, pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        yield writer


def rows_in(path: Path) -> int:
    """The number of rows that a file says it has."""
    with path.open("rb") as file:
        return int(pyarrow.parquet.read_metadata(file).num_rows)
