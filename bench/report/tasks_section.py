"""Task success as tables: overall and in parts, beside the word error rate, and what was missed."""

from __future__ import annotations

from bench.report.document import Column, Row, Section, Table, row
from bench.report.figure_cell import figure_cell
from bench.report.findings import Summary
from bench.report.findings_tasks import TaskRow
from bench.report.phrases import percent

SAID = (
    "A turn succeeds when everything that its step expects of the reply is true; one that was not answered has failed. "
    "The word error rate beside it is of the same turns. Ranges are 95 % intervals."
)
_COLUMNS = (Column("success"), Column("met", text=True), Column("WER"))
_TITLES = {
    "scenario": "scenario",
    "target": "target",
    "accent": "accent",
    "condition": "condition",
    "fixture": "what was said",
    "open calls": "calls open at once",
}


def tasks_section(summary: Summary) -> Section:
    """Nothing for a run without expectations."""
    found = summary.tasks
    if found.overall is None:
        return Section("tasks", "Task success", ())
    tables = [Table("Task success", _COLUMNS, (_row(found.overall, "All turns"),), "Turns", "TASK SUCCESS")]
    for cut, rows in found.cuts.items():
        if cut == "scenario" and len(rows) == 1:
            continue  # the same as all turns
        title = f"Task success by {_TITLES[cut]}"
        shown = tuple(_row(each, each.name) for each in rows)
        tables.append(Table(title, _COLUMNS, shown, _TITLES[cut].capitalize(), title.upper(), quoted=0))
    if found.missed:
        missed = tuple(row(each.expectation, f"{each.turns:,}", each.example) for each in found.missed)
        columns = (Column("turns", text=True), Column("for example", text=True))
        tables.append(Table("What was missed", columns, missed, "Expectation", "TASKS MISSED"))
    return Section("tasks", "Task success", tuple(tables), (SAID,))


def _row(each: TaskRow, title: str) -> Row:
    return row(
        title,
        figure_cell(each.success, percent),
        f"{each.met:,} of {each.turns:,}",
        figure_cell(each.wer, percent),
    )
