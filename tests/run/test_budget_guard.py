"""When a budget ends a run, and in which words; no call is made here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.load.factory import fixtures_of
from bench.load.progress import LiveCalls, Progress, WorkerState
from bench.load.spec import RunSpec
from bench.load.spend import Expectation, Ledger
from bench.pricing.book import books_for
from bench.run.budget_guard import BudgetGuard, budget_guard
from bench.run.screen import figures
from bench.scenario.budget import Budget
from bench.scenario.read import load_scenario
from bench.store.folder import RunFolder
from tests.load.test_spend import session, turn
from tests.run.workers import progress
from tests.support.processes import ROOT

QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"


def guard(budget: Budget, *planned: float) -> BudgetGuard:
    return BudgetGuard(budget, Ledger(Expectation(planned), 2))


def live(**counts: float) -> Progress:
    return replace(progress(), calls=LiveCalls(**counts))  # type: ignore[arg-type]


def test_it_stops_before_the_turns_in_flight_would_pass_the_limit() -> None:
    dog = guard(Budget(max_usd=0.1), 0.01, 0.02)
    assert dog(dog.seen(live(open=9))) is None, "9 first turns: $0.09"
    stop = dog(dog.seen(live(open=10)))
    assert stop is not None
    assert stop.reason == "budget"
    assert "$0 spent, $0.1000 estimated for 10 turns in flight, $0.1000 together; the limit is max_usd = $0.1" in (
        stop.sentence
    )


def test_the_sentence_names_what_is_estimated() -> None:
    dog = guard(Budget(max_usd=0.03), 0.01, 0.02)
    dog.turn(turn("a", 0, 0.01))
    dog.turn(turn("a", 1, cost_unknown="tokens (the server reported no usage)"))
    stop = dog(dog.seen(live(open=0)))
    assert stop is not None
    assert "$0.01000 spent, $0.02000 estimated for 1 turn without a usage or a price" in stop.sentence


def test_minutes_are_judged_ahead_by_what_is_not_seen_yet() -> None:
    dog = guard(Budget(max_minutes=1))
    assert dog(live(open=5, call_s=58.9)) is None
    assert dog(live(open=5, call_s=59.0)) is not None, "five open calls use another second until it is asked again"
    elsewhere = replace(live(open=5, call_s=56.6), workers=(WorkerState("w0", "running", 5, 0.0, 0),))
    assert dog(elsewhere) is not None, "what other processes say is half a second old"


def test_calls_that_were_withheld_are_told_at_the_end() -> None:
    dog = guard(Budget(max_sessions=4))
    dog.seen(live(started=4))
    assert dog.at_end() is None, "the load asked for no more"
    dog.seen(live(started=4, withheld=2))
    stop = dog.at_end()
    assert stop is not None
    assert "4 calls begun, and the load asks for more; the limit is max_sessions = 4" in stop.sentence


def test_what_was_used() -> None:
    dog = guard(Budget(max_usd=1), 0.01, 0.02)
    assert dog.used.known_usd is None, "nothing was priced"
    dog.turn(turn("a", 0, 0.01))
    dog.session(session("a", 0.01))
    dog.seen(live(started=1, call_s=90))
    used = dog.used
    assert (used.max_usd, used.known_usd, used.estimated_usd, used.minutes, used.sessions) == (1, 0.01, 0, 1.5, 1)


def test_the_screen_shows_the_limits() -> None:
    budget = Budget(max_usd=0.5, max_minutes=3, max_sessions=20)
    dog = guard(budget, 0.01, 0.02)
    dog.turn(turn("a", 0, 0.01))
    shown = dict(figures(dog.seen(live(open=1, started=8, call_s=72)), budget))
    assert shown["budget"] == "$0.01000 of $0.5 (est. $0.02000 more), 1.2 of 3 min, 8 of 20 calls"


def spec(tmp_path: Path, *changes: str) -> RunSpec:
    scenario = load_scenario(QUICKSTART, overrides=list(changes), url="ws://127.0.0.1:9/")
    assert scenario.target is not None
    return RunSpec(scenario, scenario.target, RunFolder(tmp_path), "r", books_for(None), fixtures_of(scenario))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["target.model=my-model"], "no price for model my-model"),
        (["target.model=gpt-realtime", "session.transcription.model=mine"], "the transcription model 'mine'"),
    ],
)
def test_money_that_cannot_be_counted_is_refused(tmp_path: Path, changes: list[str], said: str) -> None:
    with pytest.raises(BenchError, match=r"budget\.max_usd: spending cannot be counted") as refused:
        budget_guard(spec(tmp_path, "budget.max_usd=1", *changes))
    assert said in refused.value.message
    assert "budget.max_minutes" in (refused.value.hint or "")
    assert budget_guard(spec(tmp_path, "budget.max_usd=1", "budget.max_sessions=9", *changes)) is not None
    assert budget_guard(spec(tmp_path, *changes)) is None


def test_a_priced_model_needs_no_other_limit(tmp_path: Path) -> None:
    for model in ("gpt-realtime", "gpt-live-1"):
        assert budget_guard(spec(tmp_path, "budget.max_usd=1", f"target.model={model}")) is not None


def test_money_for_less_than_a_turn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="less than the first turn of a call costs"):
        budget_guard(spec(tmp_path, "budget.max_usd=0.00001", "target.model=gpt-realtime"))
