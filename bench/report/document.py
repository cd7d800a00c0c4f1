"""The parts of a report as every renderer reads them: sections of sentences and tables of text.

In: nothing. Out: plain types, built in `sections` and `health_text`, rendered as text, Markdown and HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

LONG_TEXT = 24


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, smaller figures that belong to it (such as its interval), and whether it is beyond its bound."""

    value: str
    under: str = ""
    bad: bool = False
    heat: int | None = None
    """How strong its colour is, 0 to 100, in a table of which the highest has 100."""


@dataclass(frozen=True, slots=True)
class Column:
    """The title of a column. `unit` follows each value in the terminal, which leaves the column out if not `brief`."""

    title: str
    unit: str = ""
    text: bool = False
    """Whether its cells are text, aligned to the left."""
    brief: bool = True
    head: str = ""
    """Its head above aligned columns in the terminal, where the title is too long for that."""
    spare: bool = False
    """Whether a narrow terminal leaves it out before others."""


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    cells: tuple[Cell, ...]
    meaning: str = ""
    metric: str = ""
    """The metric whose definition explains the title."""
    brief: bool = True
    """Whether the terminal shows it."""
    bar: float | None = None
    """Length of the row's bar, as a share of the longest one."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title. One without `title` is for the terminal alone, one without `heading` for the others."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    head: str = ""
    """The title of the first column."""
    heading: str = ""
    """The title in the terminal."""
    notes: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()
    """Notes that the terminal prints too."""
    quoted: int | None = None
    """The column whose smaller figures the terminal prints, aligned; None: each row is a line of its own."""
    most: int | None = None
    """The most rows that the terminal prints; None for all."""
    bars: Literal["", "usual", "bad"] = ""
    folded: bool = False
    """Whether the page shows it only when it is opened."""

    def is_long(self, place: int) -> bool:
        """Whether a column holds sentences, which a page gives room to."""
        return any(len(each.cells[place].value) > LONG_TEXT for each in self.rows)


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    tables: tuple[Table, ...] = ()
    said: tuple[str, ...] = ()
    """Sentences under the title."""
    answer: str = ""
    """The title's question answered in a word; `points` gives the reasons."""
    points: tuple[str, ...] = ()


def row(title: str, *values: str | Cell, metric: str = "", brief: bool = True, meaning: str = "") -> Row:
    cells = tuple(value if isinstance(value, Cell) else Cell(value) for value in values)
    return Row(title, cells, meaning, metric, brief)


def lines(title: str, rows: Iterable[tuple[str, str]], *, heading: str = "") -> Table:
    """A table of one column of text."""
    return Table(title, (Column("", text=True),), tuple(row(name, value) for name, value in rows), heading=heading)


def barred(rows: Iterable[Row], lengths: Sequence[float | None]) -> tuple[Row, ...]:
    """`rows` with bars of these lengths; None and what is not positive have none."""
    longest = max((length for length in lengths if length), default=0.0)
    return tuple(
        replace(each, bar=length / longest if length and length > 0 else None)
        for each, length in zip(rows, lengths, strict=True)
    )
