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
        Column("this run"),
        Column("usual"),
        Column("spread"),
        Column("of it by calls"),
        Column("change"),
        Column("alarm bound"),
        Column("would be found"),
        Column("p"),
        Column("p, all together"),
        Column("verdict", text=True),
    )
    return Table("Measures against the window", columns, tuple(map(_measure, report.rows)), "Measure")


def _measure(each: GateRow) -> Row:
    if not each.judged:
        blank = (MISSING,) * 8
        return row(title_of(each), shown(each, each.value), *blank, Cell("not judged", each.why))
    return row(
        title_of(each),
        shown(each, each.value),
        shown(each, each.baseline),
        size(each, each.spread),
        size(each, each.within),
        change(each),
        shown(each, each.bound),
        size(each, each.detectable),
        probability(each.p),
        probability(each.p_adjusted),
        Cell(each.verdict, bad=each.verdict == "regression"),
    )


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
