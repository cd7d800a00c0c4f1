"""The report as plain text for a terminal: verdict first, aligned columns, nothing that breaks when pasted.

In: a `Summary`. Out: text. Tables and rows that are not `brief` are left to the other reports.
Trap: text from outside passes through `plain`, for a server's message may carry terminal escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.report.document import Row, Table, lines
from bench.report.findings import Summary
from bench.report.phrases import headline, plain, verdict_line
from bench.report.sections import sections

LABEL_WIDTH = 32
LINE_WIDTH = 150


def render_terminal(summary: Summary, folder: Path | None = None) -> str:
    """The whole report; `folder` is where its files are, named in the last section."""
    tables = [table for section in sections(summary) for table in section.tables if table.heading]
    if folder is not None:
        tables.append(lines("", [("Report", f"{folder / 'report.html'}"), ("Folder", f"{folder}")], heading="FILES"))
    return "\n\n".join([_verdict(summary), *map(_table, tables)]) + "\n"


def render_tables(tables: Iterable[Table]) -> str:
    """Tables alone, one after the other."""
    return "\n\n".join(map(_table, tables)) + "\n"


def _verdict(summary: Summary) -> str:
    verdict = summary.verdict
    said = [f"{plain(summary.run.scenario_name)}: {verdict_line(verdict)}"]
    said += [f"  {plain(reason)}" for reason in verdict.reasons]
    if summary.turns.answered:
        said.append(f"  {headline(summary)}")
    return "\n".join([*said, *(f"  warning: {plain(warning)}" for warning in verdict.warnings)])


def _table(table: Table) -> str:
    rows = [row for row in table.rows if row.brief][: table.most]
    if table.quoted is None:
        said = [table.heading, *(_line(table, row) for row in rows)]
    else:
        heads = [column.title for column in table.columns]
        said = [_aligned(table, table.heading, heads, f"{heads[table.quoted]}, 95 % interval")]
        said += [
            _aligned(table, f"  {row.title}", [cell.value for cell in row.cells], row.cells[table.quoted].under or "-")
            for row in rows
        ]
    return "\n".join([*said, *(f"  {plain(note)}" for note in table.footnotes)])


def _line(table: Table, row: Row) -> str:
    """A row whose values follow each other; what lies under them comes last."""
    values = [
        f"{_clean(cell.value)} {column.unit}".rstrip()
        for column, cell in zip(table.columns, row.cells, strict=True)
        if column.brief and cell.value
    ]
    if not row.cells[0].value:
        values.insert(0, "")
    if not table.columns[0].text:
        values[0] = f"{values[0]:>8}"
    limits = [f"(95 %: {cell.under})" for cell in row.cells if cell.under]
    said = f"  {_clean(row.title):<{LABEL_WIDTH}} {'  '.join([*values, *limits])}".rstrip()
    return said if len(said) <= LINE_WIDTH else f"{said[: LINE_WIDTH - 1]}…"


def _aligned(table: Table, title: str, values: list[str], limits: str) -> str:
    shown = [value for column, value in zip(table.columns, values, strict=True) if column.brief]
    widths = [max(9, len(column.title) + 2) for column in table.columns if column.brief]
    columns = f"{shown[0]:>7}" + "".join(
        f"{value:>{width}}" for value, width in zip(shown[1:], widths[1:], strict=True)
    )
    return f"{title:<{max(LABEL_WIDTH + 2, len(table.heading))}}{columns}   {limits}".rstrip()


def _clean(text: str) -> str:
    """`plain` text that keeps the gaps between its parts."""
    return "  ".join(map(plain, text.split("  ")))
