"""The report as plain text for a terminal: verdict first, aligned columns, nothing that breaks when pasted.

In: a `Summary` and the width of the terminal. Out: text. Tables and rows that are not `brief` are left to the other
reports, and columns that a narrow terminal has no room for are left out, last of all the median and p95.
Trap: text from outside passes through `plain`, for a server's message may carry terminal escapes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

from bench.report.document import Row, Table
from bench.report.findings import Summary
from bench.report.phrases import MISSING, headline, plain, verdict_line
from bench.report.sections import sections

LABEL_WIDTH = 32
LINE_WIDTH = 150
LEAST_WIDTH = 60
LIMITS_WIDTH = 24


def render_terminal(summary: Summary, folder: Path | None = None, width: int = LINE_WIDTH) -> str:
    """The whole report, its verdict first and last; `folder` is where its files are, named in the last section."""
    width = max(LEAST_WIDTH, width)
    tables = [table for section in sections(summary) for table in section.tables if table.heading]
    parts = [_verdict(summary, width), *(_table(table, width) for table in tables)]
    if folder is not None:
        # Never cut or broken: a path is there to be copied.
        parts.append(f"FILES\n  Report  {folder / 'report.html'}\n  Folder  {folder}")
    return "\n\n".join([*parts, _result(summary)]) + "\n"


def render_tables(tables: Iterable[Table], width: int = LINE_WIDTH) -> str:
    """Tables alone, one after the other."""
    return "\n\n".join(_table(table, max(LEAST_WIDTH, width)) for table in tables) + "\n"


def _result(summary: Summary) -> str:
    return f"{plain(summary.run.scenario_name)}: {verdict_line(summary.verdict)}"


def _verdict(summary: Summary, width: int) -> str:
    verdict = summary.verdict
    said = [_result(summary)]
    said += [_folded(plain(reason), width) for reason in verdict.reasons]
    if summary.turns.answered:
        said.append(_folded(headline(summary), width))
    return "\n".join([*said, *(_folded(f"warning: {plain(warning)}", width) for warning in verdict.warnings)])


def _folded(text: str, width: int) -> str:
    """A sentence over as many lines as it needs, broken between words; a word is never broken."""
    return textwrap.fill(
        text, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _table(table: Table, width: int) -> str:
    rows = [row for row in table.rows if row.brief][: table.most]
    if table.quoted is None:
        said = [table.heading, *(_line(table, row, width) for row in rows)]
    else:
        heads = [column.title for column in table.columns]
        shown, limits = _fitting(table, width)
        said = [_aligned(table, shown, table.heading, heads, f"{heads[table.quoted]}, 95 % interval" if limits else "")]
        said += [
            _aligned(
                table,
                shown,
                f"  {row.title}",
                [cell.value for cell in row.cells],
                (row.cells[table.quoted].under or "-") if limits else "",
            )
            for row in rows
        ]
    return "\n".join([*said, *(_folded(plain(note), width) for note in table.footnotes)])


def _fitting(table: Table, width: int) -> tuple[list[int], bool]:
    """The columns that there is room for, and whether there is room for the interval beside them.

    The first of them (how many), the median and the quoted column come first, then from the right.
    """
    brief = [place for place, column in enumerate(table.columns) if column.brief]
    quoted = table.quoted or 0
    said = [place for place in brief if any(row.cells[place].value not in {"", MISSING} for row in table.rows)]
    if sum(_width(table, place) for place in brief) > width - max(LABEL_WIDTH + 2, len(table.heading)):
        # A column of dashes goes before one that says something.
        brief = [place for place in brief if place in {0, quoted} or place in said]
    first = [place for place in dict.fromkeys((0, 1, quoted)) if place in brief]
    wanted = [*first, *(place for place in reversed(brief) if place not in first)]
    left = width - max(LABEL_WIDTH + 2, len(table.heading))
    shown: list[int] = []
    for place in wanted:
        left -= _width(table, place)
        if left < 0:
            break
        shown.append(place)
    return sorted(shown), len(shown) == len(wanted) and left >= LIMITS_WIDTH


def _width(table: Table, place: int) -> int:
    return 7 if place == 0 else max(9, len(table.columns[place].title) + 2)


def _line(table: Table, row: Row, width: int) -> str:
    """A row whose values follow each other; what lies under them comes last."""
    values = [
        f"{_clean(cell.value)} {_unit(column.unit, cell.value)}".rstrip()
        for column, cell in zip(table.columns, row.cells, strict=True)
        if column.brief and cell.value
    ]
    if not row.cells[0].value:
        values.insert(0, "")
    if not table.columns[0].text:
        values[0] = f"{values[0]:>8}"
    limits = [
        f"(95 %: {cell.under})"
        for column, cell in zip(table.columns, row.cells, strict=True)
        if column.brief and not column.text and cell.under
    ]
    said, whole = (
        f"  {_clean(row.title):<{LABEL_WIDTH}} {'  '.join(parts)}".rstrip() for parts in (values, [*values, *limits])
    )
    if len(whole) <= width:
        return whole
    return said if len(said) <= width else _cut(said, width)


def _unit(unit: str, value: str) -> str:
    """`1 turn`, and not `1 turns`; units of measurement have no plural."""
    return unit[:-1] if value == "1" and unit in {"times", "turns", "calls", "words", "tokens"} else unit


def _cut(line: str, width: int) -> str:
    """A line that ends between two words, with a sign that it goes on."""
    kept = line[: width - 1]
    words = kept.rstrip() if line[width - 1].isspace() else kept.rpartition(" ")[0].rstrip()
    return f"{words if len(words) > LABEL_WIDTH else kept}…"


def _aligned(table: Table, shown: list[int], title: str, values: list[str], limits: str) -> str:
    columns = "".join(f"{values[place]:>{_width(table, place)}}" for place in shown)
    return f"{title:<{max(LABEL_WIDTH + 2, len(table.heading))}}{columns}   {limits}".rstrip()


def _clean(text: str) -> str:
    """`plain` text that keeps the gaps between its parts."""
    return "  ".join(map(plain, text.split("  ")))
