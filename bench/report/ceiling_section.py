"""The ceiling of a search in sentences, and its levels as a table.

In: the `ceiling` of a summary. Out: a section, and the sentence for the verdict.
"""

from __future__ import annotations

from bench.report.ceiling_phrases import ceiling_sentence, limit_sentence
from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.figure_cell import NEVER, figure_cell
from bench.report.findings import Summary
from bench.report.findings_ceiling import CeilingReport, LevelRow
from bench.report.phrases import MISSING, number, percent

SAID = (
    "A level is carried when at least {} of its turns are good: answered, and within every objective ({}). A call that "
    "was refused counts as a bad turn. Turns that begin before a level has settled are left out here. The other "
    "sections are of all levels together, those beyond the ceiling included."
)
PROJECTED = (
    "What calls need of tokens and requests per minute is learned from whole calls and set against the limits that the "
    "server reports, since a quota of a minute begins full and a short level does not empty it. Vendors reserve "
    "max_output_tokens for each response that is under way, so refusals may begin earlier."
)


def ceiling_section(summary: Summary) -> Section:
    """Nothing in a run that was no search."""
    found = summary.ceiling
    if found is None:
        return Section("ceiling", "Ceiling")
    objectives = "; ".join(found.objectives) + (", the default" if found.default_objectives else "")
    said = [SAID.format(percent(found.goodput, 0), objectives)]
    if found.limit in {"tokens", "requests"}:
        said.append(PROJECTED)
    return Section("ceiling", "Ceiling", (_facts(found), _levels(found)), tuple(said))


def _facts(found: CeilingReport) -> Table:
    peak = MISSING if found.planned_peak is None else (found.headroom_sentence or MISSING).removeprefix("planned peak ")
    rows = (
        row("Ceiling", ceiling_sentence(found)),
        row("Limit met", limit_sentence(found)),
        row("Planned peak", peak),
        *([row("Ask for", found.ask)] if found.ask else []),
        row("Calls of the search", f"{found.calls:,}"),
    )
    return Table("The ceiling", (Column("", text=True),), rows, heading="CEILING")


def _levels(found: CeilingReport) -> Table:
    columns = [Column("good"), Column("p50"), Column("p95"), Column("errors"), Column("refused")]
    columns += [Column("turns"), Column("calls"), Column("carried", text=True), Column("why", text=True, brief=False)]
    return Table(
        f"Levels by {found.title}, ms",
        tuple(columns),
        tuple(_row(each) for each in found.rows),
        "Level",
        f"LEVELS ({found.title.upper()}, MS)",
        ("Ranges are 95 % intervals.",),
        footnotes=(NEVER,) if any(each.error_rate.value for each in found.rows) else (),
        quoted=0,
    )


def _row(each: LevelRow) -> Row:
    verdict = MISSING if each.held is None else "yes" if each.held else "no"
    return row(
        each.name,
        figure_cell(each.goodput, percent),
        figure_cell(each.p50, number),
        figure_cell(each.p95, number),
        figure_cell(each.error_rate, percent),
        f"{each.never_ready:,}",
        f"{each.turns:,}",
        f"{each.calls:,}",
        Cell(verdict if each.sure or each.held is None else f"{verdict}?", bad=each.held is False),
        each.sentence,
    )
