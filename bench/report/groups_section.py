"""Conditions and cells of a matrix as tables: words, speed and success in one row each."""

from __future__ import annotations

import math
from dataclasses import replace

from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.figure_cell import NEVER, figure_cell
from bench.report.findings import Summary
from bench.report.findings_groups import GroupRow, Groups, HeatField, HeatMap
from bench.report.phrases import capital, number, percent

SAID = (
    "The same run in parts. The calls of a matrix are made side by side, so that what drifts meets each cell alike. "
    "Ranges are 95 % intervals."
)


def groups_section(summary: Summary) -> Section:
    """A table for each column in which the run has parts."""
    tables = (*(_table(found) for found in summary.groups), *map(_heat, summary.heat_maps))
    return Section("groups", "Conditions", tables, (SAID,))


def _heat(found: HeatMap) -> Table:
    """The page colours it: the highest value most."""
    values = [field.figure.value for fields in found.fields for field in fields]
    known = [value for value in values if value is not None and math.isfinite(value)]
    most = max(known, default=0.0)
    # A wait is never near 0: its colour goes from the shortest to the longest.
    least = min(known, default=0.0) if found.unit == "ms" else 0.0
    rows = tuple(
        row(name, *(_field(found, field, least, most) for field in fields))
        for name, fields in zip(found.rows, found.fields, strict=True)
    )
    return Table(
        f"{capital(found.title)}, condition by accent{', ms' if found.unit == 'ms' else ''}",
        tuple(Column(name) for name in found.columns),
        rows,
        "Condition",
        notes=("Ranges are 95 % intervals; a field of few turns has a wide one.",),
    )


def _field(found: HeatMap, field: HeatField, least: float, most: float) -> Cell:
    cell, value = figure_cell(field.figure, number if found.unit == "ms" else percent), field.figure.value
    under = f"{cell.under} · n={field.turns:,}" if cell.under else f"n={field.turns:,}"
    heat = None
    if value is not None:
        share = (value - least) / (most - least) if most > least else 0.0
        heat = round(100 * min(1.0, share)) if math.isfinite(value) else 100
    return replace(cell, under=under, heat=heat)


def _table(found: Groups) -> Table:
    tasks = any(each.task_success.value is not None for each in found.rows)
    good = any(each.goodput.value is not None for each in found.rows)
    columns = (
        Column("turns"),
        Column("p50"),
        Column("p95"),
        Column("errors"),
        Column("WER"),
        *([Column("tasks done")] if tasks else []),
        *([Column("good turns")] if good else []),
    )
    lost = any(each.answered < each.turns for each in found.rows)
    return Table(
        f"{found.title} by {found.metric_title}, ms",
        columns,
        tuple(_row(each, tasks=tasks, good=good) for each in found.rows),
        "Cell" if found.column == "cell" else "Condition",
        f"{found.title.upper()} ({found.metric_title.upper()}, MS)",
        footnotes=(NEVER,) if lost else (),
        quoted=1,
    )


def _row(each: GroupRow, *, tasks: bool, good: bool) -> Row:
    return row(
        each.name,
        f"{each.turns:,}",
        figure_cell(each.p50, number),
        figure_cell(each.p95, number),
        figure_cell(each.error_rate, percent),
        figure_cell(each.wer, percent),
        *([figure_cell(each.task_success, percent)] if tasks else []),
        *([figure_cell(each.goodput, percent)] if good else []),
    )
