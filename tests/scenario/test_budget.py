"""What a `budget:` may say, and what is told of one that says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.scenario.budget import Budget
from bench.scenario.read import load_scenario
from tests.support.processes import ROOT

QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"


def test_dollars_with_or_without_their_sign() -> None:
    assert Budget.model_validate({"max_usd": "$0.05"}) == Budget(max_usd=0.05)
    assert Budget.model_validate({"max_usd": 5}).max_usd == 5.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("budget.max_usd=0", "US dollars above 0"),
        ("budget.max_usd=five", "found 'five'; allowed: US dollars above 0"),
        ("budget.max_usd=.inf", "US dollars above 0"),
        ("budget.max_minutes=30m", "a number of minutes above 0, without a unit"),
        ("budget.max_sessions=0", "budget.max_sessions"),
        ("budget={}", "limits nothing; allowed: max_usd, max_minutes, max_sessions"),
        ("budget.max_dollars=3", "max_dollars"),
    ],
)
def test_what_is_refused(change: str, said: str) -> None:
    with pytest.raises(BenchError) as refused:
        load_scenario(QUICKSTART, overrides=[change])
    assert said in refused.value.message


def test_it_is_kept_in_the_expanded_scenario(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nconversation: [{say: balance-rms}]\nbudget: {max_usd: 0.5, max_sessions: 3}\n")
    budget = load_scenario(path).budget
    assert budget is not None
    assert (budget.max_usd, budget.max_minutes, budget.max_sessions) == (0.5, None, 3)
