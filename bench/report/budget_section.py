"""The budget of a run as a table of the cost section: what was used of each limit, and how much of it is an estimate.

In: the stored `BudgetUsed`. Out: one table, none for a run without a budget.
Trap: what is estimated stands in a row of its own under the sum that it is part of.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.report.document import Cell, Column, Row, Table, row
from bench.report.findings_cost import CostReport
from bench.report.phrases import amount, number, percent, usd, usd_limit
from bench.store.manifest import BudgetUsed

_NOTE = (
    "Everything that is paid for counts, warm-up too. Estimated are turns without a usage or a price, and turns that "
    "were cut off: each counts what such a turn is expected to cost."
)


def budget_tables(budget: BudgetUsed | None) -> tuple[Table, ...]:
    """What was used is told of every kind, also of one without a limit."""
    if budget is None:
        return ()
    known, estimated = budget.known_usd, budget.estimated_usd
    together = None if known is None and estimated is None else (known or 0.0) + (estimated or 0.0)
    rows = [_limit("US dollars", together, budget.max_usd, usd, usd_limit)]
    if estimated and together:
        turns = amount(budget.estimated_turns, "turn")
        rows.append(row(f"  Of it, estimated ({turns})", usd(estimated), percent(estimated / together)))
    rows.append(_limit("Minutes of calls", budget.minutes, budget.max_minutes, lambda value: number(value, 2)))
    rows.append(_limit("Calls begun", budget.sessions, budget.max_sessions, number))
    columns = (Column("used"), Column("share"))
    return (Table("Budget", columns, tuple(rows), "What", "BUDGET", (_NOTE,)),)


def estimate_note(cost: CostReport, *, ended: bool) -> tuple[str, ...]:
    """What the plan was expected to cost and, where the run came to its own end, how far the bill is from it."""
    before, total = cost.estimate, cost.total_usd
    if before is None or before.usd is None:
        return ()
    said = f"Expected before the run: {usd(before.usd)} ({usd(before.low_usd)} to {usd(before.high_usd)})"
    if not ended or total is None or cost.at_least or not before.usd:
        return (f"{said}.",)
    return (f"{said}; the bill is {percent(abs(total / before.usd - 1), 0)} {_side(total, before.usd)} that.",)


def _side(total: float, expected: float) -> str:
    return "above" if total > expected else "below"


def _limit(
    title: str,
    used: float | None,
    limit: float | None,
    shown: Callable[[float | None], str],
    limit_shown: Callable[[float | None], str] | None = None,
) -> Row:
    share = None if used is None or limit is None else used / limit
    said = f"{shown(used)} of {(limit_shown or shown)(limit)}" if limit is not None else f"{shown(used)}, no limit"
    return row(title, said, Cell(percent(share), bad=share is not None and share > 1))
