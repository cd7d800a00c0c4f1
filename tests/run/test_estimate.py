"""The estimate of a whole plan: sums, ranges, what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError, ExitCode
from bench.load.factory import fixtures_of
from bench.pricing.book import books_for
from bench.run.cost_text import budget_sentences, cost_line, cost_text
from bench.run.estimate import Estimate, estimate
from bench.run.like_run import assumption_like
from bench.run.plan import plan_text
from bench.scenario.books import books_of
from bench.scenario.budget import Budget
from bench.scenario.read import load_scenario
from tests.report import build
from tests.support.processes import ROOT, bench

QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"
MINI = ROOT / "scenarios" / "openai-mini.yaml"


def estimated(path: Path, *changes: str) -> Estimate:
    scenario = load_scenario(path, overrides=list(changes))
    return estimate(scenario, fixtures_of(scenario), books_for(scenario.pricing.book, scenario.pricing.model))


def test_meters_turns_and_calls_add_up_to_the_total() -> None:
    found = estimated(MINI)
    assert found.usd is not None
    assert sum(line.usd or 0 for line in found.meters) == pytest.approx(found.usd.mid)
    assert sum(found.turn_usd) * found.calls.mid == pytest.approx(found.usd.mid)
    assert found.per_call_usd is not None
    assert found.per_call_usd.mid == pytest.approx(found.usd.mid / 4)
    assert found.turn_usd[1] > found.turn_usd[0], "the second turn sends the first again"
    assert found.usd.low < found.usd.mid < found.usd.high


def test_the_load_scales_the_total_and_not_the_call() -> None:
    few, many = estimated(MINI, "load.sessions=40"), estimated(MINI, "load.sessions=5000")
    assert few.usd is not None
    assert many.usd is not None
    assert many.usd.mid == pytest.approx(few.usd.mid * 125, rel=0.02), "a large plan is sampled"


def test_stated_figures_replace_assumed_ones() -> None:
    usual, short = estimated(MINI), estimated(MINI, "estimate.reply=3s")
    assert usual.usd is not None
    assert short.usd is not None
    assert short.usd.mid < usual.usd.mid
    assert "a reply lasts 3 s" in short.assumed[0]
    cached = estimated(MINI, "estimate.cache_from=0")
    assert "Audio input, cached" in [line.title for line in cached.meters]
    assert "low: all" not in cached.assumed[2]


def test_a_model_that_is_billed_by_the_minute() -> None:
    found = estimated(MINI, "target.model=gpt-live-1")
    assert [line.title for line in found.meters] == ["Calls, by the minute"]
    assert found.usd is not None
    assert found.usd.mid == pytest.approx(found.minutes.mid * 0.05)


def test_a_session_that_only_transcribes_has_no_replies_to_pay_for() -> None:
    captioning = ROOT / "scenarios" / "captioning.yaml"
    address = "target.url=wss://h/v1/realtime"
    found = estimated(captioning, address, "session.transcription.model=gpt-realtime-whisper")
    assert [line.title for line in found.meters] == ["Transcription"]
    assert found.usd is not None
    assert found.usd.mid == pytest.approx(found.meters[0].quantity * 0.017)
    assert sum(found.turn_usd) * found.calls.mid == pytest.approx(found.usd.mid)
    assert estimated(captioning, address, "session.transcription.model=nobody-knows").usd is None


def test_an_unknown_price_makes_the_sums_null_and_is_named() -> None:
    found = estimated(MINI, "target.model=mine")
    assert (found.usd, found.per_call_usd, found.per_minute_usd) == (None, None, None)
    assert all(line.usd is None for line in found.meters if not line.title.startswith("Transcription"))
    assert "estimated cost: -" in cost_line(found)
    assert "no price for model mine" in cost_text("mini", found, None)


def test_what_a_budget_makes_of_the_plan() -> None:
    found = estimated(MINI, "load.sessions=100")
    assert found.usd is not None
    said = budget_sentences(found, Budget(max_usd=found.usd.mid / 4, max_minutes=1000, max_sessions=60))
    assert said[0].endswith("ends the run after about 25 of 100 calls")
    assert "max_minutes = 1000: covers the plan, also" in said[1]
    assert "max_sessions = 60: ends the run after about 60 of 100 calls" in said[2]
    (close,) = budget_sentences(found, Budget(max_usd=found.usd.mid * 1.01))
    assert "covers the plan as expected, not in the high case" in close


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_can_be_estimated(path: Path) -> None:
    scenario = load_scenario(path, choose_target=False)
    found = estimate(scenario, fixtures_of(scenario), books_for(scenario.pricing.book, scenario.pricing.model))
    assert len(found.turn_usd) in {0, scenario.turns}
    assert found.minutes.mid > 0
    assert cost_text(scenario.name, found, scenario.budget)


def test_a_dry_run_has_a_line_of_it() -> None:
    text = plan_text(load_scenario(QUICKSTART, overrides=["budget.max_usd=0.01"]))
    assert "\n# estimated cost: $0.0" in text
    assert "\n# budget: max_usd = $0.01: ends the run after about" in text


def test_as_in_a_stored_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    build.finished(folder, *build.rows(calls=12, fails=0))
    scenario = load_scenario(MINI)
    found = estimate(scenario, fixtures_of(scenario), books_for(None), assumption_like(folder, scenario))
    assert found.assumed[0].startswith("replies are as in run (")
    assert found.usd is not None


def test_a_run_without_usage_tells_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    build.finished(folder, [], [])
    with pytest.raises(BenchError, match="nothing can be assumed from it"):
        assumption_like(folder, load_scenario(MINI))


def test_from_the_command_line(tmp_path: Path) -> None:
    done = bench("cost", "quickstart", "--set", "budget.max_usd=1", "--set", "load.sessions=24")
    assert done.returncode == ExitCode.PASS, done.stderr
    assert done.stdout.startswith("quickstart: estimated cost: $0.1")
    assert "for 24 calls" in done.stdout
    assert "max_usd = $1: covers the plan, also if it goes as in the high case" in done.stdout
    assert "replies are those of the embedded agent" in done.stdout
    build.finished(tmp_path / "run", [], [])
    refused = bench("cost", tmp_path / "run", "--seed", "1")
    assert refused.returncode == ExitCode.USAGE
    assert "is a run folder" in refused.stderr


TWO = """
name: two
targets:
  mini: {url: "ws://127.0.0.1:9/", model: gpt-realtime-mini}
  large: {url: "ws://127.0.0.1:9/", model: mine, pricing: {model: gpt-realtime}}
