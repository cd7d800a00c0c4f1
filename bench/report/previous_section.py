"""What changed since the previous run, as a section of the report.

In: a `Summary`. Out: a `Section`; empty where no earlier run lies beside this one.
Trap: "cannot tell" is no "the same"; what would have been seen stands beside it.
"""

from __future__ import annotations

from bench.report.compare.phrases import bare, change, limits, name_of, relative, relative_limits, size, value_text
from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_differences import MetricDifference

SAID = (
    "Against the run of {when} UTC ({verdict}) in {folder}, the last one of this scenario and target before this one. "
    "Intervals are of these calls alone: the hour, the network and the load of a shared endpoint may differ too."
)


def previous_section(summary: Summary) -> Section:
    found = summary.previous
    if found is None:
        return Section("previous", "Since the previous run")
    columns = (
        Column("then"),
        Column("now"),
        Column("change"),
        Column("of then", brief=False),
        Column("verdict", text=True),
        Column("would be seen", brief=False),
    )
    table = Table(
        "Since the previous run",
        columns,
        tuple(map(_row, found.rows)),
        "Measure",
        "SINCE THE PREVIOUS RUN (then, now, change)",
        notes=("Ranges are 95 % intervals.",),
    )
    said = SAID.format(when=f"{found.started_at:%Y-%m-%d %H:%M}", verdict=found.verdict, folder=found.folder)
    points = tuple(
        f"Not the same {each.title}: {' then, '.join(value or 'not said' for value in each.values)} now."
        for each in found.conditions
    )
    return Section("previous", "Since the previous run", (table,), (said,), points=points)


def _row(each: MetricDifference) -> Row:
    cells = (
        value_text(each, each.a),
        value_text(each, each.b),
        Cell(bare(each, change(each)), bare(each, limits(each))),
        Cell(relative(each, each.value), relative_limits(each)),
        Cell(each.verdict, each.refused or "", bad=each.verdict == "worse"),
        bare(each, size(each, each.detectable)),
    )
    return row(name_of(each), *cells)
