"""The outcome of the gate as sections of tables, for Markdown and the page."""

from __future__ import annotations

from bench.report.document import Cell, Column, Row, Section, Table, lines, row
from bench.report.gate.findings import GateReport, GateRow
from bench.report.gate.phrases import change, how, probability, shown, size, title_of
from bench.report.phrases import MISSING


def sections(report: GateReport) -> list[Section]:
    """Measures, the window, the skipped runs, and how it was judged."""
    found = [Section("measures", "Measures", (_measures(report),)), Section("window", "The window", _window(report))]
    if report.family:
        found.append(Section("how", "How this was judged", said=tuple(how(report))))
    return found


def _measures(report: GateReport) -> Table:
    columns = (
        Column("verdict", text=True),
        Column("this run"),
        Column("usual"),
        Column("change"),
        Column("alarm bound"),
        Column("would be found"),
        Column("spread"),
        Column("p"),
    )
    return Table(
        "Measures against the window",
        columns,
        tuple(map(_measure, report.rows)),
        "Measure",
        notes=("Beneath, or in brackets: shares, the part of a spread by calls, and p of all measures together",),
    )


def _measure(each: GateRow) -> Row:
    if not each.judged:
        return row(title_of(each), Cell("not judged", each.why), shown(each, each.value), *(MISSING,) * 6)
    return row(
        title_of(each),
        Cell(each.verdict, bad=each.verdict == "regression"),
        shown(each, each.value),
        shown(each, each.baseline),
        _two_lines(change(each)),
        shown(each, each.bound),
        _two_lines(size(each, each.detectable)),
        Cell(size(each, each.spread).partition(" (")[0], size(each, each.within).partition(" (")[0]),
        Cell(probability(each.p), probability(each.p_adjusted)),
    )


def _two_lines(amount: str) -> Cell:
    """`+168 ms (+20.4 %)`, with the share beneath: the table must fit a page."""
    absolute, _, share = amount.partition(" (")
    return Cell(absolute, share.removesuffix(")"))


def _window(report: GateReport) -> tuple[Table, ...]:
    columns = (Column("turns answered"), Column("folder", text=True))
    runs = [
        row(f"{each.started_at:%Y-%m-%d %H:%M}", f"{each.answered:,}/{each.turns:,}", each.folder)
        for each in report.window
    ]
    tables = [Table("Runs to judge by", columns, tuple(runs), "Began (UTC)")] if runs else []
    if report.skipped:
        tables.append(lines("Left out", [(each.folder, each.why) for each in report.skipped]))
    return tuple(tables)