conversation: [{say: yes-slt}, {say: balance-rms}]
load: {interleave: true, callers: 2, sessions: 10}
"""


def test_interleaved_targets_share_the_calls_each_at_its_own_prices(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(TWO)
    both = estimated(path)
    mini, large = (estimate(part, fixtures_of(part), books_of(part)) for part in load_scenario(path).parts().values())
    assert both.usd is not None
    assert mini.usd is not None
    assert large.usd is not None
    assert large.usd.mid > 2 * mini.usd.mid
    assert both.usd.mid == pytest.approx((mini.usd.mid + large.usd.mid) / 2)
    assert both.usd.low < both.usd.mid < both.usd.high
    assert (both.calls.mid, both.minutes.mid) == (10, pytest.approx((mini.minutes.mid + large.minutes.mid) / 2))
    assert sum(line.usd or 0 for line in both.meters) == pytest.approx(both.usd.mid)
    assert both.per_call_usd is not None
    assert both.per_call_usd.mid == pytest.approx(both.usd.mid / 10)
    assert sum(both.turn_usd) == pytest.approx(both.per_call_usd.mid)
    assert "mini: Audio input" in cost_text("two", both, None)


def test_where_time_bounds_the_run_the_callers_share_it(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(TWO.replace("sessions: 10", "duration: 10m"))
    both = estimated(path)
    parts = [estimate(part, fixtures_of(part), books_of(part)) for part in load_scenario(path).parts().values()]
    assert both.calls.mid == pytest.approx(sum(part.calls.mid for part in parts) / 2, rel=0.05)
    assert both.minutes.mid == pytest.approx(20, rel=0.1), "two callers for ten minutes"


def test_one_target_without_a_price_leaves_no_sum(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(TWO.replace(", pricing: {model: gpt-realtime}", ""))
    found = estimated(path)
    assert (found.usd, found.turn_usd) == (None, ())
    assert found.unknown[0].startswith("large: no price for model mine")
