"""Conditions and cells of a matrix as tables: words, speed and success in one row each."""

from __future__ import annotations

from bench.report.document import Column, Row, Section, Table, row
from bench.report.figure_cell import NEVER, figure_cell
from bench.report.findings import Summary
from bench.report.findings_groups import GroupRow, Groups
from bench.report.phrases import number, percent

SAID = (
    "The same run in parts. The calls of a matrix are made side by side, so that what drifts meets each cell alike. "
    "Ranges are 95 % intervals."
)


def groups_section(summary: Summary) -> Section:
    """A table for each column in which the run has parts."""
    return Section("groups", "Conditions", tuple(_table(found) for found in summary.groups), (SAID,))


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
