"""A launch, projected from runs whose growth is known: a longer call costs more than in proportion, or nobody knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.bill_learned import Learned, learn
from bench.report.bill_projection import Launch, project
from bench.report.bill_text import projection_table
from bench.report.findings_bill import Projection
from bench.report.reprice import reprice
from bench.report.terminal import render_tables
from bench.report.view import view_of
from tests.report import bills


def calls(*turns: int, growth: float = 1.0, minutes_per_turn: float = 0.5, beside: float = 0.0) -> Learned:
    """Calls of so many turns; the first costs 1 USD, each later one `growth` more, with 100 tokens for each USD."""
    longest = max(turns)
    places = np.arange(longest)
    usd = np.array([np.where(places < each, 1 + growth * places, np.nan) for each in turns])
    return Learned(
        usd=usd,
        in_tokens=usd * 90,
        out_tokens=usd * 10,
        beside_usd=np.full(len(turns), beside),
        minutes=np.array(turns) * minutes_per_turn,
        turns=np.array(turns, dtype=float),
        call_usd=np.nansum(usd, axis=1) + beside,
        billed_by_minute=False,
    )


def text(found: Projection) -> str:
    return render_tables([projection_table(found)])


def test_by_hand() -> None:
    """Four turns cost 1 + 2 + 3 + 4 = 10; in four minutes there are eight, which cost 36."""
    found = project(calls(4, 4, 4, 4, 4, beside=0.5), Launch(calls_per_day=4000, minutes=4, peak_share=0.12))
    assert found.own_call_usd == pytest.approx(10.5)
    assert found.turns.value == pytest.approx(8)
    assert found.call_usd.value == pytest.approx(36.5)
    assert found.minute_usd.value == pytest.approx(36.5 / 4)
    assert found.day_usd is not None
    assert found.month_usd is not None
    assert found.day_usd.value == pytest.approx(4000 * 36.5)
    assert found.month_usd.value == pytest.approx(30 * 4000 * 36.5)
    assert found.call_tokens.value == pytest.approx(3600)
    assert found.last_input_tokens == pytest.approx(8 * 90)
    assert found.peak_calls_per_hour == pytest.approx(480)
    assert found.peak_calls_at_once == pytest.approx(32)
    assert found.peak_lines == 44
    assert found.peak_tokens_per_min is not None
    assert found.peak_responses_per_min is not None
    assert found.peak_tokens_per_min.value == pytest.approx(8 * 3600)
    assert found.peak_responses_per_min.value == pytest.approx(64)
    assert found.extrapolated
    said = text(found)
    assert "2 times" in said or "2.0 times the length costs 3.5 times as much" in said
    assert "Extrapolated: the longest call of the run had 4 turns" in said


def test_the_low_end_of_an_extrapolation_has_no_further_growth() -> None:
    found = project(calls(4, 4, 4, 4, 4), Launch(minutes=4))
    assert found.call_usd.low == pytest.approx(10 + 4 * 4)
    assert found.call_usd.high == pytest.approx(36)


def test_within_what_was_seen_the_turns_themselves_count() -> None:
    found = project(calls(2, 4, 6, 4, 2, 6), Launch(minutes=1.75))
    assert found.turns.value == pytest.approx(3.5)
    assert found.call_usd.value == pytest.approx(1 + 2 + 3 + 0.5 * 4)
    assert not found.extrapolated
    assert "Extrapolated" not in text(found)


def test_the_first_turn_is_no_part_of_the_line() -> None:
    """Nothing of it is cached: 5, then 2, 3, 4 and on to 8 in the eighth turn."""
    learned = calls(4, 4, 4)
    learned.usd[:, 0] = 5.0
    learned.usd[:, 1:] = [2.0, 3.0, 4.0]
    assert project(learned, Launch(minutes=4)).call_usd.value == pytest.approx(5 + 2 + 3 + 4 + 5 + 6 + 7 + 8)


def test_few_calls_have_no_range() -> None:
    found = project(calls(4, 4, 4, 4), Launch(minutes=2))
    assert found.call_usd.low is None
    assert "they need 5 calls, and there are 4" in text(found)


def test_calls_of_one_turn_say_nothing_of_longer_ones() -> None:
    found = project(calls(1, 1, 1, 1, 1), Launch(calls_per_day=10, minutes=3, peak_share=0.1))
    assert found.call_usd.value is None
    assert found.month_usd is not None
    assert found.month_usd.value is None
    assert "nothing is known of longer ones" in text(found)
    assert project(calls(1, 1, 1, 1, 1), Launch(minutes=0.25)).call_usd.value == pytest.approx(0.5)


@given(
    st.lists(st.integers(1, 8), min_size=5, max_size=12).filter(lambda turns: max(turns) > 2),
    st.floats(0, 3),
    st.floats(0.3, 20),
)
@settings(deadline=None, max_examples=50)
def test_a_longer_call_costs_more_than_in_proportion(turns: list[int], growth: float, minutes: float) -> None:
    learned = calls(*turns, growth=growth)
    short, long = (project(learned, Launch(minutes=each)).call_usd for each in (minutes, 2 * minutes))
    assert short.value is not None
    assert long.value is not None
    assert long.value >= 2 * short.value - 1e-9
    if long.low is not None and long.high is not None:
        assert long.low <= long.value + 1e-9
        assert long.value <= long.high + 1e-9


def test_the_same_run_gives_the_same_range() -> None:
    learned = calls(2, 5, 3, 4, 6, growth=0.3)
    assert project(learned, Launch(minutes=5)) == project(learned, Launch(minutes=5))


def test_from_a_stored_run(tmp_path: Path) -> None:
    """Two calls of 122 s with turns at 4.88 and 4.576: see `test_bill`."""
    again = reprice(bills.stored(tmp_path / "run"), "openai-2026-11")
    learned = learn(view_of(again.run))
    assert learned is not None
    assert (learned.calls, learned.longest_turns, learned.turns.tolist()) == (2, 2, [2.0, 2.0])
    found = project(learned, Launch())
    assert found.minutes == pytest.approx(122 / 60)
    assert found.call_usd.value == pytest.approx(18.912 / 2)
    assert found.call_tokens.value == pytest.approx(150_000 + 60_000 + 240_000 + 45_000)


def test_a_model_by_the_minute_grows_with_length_alone(tmp_path: Path) -> None:
    again = reprice(bills.stored(tmp_path / "run"), "openai-2026-11", "gpt-live-1")
    learned = learn(view_of(again.run))
    assert learned is not None
    assert learned.billed_by_minute
    found = project(learned, Launch(minutes=20))
    # .05 for each of 120 s of a call that lasts 122 with its dialling
    assert found.call_usd.value == pytest.approx(20 * 0.05 * 120 / 122)
    assert "billed by the minute" in text(found)


def test_a_missing_price_gives_no_projection_of_cost(tmp_path: Path) -> None:
    again = reprice(bills.stored(tmp_path / "run"), "openai-2025-08", "gpt-realtime-2.1")
    learned = learn(view_of(again.run))
    assert learned is not None
    found = project(learned, Launch(calls_per_day=100, minutes=2, peak_share=0.5))
    assert found.call_usd.value is None
    assert found.peak_calls_at_once == pytest.approx(50 / 60 * 2)
    assert found.peak_tokens_per_min is not None
    assert found.peak_tokens_per_min.value is not None, "tokens need no price"
    assert "a price or a count is missing" in text(found)


def test_what_was_billed_beside_the_turns_is_part_of_a_call(tmp_path: Path) -> None:
    run = bills.stored(tmp_path / "run")
    run.sessions["other_responses"] = 1
    run.sessions["other_out_audio"] = 1000
    run.sessions["other_in_text"] = 500
    again = reprice(run, "openai-2026-11")
    learned = learn(view_of(again.run))
    assert learned is not None
    assert learned.beside_usd.tolist() == pytest.approx([0.066, 0.066])


def test_a_run_without_an_answer_teaches_nothing(tmp_path: Path) -> None:
    run = bills.stored(tmp_path / "run")
    run.turns["status"] = "failed"
    assert learn(view_of(run)) is None
