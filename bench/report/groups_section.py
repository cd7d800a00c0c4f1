"""Conditions and cells of a matrix as tables: words, speed and success in one row each."""

from __future__ import annotations

from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_groups import GroupRow, Groups
from bench.report.findings_parts import Interval, Rate
from bench.report.phrases import between, between_percent, number, percent

SAID = (
    "The same run in parts. The calls of a matrix are made side by side, so that what drifts meets each cell alike. "
    "Ranges are 95 % intervals."
)


def groups_section(summary: Summary) -> Section:
    """A table for each column in which the run has parts."""
    return Section("groups", "Conditions", tuple(_table(found) for found in summary.groups), (SAID,))


def _table(found: Groups) -> Table:
    tasks = any(each.task_success for each in found.rows)
    good = any(each.goodput for each in found.rows)
    columns = (
        Column("turns"),
        Column("p50"),
        Column("p95"),
        Column("errors"),
        Column("WER"),
        *([Column("tasks done")] if tasks else []),
        *([Column("good turns")] if good else []),
    )
    rows = tuple(_row(each, tasks=tasks, good=good) for each in found.rows)
    notes = (f"p50 and p95: {found.metric_title}, ms, of answered turns.",)
    head = "Cell" if found.column == "cell" else "Condition"
    return Table(found.title, columns, rows, head, found.title.upper(), footnotes=notes, quoted=2)


def _row(each: GroupRow, *, tasks: bool, good: bool) -> Row:
    cells: list[str | Cell] = [
        f"{each.turns:,}",
        _ms(each.p50, each.p50_interval),
        _ms(each.p95, each.p95_interval),
        _rate(each.errors),
        Cell(percent(each.wer), between_percent(each.wer_interval) if each.wer_interval else ""),
        *([_rate(each.task_success)] if tasks else []),
        *([_rate(each.goodput)] if good else []),
    ]
    return row(each.name, *cells)


def _ms(value: float | None, limits: Interval | None) -> Cell:
    return Cell(number(value, 0), between(limits, 0) if limits else "")


def _rate(rate: Rate | None) -> Cell:
    if rate is None:
        return Cell("-")
    return Cell(percent(rate.rate), between_percent(rate.interval) if rate.interval else "")
