"""Targets side by side: a table of their figures, the best first, and one of what they differ by.

In: the `targets` of a summary. Out: a section.
Trap: "cannot tell" is no "equal". What difference would have been seen stands beside it.
"""

from __future__ import annotations

from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.figure_cell import NEVER, figure_cell
from bench.report.findings import Summary
from bench.report.findings_targets import TargetDifference, TargetRow, TargetsReport
from bench.report.phrases import MISSING, capital, number, percent, usd
from bench.report.target_phrases import limits, shown

SAID = (
    "The targets were called in turn, in an order drawn for each round, so that what changed during the run hit all "
    "alike. They are ranked by the median, and those that cannot be told from the best are all first. Other sections "
    "are of all targets together where they name none."
)
DIFFERENCES = (
    "Intervals resample whole rounds of calls. Where one holds 0, the two cannot be told apart; a true difference of "
    "the size in the last column would have been seen in 80 of 100 such runs. pp: percentage points."
)
TOGETHER = "The intervals hold for all comparisons together at 95 %, each by itself at {}."


def targets_section(summary: Summary) -> Section:
    """Nothing in a run with one target."""
    found = summary.targets
    if found is None:
        return Section("targets", "Targets")
    return Section("targets", "Targets, side by side", (_figures(found), *_differences(found)), (SAID,))


def _figures(found: TargetsReport) -> Table:
    columns = (
        Column("p50"),
        Column("p95"),
        Column("errors"),
        Column("WER"),
        Column("$/min", spare=True),
        Column("turns", spare=True),
        Column("calls"),
        Column("model", text=True, brief=False),
    )
    lost = any(each.answered < each.turns for each in found.rows)
    return Table(
        f"Targets by {found.title}, ms",
        columns,
        tuple(map(_row, found.rows)),
        "Target",
        f"TARGETS ({found.title.upper()}, MS)",
        ("Ranges are 95 % intervals. Turns and calls are those answered, and those that became ready, of all.",),
        footnotes=(NEVER,) if lost else (),
        quoted=0,
    )


def _row(each: TargetRow) -> Row:
    place = MISSING if each.rank is None else f"{each.rank}."
    return row(
        f"{place} {each.name}",
        figure_cell(each.p50, number),
        figure_cell(each.p95, number),
        figure_cell(each.error_rate, percent),
        figure_cell(each.wer, percent),
        figure_cell(each.cost_per_minute_usd, usd),
        f"{each.answered:,}/{each.turns:,}",
        Cell(f"{each.ready:,}/{each.calls:,}", bad=bool(each.calls) and not each.ready),
        each.model or MISSING,
    )


def _differences(found: TargetsReport) -> tuple[Table, ...]:
    best = found.rows[0].name
    rows = tuple(
        row(
            f"{each.name}, {_name(one)}",
            Cell(shown(one, one.value), limits(one)),
            one.judged,
            MISSING if one.detectable is None else shown(one, one.detectable).lstrip("+"),
        )
        for each in found.rows[1:]
        for one in each.differences
    )
    columns = (
        Column("difference"),
        Column("judged", text=True),
        Column("smallest that is seen", "would have been seen"),
    )
    notes = (DIFFERENCES, *([TOGETHER.format(percent(found.level))] if found.level > 0.95 else []))
    table = Table(f"Difference from {best}", columns, rows, "Target, figure", f"COMPARED WITH {best}", notes)
    return (table,) if rows else ()


def _name(one: TargetDifference) -> str:
    title = capital(one.title) if one.metric == "wer" else one.title
    return f"{title} {one.statistic}" if one.statistic.startswith("p") else title
