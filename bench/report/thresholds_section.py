"""The thresholds of a run as a table: mark, observed value first, bound, rows."""

from __future__ import annotations

import math

from bench.measure.metrics import METRICS
from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_thresholds import ThresholdResult
from bench.report.phrases import amount, plain
from bench.scenario.threshold_grammar import show_value

SAID = (
    "What this run had to keep to pass. In a percentile of a wait, a turn that nobody answered counts as never. A "
    "threshold without enough samples is no data, and the run does not pass."
)
MARKS = {True: "✓", False: "✗", None: "?"}
_TEXT = (
    Column("observed", text=True),
    Column("bound", text=True),
    Column("rows", text=True),
    Column("result", text=True),
    Column("note", text=True, brief=False),
)


def thresholds_section(summary: Summary) -> Section:
    """Every threshold with what was observed; defaults are marked, since nobody asked for them."""
    tables = [Table("Thresholds", _TEXT, tuple(map(_row, summary.thresholds)), "Metric", "THRESHOLDS")]
    broken = tuple(row(why, f"{count:,}") for why, count in summary.broken_objectives.items())
    if broken:
        columns = (Column("turns"),)
        tables.append(Table("Turns that were not good", columns, broken, "First objective not kept", "NOT GOOD"))
    return Section("thresholds", "Thresholds", tuple(tables), (SAID,))


def _row(found: ThresholdResult) -> Row:
    bound = f"{found.bound_text}{' (default)' if found.default else ''}"
    rows = amount(found.n, found.per)
    if found.ok is None and found.n < found.needed:
        rows = f"{found.n:,} of {found.needed:,} needed"
    metric = METRICS[found.metric]
    limits = [] if found.low is None or found.high is None else [found.low, found.high]
    shown = "..".join("never" if math.isinf(limit) else show_value(limit, metric) for limit in limits)
    observed = Cell(plain(found.observed_text), shown, bad=found.ok is False)
    notes = "; ".join(found.notes)
    return row(f"{MARKS[found.ok]} {found.rows_named}", observed, bound, rows, found.mark, notes)
