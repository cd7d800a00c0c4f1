"""The report as plain text for a terminal: verdict first, aligned columns, nothing that breaks when pasted.

In: a `Summary` and the width of the terminal. Out: text. Tables and rows that are not `brief` are left to the other
reports, and columns that a narrow terminal has no room for are left out, last of all the median and p95. A name that is
longer than its column has a line of its own.
Trap: text from outside passes through `plain`, for a server's message may carry terminal escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.report.document import Row, Table
from bench.report.findings import Summary
from bench.report.phrases import MISSING, headline, plain, verdict_line
from bench.report.sections import sections
from bench.terminal import folded, shortened

LABEL_WIDTH = 32
LINE_WIDTH = 150
LEAST_WIDTH = 60
LIMITS_WIDTH = 24
MOST_LINES = 4


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
    return folded(text, width, first="  ", then="    ")


def _table(table: Table, width: int) -> str:
    rows = [row for row in table.rows if row.brief][: table.most]
    said = _listed(table, rows, width) if table.quoted is None else _aligned(table, rows, table.quoted, width)
    return "\n".join([*said, *(_folded(plain(note), width) for note in table.footnotes)])


def _aligned(table: Table, rows: Sequence[Row], quoted: int, width: int) -> list[str]:
    """Rows under the heads of their columns."""
    heads = [column.head or column.title for column in table.columns]
    wide = _widths(table, rows)
    brief = [each for each, column in zip(wide, table.columns, strict=True) if column.brief]
    names = _names_width([table.heading, *_names(rows)], width - sum(brief) - LIMITS_WIDTH)
    heading = table.heading if len(table.heading) <= names else ""
    shown, limits = _fitting(table, rows, quoted, width - names)

    def placed(name: str, values: Sequence[str], interval: str) -> str:
        columns = "".join(f"{values[place]:>{wide[place]}}" for place in shown)
        return f"{name:<{names}}{columns}   {interval if limits else ''}".rstrip()

    said = [] if heading else [shortened(table.heading, width)]
    said.append(placed(heading, heads, f"{heads[quoted]}, 95 % interval"))
    for row, name in zip(rows, _names(rows), strict=True):
        values, interval = [cell.value for cell in row.cells], row.cells[quoted].under or MISSING
        said += [*_own_line(name, names, width), placed(name if len(name) <= names else "", values, interval)]
    return said


def _fitting(table: Table, rows: Sequence[Row], quoted: int, room: int) -> tuple[list[int], bool]:
    """The columns that there is room for, and whether there is room for the interval beside them.

    The first of them (how many), the median and the quoted column come first, then from the right, spare ones last.
    """
    wide = _widths(table, rows)
    brief = [place for place, column in enumerate(table.columns) if column.brief]
    said = [place for place in brief if any(row.cells[place].value not in {"", MISSING} for row in rows)]
    if sum(wide[place] for place in brief) > room:
        # A column of dashes goes before one that says something.
        brief = [place for place in brief if place in {0, quoted} or place in said]
    first = [place for place in dict.fromkeys((0, 1, quoted)) if place in brief]
    others = [place for place in reversed(brief) if place not in first]
    wanted = [*first, *sorted(others, key=lambda place: table.columns[place].spare)]
    shown: list[int] = []
    for place in wanted:
        room -= wide[place]
        if room < 0:
            break
        shown.append(place)
    return sorted(shown), len(shown) == len(wanted) and room >= LIMITS_WIDTH


def _widths(table: Table, rows: Sequence[Row]) -> list[int]:
    """How wide each column is: as in every table, or as its longest text."""
    longest = [max((len(row.cells[place].value) for row in rows), default=0) for place in range(len(table.columns))]
    heads = [len(column.head or column.title) for column in table.columns]
    return [
        max(7 if place == 0 else 9, head + 2, text + 2)
        for place, (head, text) in enumerate(zip(heads, longest, strict=True))
    ]


def _names(rows: Iterable[Row]) -> list[str]:
    return [f"  {_clean(row.title)}" for row in rows]


def _names_width(names: Iterable[str], room: int) -> int:
    """How wide the column of names is: as in every table, or as the longest name that there is `room` for."""
    return max([LABEL_WIDTH + 2, *(len(name) for name in names if len(name) <= room)])


def _own_line(name: str, names: int, width: int) -> list[str]:
    """The line of a name that does not fit its column; the rest of its row follows it."""
    return [] if len(name) <= names else [shortened(name, width)]


def _listed(table: Table, rows: Sequence[Row], width: int) -> list[str]:
    """Rows whose values follow each other; what lies under them comes last."""
    values = [_values(table, row) for row in rows]
    # Names may be longer where all that follows them fits beside.
    longest = max((len("  ".join(each)) for each in values), default=0)
    names = _names_width(_names(rows), width - longest - 1)
    said = [shortened(table.heading, width)]
    for row, name, each in zip(rows, _names(rows), values, strict=True):
        start = f"{name if len(name) <= names else '':<{names}} "
        said += [*_own_line(name, names, width), *_line(table, row, start, each, width)]
    return said


def _values(table: Table, row: Row) -> list[str]:
    """Its values with their units. What is not known is left out where only its unit would be said of it."""
    values = [
        f"{_clean(cell.value)} {_unit(column.unit, cell.value)}".rstrip()
        for column, cell in zip(table.columns, row.cells, strict=True)
        if column.brief and cell.value and not (column.unit and cell.value == MISSING and cell is not row.cells[0])
    ]
    if not row.cells[0].value:
        values.insert(0, "")
    if not table.columns[0].text:
        values[0] = f"{values[0]:>8}"
    return values


def _line(table: Table, row: Row, name: str, values: Sequence[str], width: int) -> list[str]:
    limits = [
        f"(95 %: {cell.under})"
        for column, cell in zip(table.columns, row.cells, strict=True)
        if column.brief and not column.text and cell.under
    ]
    said, whole = (f"{name}{'  '.join(parts)}".rstrip() for parts in (values, [*values, *limits]))
    if len(whole) <= width:
        return [whole]
    if len(said) <= width:
        return [said]
    joined = "  ".join(values)
    start = f"{name}{' ' * (len(joined) - len(joined.lstrip()))}"
    lines = folded(joined.strip(), width, first=start, then=" " * len(name), most=MOST_LINES).splitlines()
    return [_cut(line, width) for line in lines]


def _unit(unit: str, value: str) -> str:
    """`1 turn`, and not `1 turns`; units of measurement have no plural."""
    return unit[:-1] if value == "1" and unit in {"times", "turns", "calls", "words", "tokens"} else unit


def _cut(line: str, width: int) -> str:
    """A line that ends within the terminal: one long word, such as an address, is the only one that does not."""
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _clean(text: str) -> str:
    """`plain` text that keeps the gaps between its parts."""
    return "  ".join(map(plain, text.split("  ")))
