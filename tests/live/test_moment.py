"""What the run tells its page once a second."""

from __future__ import annotations

import json

from bench.live.moment import moment_of
from bench.load.progress import LiveCalls, Progress, Tally, WorkerState
from bench.load.spend import Spend
from bench.scenario.budget import Budget

CALLS = LiveCalls(open=3, talking=2, started=9, dropped=1, call_s=90.0)


def progress(**changes: object) -> Progress:
    values = {"phase": "steady", "elapsed_s": 12.345, "done": 0.5, "admission_over": False, "calls": CALLS}
    return Progress(**{**values, "tally": Tally(), **changes})  # type: ignore[arg-type]


def test_a_moment_is_small_and_fits_into_json() -> None:
    worker = WorkerState("w0 (pid 3)", "running", 3, 12.0, 1 << 20)
    said = json.loads(json.dumps(moment_of(progress(workers=(worker,)), None)))
    assert (said["phase"], said["open"], said["talking"], said["begun"], said["dropped"]) == ("steady", 3, 2, 9, 1)
    assert said["workers"][0]["title"] == "w0 (pid 3)"
    assert said["limits"] == []
    assert moment_of(progress(done=None), None)["done"] is None


def test_each_limit_says_what_is_used_of_it() -> None:
    budget = Budget(max_usd=5.0, max_minutes=3.0, max_sessions=10)
    spend = Spend(known_usd=1.0, estimated_usd=0.25, in_flight_usd=0.25, priced=True)
    money, minutes, calls = moment_of(progress(spend=spend), budget)["limits"]
    assert (money["share"], money["text"]) == (0.3, "$1.000 of $5, $0.5000 more estimated")
    assert (minutes["share"], minutes["text"]) == (0.5, "1.5 of 3")
    assert (calls["share"], calls["text"]) == (0.9, "9 of 10")


def test_money_that_nothing_is_known_of_is_not_zero() -> None:
    money = moment_of(progress(spend=Spend()), Budget(max_usd=5.0))["limits"][0]
    assert money["text"] == "- of $5"
