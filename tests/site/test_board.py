"""Ranks, ties, and figures over the last nights, against what can be worked out on paper."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.pricing.book import TokenMeters
from bench.site.board import boards, chance
from bench.site.config import ConversationConfig
from bench.site.digest import RunDigest, Seen, TargetDigest
from bench.site.prices import conversation_usd, story
from bench.site.recent import Recent, getter, recent, recent_of
from bench.site.strengths import cell_of, limits_of, remarks
from bench.site.windows import series_of
from tests.site.nights import FIRST, PRICE, book

MEASURE = "first_audible_ms: p50"


def figure(values: list[float]) -> Recent:
    return Recent(value=float(np.mean(values)), by_run={str(place): value for place, value in enumerate(values)})


def run(night: int, ms: dict[str, float], *, together: bool = True) -> list[RunDigest]:
    """One night: a run of all targets, or one for each."""
    at = FIRST + timedelta(days=night)
    targets = [
        TargetDigest(
            name=name,
            model=name,
            where="h",
            transport="websocket",
            calls=40,
            good_calls=40,
            turns=80,
            answered=80,
            headline="first_audible_ms",
            figures={
                MEASURE: Seen(
                    metric="first_audible_ms", title="first audible", fold="p50", unit="ms", value=value, error=5, n=80
                )
            },
        )
        for name, value in ms.items()
    ]
    parts = [targets] if together else [[each] for each in targets]
    return [
        RunDigest(
            run_id=f"n{night}-{place}", folder=f"n{night}-{place}", scenario="nightly", started_at=at, verdict="pass",
            targets=part,
        )
        for place, part in enumerate(parts)
    ]  # fmt: skip


def ranks(*nights: list[RunDigest]) -> dict[str, tuple[int | None, bool]]:
    found = boards(series_of([each for night in nights for each in night]))
    assert len(found) == 1
    return {row.key[0]: (row.rank, row.tied) for row in found[0].rows}


def test_targets_that_took_turns_are_told_apart_though_nights_differ_by_more() -> None:
    swing = [0, 120, -90, 60, 150, -40, 30]
    nights = [run(n, {"a": 800 + swing[n] + n, "b": 830 + swing[n] - n}) for n in range(7)]
    assert ranks(*nights) == {"a": (1, False), "b": (2, False)}
    apart = [run(n, {"a": 800 + swing[n] + n, "b": 830 + swing[n] - n}, together=False) for n in range(7)]
    assert ranks(*apart) == {"a": (1, True), "b": (1, True)}


def test_a_rank_counts_those_that_are_surely_better() -> None:
    jitter = [0, 4, -3, 2, -5, 3, 1]
    nights = [
        run(n, {"a": 800 + jitter[n], "b": 801 - jitter[n], "c": 950 + 2 * jitter[n], "d": 1200 - jitter[n]})
        for n in range(7)
    ]
    assert ranks(*nights) == {"a": (1, True), "b": (1, True), "c": (3, False), "d": (4, False)}


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_runs_give_no_rank_and_no_strength(count: int) -> None:
    nights = [run(n, {"a": 800 + n, "b": 1900 - n}) for n in range(count)]
    assert ranks(*nights) == {"a": (None, False), "b": (None, False)}
    every = series_of([each for night in nights for each in night])
    (board,) = boards(every)
    assert [row.lacking for row in board.rows] == ["3 runs needed"] * 2
    assert board.first == ()
    assert [remarks(series, board) for series in every] == [[], []]


def test_a_target_that_is_new_leaves_the_ranks_of_the_others_alone() -> None:
    nights = [run(n, {"a": 800 + n, "b": 950 - n, **({"new": 300.0} if n > 1 else {})}) for n in range(4)]
    assert ranks(*nights) == {"a": (1, False), "b": (2, False), "new": (None, False)}
    (board,) = boards(series_of([each for night in nights for each in night]))
    assert [row.key[0] for row in board.first] == ["a"]
    assert {row.key[0]: row.since for row in board.rows} == {"a": FIRST, "b": FIRST, "new": FIRST + timedelta(days=2)}


def test_a_board_without_any_latency_shows_what_was_measured() -> None:
    (digest,) = run(0, {"a": 800})
    digest.targets[0].headline, digest.targets[0].good_calls, digest.targets[0].answered = None, 0, 0
    digest.targets[0].figures = {
        "availability": Seen(metric="availability", title="availability", unit="share", value=0.0, n=40, rows=40)
    }
    ((row,),) = [board.rows for board in boards(series_of([digest]))]
    assert (row.rank, row.lacking, row.runs) == (None, "", 1)
    assert row.figures["availability"].value == 0


@pytest.mark.parametrize(
    ("values", "cell", "beneath"),
    [
        ([math.inf], "-", "over 5 % of turns unanswered in 1 of 1 run"),
        ([math.inf] * 2, "-", "over 5 % of turns unanswered in 2 of 2 runs"),
        ([900.0, math.inf, 910.0], "-", "over 5 % of turns unanswered in 1 of 3 runs"),
        ([math.inf] * 3, "never", "over 5 % of turns unanswered in 3 of 3 runs"),
        ([900.0, 910.0, 920.0], "910 ms", ""),
    ],
)
def test_never_needs_runs_that_all_say_so(values: list[float], cell: str, beneath: str) -> None:
    mean = float(np.mean(values))
    found = Recent(value=mean, fold="p95", by_run={str(place): value for place, value in enumerate(values)})
    assert (cell_of("p95", found), limits_of("p95", found)) == (cell, beneath)


@given(st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4)), min_size=3, max_size=7))
def test_chance_is_a_probability_and_does_not_depend_on_the_order(pairs: list[tuple[float, float]]) -> None:
    a, b = figure([one for one, _ in pairs]), figure([other for _, other in pairs])
    assert 0 <= chance(a, b) <= 1
    assert chance(a, b) == pytest.approx(chance(b, a), abs=1e-12)
    assert chance(a, a) == 1


def test_the_interval_of_the_last_nights_is_that_of_students_t() -> None:
    values = [800.0, 810, 790, 805, 815]
    series = series_of([each for n, value in enumerate(values) for each in run(n, {"a": value})])[0]
    found = recent(series, MEASURE)
    reach = 2.776445 * np.std(values, ddof=1) / math.sqrt(5)
    assert (found.value, found.nights) == (804, 5)
    assert (found.low, found.high) == (pytest.approx(804 - reach, abs=1e-3), pytest.approx(804 + reach, abs=1e-3))


def test_without_a_failure_the_availability_is_not_sure() -> None:
    nights = [each for n in range(7) for each in run(n, {"a": 800})]
    for each in nights:
        each.targets[0].figures["availability"] = Seen(
            metric="availability", title="availability", unit="share", worse="lower", value=1.0, n=40, rows=40
        )
    found = recent(series_of(nights)[0], "availability")
    assert found.value == 1
    assert found.low == pytest.approx(280 / (280 + 1.96**2), abs=1e-4), "Wilson's, of 280 calls"


def test_what_nobody_measured_has_no_figure() -> None:
    nights = series_of(run(0, {"a": 800}))[0].nights
    assert recent_of(nights, getter("wer")) == Recent()


def test_being_first_is_no_strength_where_it_cannot_be_told_apart() -> None:
    jitter = [0, 40, -30, 20, -50, 30, 10]
    nights = [each for n in range(7) for each in run(n, {"a": 800 + jitter[n], "b": 802 - jitter[n]})]
    every = series_of(nights)
    assert [remarks(series, boards(every)[0]) for series in every] == [[], []]


def test_a_strength_names_its_rule_and_the_numbers_of_all() -> None:
    jitter = [0, 4, -3, 2, -5, 3, 1]
    nights = [each for n in range(7) for each in run(n, {"a": 800 + jitter[n], "b": 950 - jitter[n]})]
    every = series_of(nights)
    (strength,), (weakness,) = ([*remarks(series, boards(every)[0])] for series in every)
    assert (strength.kind, weakness.kind) == ("strength", "weakness")
    assert strength.said.startswith("Answers sooner than the others: median 800 ms against 950 ms")
    assert "5 % over all comparisons" in strength.rule
    assert [name for name, _ in strength.numbers] == ["a", "b"]


def test_a_conversation_costs_what_it_costs_on_paper() -> None:
    rates = book(0).models["voice-aria"]
    said = ConversationConfig(exchanges=2, caller_s=4, agent_s=6)
    out_text = 6 * 2.5 * 1.33
    text_in = 100 + (100 + out_text)
    audio_in = 40 + (40 + 120 + 40)
    usd = (text_in * 4 + audio_in * 32 + 2 * out_text * 16 + 2 * 120 * 64) / 1e6
    assert conversation_usd(said, rates)[0] == pytest.approx(usd, rel=2e-3), "tokens are whole"


def test_a_missing_price_is_no_price() -> None:
    rates = book(0).models["voice-aria"].model_copy(update={"tokens_usd_per_million": TokenMeters()})
    usd, lacking = conversation_usd(ConversationConfig(), rates)
    assert usd is None
    assert lacking


def test_a_price_story_has_a_step_for_each_reading_and_the_date_of_the_last() -> None:
    found = story("voice-cello", [book(0), book(PRICE)], ConversationConfig())
    assert found is not None
    assert [point.date for point in found.line.points] == ["2026-09-01", "2026-11-03"]
    assert found.checked is not None
    assert str(found.checked) == "2026-11-03"
    assert story("nobody", [book(0)], ConversationConfig()) is None


def test_one_night_with_a_lost_turn_is_no_proof_of_slow_replies() -> None:
    usual = figure([830, 842, 851, 847, 839, 845, 850])
    once = figure([831, 849, math.inf, 840, 838, 851, 842])
    always = figure([math.inf] * 7)
    assert once.value == math.inf
    assert once.never == 1
    assert chance(usual, once) > 0.2
    assert chance(usual, always) == pytest.approx(2 / 2**7)
    assert chance(always, always) == 1.0
    apart = Recent(value=math.inf, by_run={f"other-{place}": math.inf for place in range(7)})
    assert chance(usual, apart) == pytest.approx(2 / math.comb(14, 7))
    assert limits_of("p95", once) == "too many turns unanswered in 1 of 7 runs"
