"""What the cost section tells of a budget."""

from __future__ import annotations

from bench.report.budget_section import budget_tables
from bench.store.manifest import BudgetUsed


def told(used: BudgetUsed) -> dict[str, list[str]]:
    (table,) = budget_tables(used)
    return {row.title.strip(): [cell.value for cell in row.cells] for row in table.rows}


def test_a_run_without_a_budget_has_no_table() -> None:
    assert budget_tables(None) == ()


def test_used_limit_and_the_estimated_share() -> None:
    used = BudgetUsed(max_usd=0.05, known_usd=0.036, estimated_usd=0.009, estimated_turns=2, minutes=3.2, sessions=8)
    assert told(used) == {
        "US dollars": ["$0.04500 of $0.05", "90.0 %"],
        "Of it, estimated (2 turns)": ["$0.009000", "20.0 %"],
        "Minutes of calls": ["3.20, no limit", "-"],
        "Calls begun": ["8, no limit", "-"],
    }


def test_money_that_is_not_known_is_no_zero() -> None:
    rows = told(BudgetUsed(max_usd=0.05, max_sessions=8, known_usd=None, estimated_usd=None, sessions=8))
    assert rows["US dollars"] == ["- of $0.05", "-"]
    assert rows["Calls begun"] == ["8 of 8", "100.0 %"]


def test_a_limit_that_was_passed_is_marked() -> None:
    (table,) = budget_tables(BudgetUsed(max_usd=0.05, known_usd=0.051, estimated_usd=0.0))
    assert table.rows[0].cells[1].bad
