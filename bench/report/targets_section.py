"""Targets side by side as a table, the best first."""

from __future__ import annotations

from collections.abc import Callable

from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_targets import Figure, TargetRow
from bench.report.phrases import MISSING, number, percent, usd

SAID = (
    "All targets were called in turn, in an order drawn for each round, so that what changed during the run hit all "
    "alike. Tables below that do not name a target are of all of them together."
)


def targets_section(summary: Summary) -> Section:
    """Nothing in a run with one target."""
    found = summary.targets
    if found is None:
        return Section("targets", "Targets")
    columns = (
        Column("p50"),
        Column("p95"),
        Column("errors"),
        Column("WER"),
        Column("$/min"),
        Column("turns"),
        Column("model", text=True, brief=False),
    )
    table = Table(
        f"Targets by {found.title}, ms, the fastest first",
        columns,
        tuple(map(_row, found.rows)),
        "Target",
        f"TARGETS ({found.title.upper()}, MS)",
        notes=("Ranges are 95 % intervals.",),
        quoted=0,
    )
    return Section("targets", "Targets, side by side", (table,), (SAID,))


def _row(each: TargetRow) -> Row:
    return row(
        f"{each.rank}. {each.name}",
        _cell(each.p50, number),
        _cell(each.p95, number),
        _cell(each.error_rate, percent, bad=bool(each.calls) and not each.ready),
        _cell(each.wer, percent),
        _cell(each.cost_per_minute_usd, usd),
        f"{each.answered:,}/{each.turns:,}",
        each.model or MISSING,
    )


def _cell(figure: Figure, show: Callable[[float | None], str], *, bad: bool = False) -> Cell:
    limits = ""
    if figure.low is not None and figure.high is not None:
        limits = f"{show(figure.low).removesuffix(' %')}..{show(figure.high)}"
    return Cell(show(figure.value), limits, bad=bad)
