"""A comparison as sections of tables, for Markdown and the page.

In: a `Comparison`. Out: `Section`s. Trap: a verdict stands beside what would have been seen, since "cannot tell" alone
is read as "the same".
"""

from __future__ import annotations

from bench.report.compare.findings import Comparison, Pair
from bench.report.compare.phrases import (
    bare,
    change,
    how,
    limits,
    name_of,
    relative,
    relative_limits,
    size,
    value_text,
)
from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.findings_differences import Condition, MetricDifference
from bench.report.phrases import MISSING

MEANINGS = {
    "refuse": "its metrics are not compared",
    "warn": "the numbers may differ for this",
    "note": "worth knowing",
}


def sections(found: Comparison) -> list[Section]:
    """Runs, differences, what was not the same, and how it was computed."""
    return [
        Section("runs", "The runs", (_runs(found),)),
        *(_differences(pair, found) for pair in found.pairs),
        *([_conditions(found)] if found.conditions else []),
        Section("how", "How this was computed", said=tuple(how(found))),
    ]


def meaning(condition: Condition) -> str:
    """What a condition means for the numbers."""
    touched = f": {', '.join(condition.metrics)}" if condition.metrics else ""
    return "intended" if condition.allowed else f"{MEANINGS[condition.level]}{touched}"


def _runs(found: Comparison) -> Table:
    columns = (
        Column("began (UTC)", text=True),
        Column("verdict", text=True),
        Column("to be trusted", text=True),
        Column("calls"),
        Column("turns answered"),
        Column("target", text=True),
        Column("folder", text=True),
    )
    rows = tuple(
        row(
            card.letter,
            f"{card.started_at:%Y-%m-%d %H:%M}",
            Cell(card.verdict, bad=not card.usable),
            Cell(card.trust, bad=card.trust == "no"),
            f"{card.calls:,}",
            f"{card.answered:,}/{card.turns:,}",
            card.target,
            card.folder,
        )
        for card in found.runs
    )
    return Table("Runs", columns, rows, "Run")


def _differences(pair: Pair, found: Comparison) -> Section:
    base = found.runs[0].letter
    columns = (
        Column(base),
        Column(pair.letter),
        Column(f"{pair.letter} - {base}"),
        Column(f"of {base}"),
        Column("verdict", text=True),
        Column("would be seen"),
        Column("matters from"),
        Column("rows"),
    )
    title = f"{pair.letter} against {base}"
    table = Table(title, columns, tuple(map(_row, pair.rows)), "Measure", notes=("Ranges are 95 % intervals.",))
    return Section(f"pair-{pair.letter}", title, (table,))


def _row(each: MetricDifference) -> Row:
    cells = (
        value_text(each, each.a),
        value_text(each, each.b),
        Cell(bare(each, change(each)), bare(each, limits(each))),
        Cell(relative(each, each.value), relative_limits(each)),
        Cell(each.verdict, each.refused or "", bad=each.verdict == "worse"),
        bare(each, size(each, each.detectable)),
        bare(each, size(each, each.matters)),
        f"{each.n_a:,} · {each.n_b:,}",
    )
    return row(name_of(each), *cells)


def _conditions(found: Comparison) -> Section:
    columns = (*(Column(card.letter, text=True) for card in found.runs), Column("what it means", text=True))
    rows = tuple(
        row(each.title, *(value or MISSING for value in each.values), Cell(meaning(each), each.advice))
        for each in found.conditions
    )
    table = Table("Not the same in all runs", columns, rows, "Condition", notes=('"-": the run does not say.',))
    return Section("conditions", "What was not the same", (table,))
