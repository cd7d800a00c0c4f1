"""Nights judged by those before them: what was injected is found, and what did not change is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bench.measure.metrics import headline_latencies
from bench.site.digest import Fact, RunDigest, Seen, TargetDigest
from bench.site.lean import TURN_COLUMNS
from bench.site.sentences import verdict_sentence
from bench.site.windows import Night, series_of
from tests.site.nights import FIRST

MEASURE = "first_audible_ms: p50"


def digest(night: int, ms: float, *, good: int = 40, wer: float = 0.03, **changes: object) -> RunDigest:
    figures = {
        MEASURE: Seen(metric="first_audible_ms", title="first audible", fold="p50", unit="ms", value=ms, error=8, n=80),
        "wer": Seen(metric="wer", title="WER", unit="share", decimals=4, value=wer, n=80, rows=4000, events=4000 * wer),
        "availability": Seen(
            metric="availability",
            title="availability",
            unit="share",
            worse="lower",
            value=good / 40,
            n=40,
            rows=40,
            events=min(good, 40 - good),
        ),
    }
    target = TargetDigest(
        name="aria", model="m", where="h", calls=40, good_calls=good, turns=80, answered=2 * good,
        headline="first_audible_ms", figures=figures,
    )  # fmt: skip
    at = FIRST + timedelta(days=night)
    values = {
        "run_id": f"n{night}", "folder": f"n{night}", "scenario": "nightly", "started_at": at, "verdict": "pass",
        "targets": [target],
    }  # fmt: skip
    return RunDigest(**{**values, **changes})


USUAL = [digest(night, 820 + (-1) ** night * 9) for night in range(8)]


def judged(*runs: RunDigest) -> Night:
    return series_of([*USUAL, *runs])[0].newest


def test_a_slower_night_is_a_regression_and_says_by_how_much() -> None:
    night = judged(digest(8, 918))
    assert night.state == "regression"
    said = verdict_sentence(night)
    assert said.startswith("Median first audible 918 ms, 12 % slower than the last seven nights, WER unchanged (3.0 %)")
    assert said.endswith("all 40 calls good.")


def test_an_equal_night_is_as_usual() -> None:
    night = judged(digest(8, 824))
    assert night.state == "as usual"
    assert "unchanged against the last seven nights, WER unchanged" in verdict_sentence(night)


def test_a_regression_is_not_the_measure_of_the_next_night() -> None:
    night = judged(digest(8, 918), digest(9, 918))
    assert night.state == "regression"
    assert "n8" not in {run.run_id for run in night.window}


SLOW = [digest(8, 918), digest(9, 850), *(digest(night, 915 + (-1) ** night * 6) for night in range(10, 16))]


def test_a_lucky_night_of_a_target_that_stays_slow_makes_the_next_slow_night_no_usual_one() -> None:
    states = [night.state for night in series_of([*USUAL, *SLOW])[0].nights[8:]]
    assert states == ["regression", "not recovered", *["regression"] * 6]


def test_a_regression_that_lasts_is_told_against_the_nights_before_it() -> None:
    lucky, last = judged(*SLOW[:2]), judged(*SLOW)
    assert verdict_sentence(lucky).startswith(
        "Median first audible 850 ms, not back to what it was before 2026-10-28 (819 ms), WER unchanged"
    )
    assert [run.run_id for run in last.window] == [f"n{night}" for night in range(1, 8)]
    assert "11 % slower than the seven nights before 2026-10-28," in verdict_sentence(last)
    assert last.worse[MEASURE].run_id == "n8"


def test_a_target_that_is_repaired_is_as_usual_at_once_and_joins_the_window() -> None:
    repaired = judged(*SLOW, digest(16, 822))
    assert (repaired.state, repaired.worse) == ("as usual", {})
    assert repaired.gaps
    after = judged(*SLOW, digest(16, 822), digest(17, 821))
    assert [run.run_id for run in after.window][-2:] == ["n7", "n16"]
    assert "unchanged against the last seven sound nights" in verdict_sentence(after)


def test_a_meant_change_ends_a_regression() -> None:
    meant = digest(9, 918, accepted=True)
    assert judged(digest(8, 918), meant, *(digest(night, 918) for night in range(10, 14))).worse == {}


def test_nights_that_are_left_out_are_told_from_the_last_ones() -> None:
    night = judged(digest(8, float("inf"), good=2, verdict="failed"), digest(9, 824))
    assert "the last seven sound nights" in verdict_sentence(night)


def test_nothing_is_carried_over_to_runs_of_another_kind() -> None:
    facts = {"load.callers": Fact(key="load", level="warn", value="9")}
    other = [digest(night, 918 + (-1) ** night * 4, facts=facts) for night in range(9, 14)]
    assert judged(digest(8, 918), *other).worse == {}


def test_an_accepted_run_begins_a_new_window() -> None:
    night = judged(digest(8, 918, accepted=True), digest(9, 920))
    assert [run.run_id for run in night.window] == ["n8"]
    assert "One earlier run of this kind to compare with; 3 are needed" in verdict_sentence(night)


def test_a_night_without_answers_is_an_outage_and_spoils_no_window() -> None:
    night = judged(digest(8, float("inf"), good=2, verdict="failed"))
    assert night.state == "outage"
    assert verdict_sentence(night).startswith("Away: 2 of 40 calls were good")
    after = judged(digest(8, float("inf"), good=2, verdict="failed"), digest(9, 824))
    assert after.state == "as usual"
    assert "n8" not in {run.run_id for run in after.window}


def test_two_runs_are_no_window() -> None:
    night = series_of([digest(0, 800), digest(1, 810), digest(2, 900)])[0].newest
    assert night.state == "first runs"
    assert all(not row.judged for row in night.rows)


def test_runs_of_another_load_are_not_compared() -> None:
    facts = {"load.callers": Fact(key="load", level="warn", value="9")}
    night = judged(digest(8, 918, facts=facts))
    assert (night.state, night.window) == ("first runs", [])
    assert "not the same load.callers" in night.skipped


def test_another_price_book_keeps_the_cost_alone_from_being_compared() -> None:
    def priced(night: int, book: str, usd: float) -> RunDigest:
        run = digest(night, 820 + (-1) ** night * 9)
        cost = Seen(
            metric="cost_per_minute_usd", title="cost per minute", unit="USD", decimals=4, value=usd, error=1e-4
        )
        run.targets[0].figures["cost_per_minute_usd"] = cost
        run.facts = {"price books": Fact(key="prices", level="warn", value=book, metrics=["cost_per_minute_usd"])}
        return run

    runs = [*(priced(night, "old", 0.02) for night in range(8)), priced(8, "new", 0.04)]
    night = series_of(runs)[0].newest
    assert night.state == "as usual"
    assert "not compared: not the same price books" in verdict_sentence(night)


@pytest.mark.parametrize("verdict", ["invalid", "incomplete", "not finished", "interrupted"])
def test_a_run_that_says_nothing_of_the_target_has_no_figures_and_says_why(verdict: str) -> None:
    night = judged(digest(8, 400, verdict=verdict))
    assert (night.state, night.rows) == ("not usable", [])
    assert verdict in verdict_sentence(night)


def test_a_night_that_its_budget_ended_is_left_out_for_that_reason() -> None:
    night = judged(digest(8, 820, verdict="budget"), digest(9, 824))
    assert night.skipped == "n8: it was ended by its budget"
    assert "n8" not in {run.run_id for run in night.window}


def test_a_target_is_judged_by_its_own_nights_where_another_one_failed() -> None:
    other = TargetDigest(name="brio", model="n", where="h", calls=40, good_calls=0, turns=80, answered=0)
    nights = [run.model_copy(update={"targets": [*run.targets, other], "verdict": "failed"}) for run in USUAL]
    found = next(each for each in series_of([*nights, digest(8, 918)]) if each.key[0] == "aria")
    assert found.newest.state == "regression"


def test_the_words_for_runs_of_one_day() -> None:
    runs = [run.model_copy(update={"started_at": FIRST + timedelta(hours=n)}) for n, run in enumerate(USUAL)]
    night = series_of([*runs, digest(8, 918)])[0].newest
    assert "slower than the last seven runs" in verdict_sentence(night)
    assert replace(night, state="regression").usable


def test_every_latency_that_may_stand_for_a_target_is_read() -> None:
    assert {metric.name for metric in headline_latencies()} <= set(TURN_COLUMNS)
