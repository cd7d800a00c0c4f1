"""The phases of a run as one table: planned load, turns that ended within the phase and ran over its end, figures.

In: the `phases` of a summary. Out: a section.
"""

from __future__ import annotations

from bench.report.document import Column, Row, Section, Table, row
from bench.report.figure_cell import NEVER, figure_cell
from bench.report.findings import Summary
from bench.report.findings_phases import PhaseRow, PhasesReport
from bench.report.phrases import MISSING, number, percent, seconds

SAID = (
    "A turn belongs to the phase in which it began, a call to that in which it was planned to begin. Turns that ended "
    "within their phase are told from those that ran over its end; the percentiles are of both, but for the last "
    "column. What began in a warm-up phase is counted here and left out of everything else."
)
GOODPUT = "Goodput is the share of turns that were answered and kept the objectives of their phase: {}."
TOGETHER = "Each row is of all targets together; a threshold with {target=NAME, phase=NAME} is about those of one."
FOLLOWS = "finishing: calls that were open when the last phase ended."


def phases_section(summary: Summary) -> Section:
    """Nothing in a run without phases."""
    found = summary.phases
    if found is None:
        return Section("phases", "Phases")
    return Section("phases", "Phases", (_table(found),), (SAID, *([TOGETHER] if summary.targets else [])))


def _table(found: PhasesReport) -> Table:
    cut_off, judged = any(each.cut_off for each in found.rows), any(each.good is not None for each in found.rows)
    columns = [Column("length", text=True, brief=False), Column("calls"), Column("turns"), Column("within")]
    columns += [Column("over"), *([Column("cut off")] if cut_off else []), Column("p50"), Column("p95")]
    columns += [Column("errors"), *([Column("goodput")] if judged else []), Column("p95, within", brief=False)]
    notes = ["Ranges are 95 % intervals."]
    if judged:
        notes.append(GOODPUT.format("; ".join(_objectives(found))))
    footnotes = [*([NEVER] if any(each.answered < each.measured for each in found.rows) else [])]
    footnotes += [FOLLOWS] if found.rows[-1].end_s is None else []
    return Table(
        f"Phases by {found.title}, ms",
        tuple(columns),
        tuple(_row(each, cut_off=cut_off, judged=judged) for each in found.rows),
        "Phase",
        f"PHASES ({found.title.upper()}, MS)",
        tuple(notes),
        tuple(footnotes),
        quoted=next(place for place, column in enumerate(columns) if column.title == "p50"),
    )


def _row(each: PhaseRow, *, cut_off: bool, judged: bool) -> Row:
    load = each.load.split(" over ")[0].replace(" to ", "→")
    left_out = " (left out)" if each.warmup else ""
    return row(
        f"{each.name}{f': {load}' if load else ''}{left_out}",
        MISSING if each.end_s is None else seconds(each.end_s - each.begin_s),
        f"{each.calls:,}",
        f"{each.turns:,}",
        f"{each.within:,}",
        f"{each.over:,}",
        *([f"{each.cut_off:,}"] if cut_off else []),
        figure_cell(each.p50, number),
        figure_cell(each.p95, number),
        figure_cell(each.error_rate, percent),
        *([figure_cell(each.goodput, percent)] if judged else []),
        figure_cell(each.p95_within, number),
    )


def _objectives(found: PhasesReport) -> list[str]:
    """`hold, spike: first_audible_ms < 800ms`, phases with the same objectives together."""
    by_text: dict[str, list[str]] = {}
    for each in found.rows:
        if each.good is not None:
            by_text.setdefault(" and ".join(each.objectives), []).append(each.name)
    if len(by_text) == 1 and all(each.warmup or each.good is not None for each in found.rows):
        return list(by_text)
    return [f"{', '.join(names)}: {text}" for text, names in by_text.items()]
