"""The column types of the two tables, taken from the row classes so that they cannot drift apart.

In: `TurnRecord` and `SessionRecord`. Out: arrow schemas and the pandas types they become.
Trap: a column that is null in every row has no type of its own; without these schemas it would come back as
`object` and two runs could not be compared.
"""

from __future__ import annotations

import types
import typing
from dataclasses import fields

import pandas as pd
import pyarrow as pa

from bench.measure.records import SessionRecord, TurnRecord

RowClass = type[TurnRecord] | type[SessionRecord]

_ARROW: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


_SCHEMAS: dict[RowClass, pa.Schema] = {}
"""Made once: working out the types takes ten milliseconds, and runs are read by the thousand."""


def schema_of(record: RowClass) -> pa.Schema:
    """One arrow field per column, in the order of declaration, all nullable."""
    if record not in _SCHEMAS:
        _SCHEMAS[record] = _schema(record)
    return _SCHEMAS[record]


def _schema(record: RowClass) -> pa.Schema:
    hints = typing.get_type_hints(record)
    return pa.schema([pa.field(column.name, _ARROW[_base_type(hints[column.name])]) for column in fields(record)])


def _base_type(hint: object) -> type:
    """`str | None` -> str; `Literal["a", "b"]` -> str; plain types as they are."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _base_type(next(part for part in typing.get_args(hint) if part is not type(None)))
    if origin is typing.Literal:
        return type(typing.get_args(hint)[0])
    if not isinstance(hint, type):
        raise TypeError(f"no column type for {hint!r}")
    return hint


def pandas_type(arrow: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    """The nullable pandas type of an arrow type; None leaves floats as float64, where NaN is "not measured"."""
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        return pd.StringDtype("pyarrow")
    if pa.types.is_int64(arrow):
        return pd.Int64Dtype()
    if pa.types.is_boolean(arrow):
        return pd.BooleanDtype()
    return None


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` with every column of `schema`, of its type and in its order; columns of other versions are kept after.

    A column that is missing (an older run) is added as null.
    """
    columns: list[pa.Array | pa.ChunkedArray] = []
    for field in schema:
        at = table.schema.get_field_index(field.name)
        columns.append(pa.nulls(table.num_rows, field.type) if at < 0 else table.column(at).cast(field.type))
    extra = [field for field in table.schema if schema.get_field_index(field.name) < 0]
    columns += [table.column(field.name) for field in extra]
    return pa.Table.from_arrays(columns, schema=pa.schema([*schema, *extra]))


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table in pandas with nullable types; the arrow memory is given up as it is converted."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=pandas_type, split_blocks=True, self_destruct=True)
    return frame
