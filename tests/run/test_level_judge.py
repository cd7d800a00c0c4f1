"""Whether a level of load is carried, from rows as they come: each way to be carried and not to be, and by what."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.run.call_needs import CallNeeds
from bench.run.level_judge import Asked, LevelJudge, Ruling
from bench.scenario.threshold_grammar import parse_objective
from tests.run.level_rows import call_row, refused_row, turn_row

LEVEL = 10
SETTLE_S, MOST_S = 5.0, 20.0
ASKED = Asked(
    level=LEVEL,
    goodput=0.95,
    confidence=0.95,
    settle_s=SETTLE_S,
    most_s=MOST_S,
    objectives=(parse_objective("first_audible_ms < 1500ms"),),
    max_client_late=0.05,
    join_s=4.0,
)
BAD = {
    "tokens": {"status": "failed", "error_kind": "rate_limit", "error_code": "tokens"},
    "requests": {"status": "failed", "error_kind": "rate_limit", "error_code": "requests"},
    "rate_limit": {"status": "failed", "error_kind": "rate_limit", "error_code": "rate_limit_exceeded"},
    "sessions": {"status": "failed", "error_kind": "rate_limit", "error_code": "session_limit_reached"},
    "closed": {"status": "failed", "error_kind": "closed", "close_code": 1013},
    "latency": {"first_audible_ms": 1800.0},
    "errors": {"status": "failed", "error_kind": "server", "error_code": "internal_error"},
}


def play(judge: LevelJudge, turn: Any, *, until_s: float = 60.0, every_s: float = 4.0) -> tuple[Ruling | None, float]:
    """Every caller says a turn every `every_s`; `turn(caller, number)` is its row. The ruling and when it came."""
    number = 0
    now_s = 0.0
    while now_s < until_s:
        now_s += every_s / LEVEL
        caller = number % LEVEL
        row = turn(caller, number)
        if row is not None:
            judge.turn(replace(row, session_id=f"call-{caller}-{number}", warmup=now_s < SETTLE_S), now_s)
        number += 1
        if (ruling := judge.ruling(now_s)) is not None:
            return ruling, now_s
    return None, now_s


def good(caller: int, number: int) -> Any:
    return turn_row(caller)


def test_good_turns_carry_a_level_before_its_time_is_over() -> None:
    ruling, at_s = play(LevelJudge(replace(ASKED, most_s=120.0)), good, until_s=200)
    assert ruling is not None
    assert (ruling.held, ruling.sure, ruling.reason) == (True, True, None)
    assert at_s < SETTLE_S + 120


@pytest.mark.parametrize("kind", BAD)
def test_bad_turns_end_a_level_early_and_name_what_they_are_bad_by(kind: str) -> None:
    ruling, at_s = play(LevelJudge(ASKED), lambda caller, n: turn_row(caller, **(BAD[kind] if n % 2 else {})))
    assert ruling is not None
    assert (ruling.held, ruling.sure, ruling.reason) == (False, True, kind)
    assert at_s < SETTLE_S + MOST_S


@pytest.mark.parametrize(
    ("objective", "broken", "kind"),
    [
        ("wer <= 10%", {"wer": 0.4}, "words"),
        ("stalls <= 0", {"stalls": 2}, "stalls"),
        ("task_success >= 100%", {"expect_pass": False}, "tasks"),
        ("ttft_ms < 900ms", {"ttft_ms": 950.0}, "latency"),
        ("ttft_ms < 900ms", {"ttft_ms": None}, "latency"),
    ],
)
def test_objectives_are_told_apart(objective: str, broken: dict[str, Any], kind: str) -> None:
    judge = LevelJudge(replace(ASKED, objectives=(parse_objective(objective),)))
    ruling, _ = play(judge, lambda caller, n: turn_row(caller, **broken))
    assert ruling is not None
    assert (ruling.held, ruling.reason) == (False, kind)


@pytest.mark.parametrize("met", [True, None])
def test_a_task_that_was_done_or_that_nobody_set_is_no_failure(met: bool | None) -> None:
    judge = LevelJudge(replace(ASKED, objectives=(parse_objective("task_success >= 100%"),)))
    ruling, _ = play(judge, lambda caller, n: turn_row(caller, expect_pass=met))
    assert ruling is not None
    assert ruling.held


def test_few_bad_turns_are_within_what_is_asked() -> None:
    asked = replace(ASKED, most_s=200.0)
    ruling, _ = play(LevelJudge(asked), lambda caller, n: turn_row(caller, good=n % 100 != 99), until_s=300)
    assert ruling is not None
    assert ruling.held


def test_a_level_next_to_what_is_asked_is_decided_at_its_end_and_not_sure() -> None:
    ruling, at_s = play(LevelJudge(ASKED), lambda caller, n: turn_row(caller, good=n % 20 != 19))
    assert ruling is not None
    assert not ruling.sure
    assert at_s >= SETTLE_S + MOST_S


def test_one_caller_without_a_call_is_enough_whatever_the_others_say() -> None:
    judge = LevelJudge(ASKED)
    refused = iter(range(100))

    def turn(caller: int, number: int) -> Any:
        if caller == LEVEL - 1:
            judge.session(refused_row(caller), SETTLE_S + next(refused))
            return None
        return turn_row(caller)

    ruling, _ = play(judge, turn)
    assert ruling is not None
    assert (ruling.held, ruling.sure, ruling.reason) == (False, True, "sessions")
    assert "1 caller of 10 got no call" in ruling.sentence


def test_a_single_refusal_decides_nothing() -> None:
    judge = LevelJudge(replace(ASKED, most_s=60.0))
    judge.session(refused_row(3, error_code="rate_limit_exceeded", http_status=429), SETTLE_S + 0.1)
    ruling, _ = play(judge, good, until_s=100)
    assert ruling is not None
    assert ruling.held
    assert judge.counts.turns > judge.counts.good


def test_a_level_waits_for_a_caller_who_was_refused_last() -> None:
    judge = LevelJudge(ASKED)
    for caller in range(LEVEL - 1):
        judge.turn(turn_row(caller), SETTLE_S + 1)
    judge.session(refused_row(LEVEL - 1), SETTLE_S + MOST_S - 1)
    assert judge.ruling(SETTLE_S + MOST_S + 1) is None
    for caller in range(LEVEL):
        judge.turn(turn_row(caller), SETTLE_S + MOST_S + 2)
    ruling = judge.ruling(SETTLE_S + MOST_S + 3)
    assert ruling is not None
    assert (ruling.held, ruling.reason) == (True, None)


def test_callers_who_are_never_answered_are_bad_turns_although_they_have_no_row() -> None:
    ruling, _ = play(LevelJudge(ASKED), lambda caller, n: None if caller % 2 else turn_row(caller))
    assert ruling is not None
    assert not ruling.held


def test_nothing_heard_is_no_pass() -> None:
    judge = LevelJudge(ASKED)
    assert judge.ruling(SETTLE_S + 1) is None
    ruling = judge.ruling(SETTLE_S + MOST_S + 1)
    assert ruling is not None
    assert (ruling.held, ruling.reason) == (False, "silence")


def test_our_own_lateness_is_told_from_the_targets() -> None:
    ruling, _ = play(LevelJudge(ASKED), lambda caller, n: turn_row(caller, client_late=n % 3 == 0))
    assert ruling is not None
    assert (ruling.held, ruling.reason) == (False, "generator")


def test_one_pause_of_the_machine_is_no_overload() -> None:
    judge = LevelJudge(ASKED)
    ruling, _ = play(judge, lambda caller, n: turn_row(caller, client_late=20 <= n < 24))
    assert ruling is not None
    assert ruling.held


def test_a_short_look_is_enough_for_a_level_that_is_doubled_from() -> None:
    ruling, at_s = play(LevelJudge(replace(ASKED, quick=True)), good)
    assert ruling is not None
    assert (ruling.held, ruling.sure) == (True, False)
    assert at_s < SETTLE_S + 8


def needs_of(tokens_limit: float) -> CallNeeds:
    """Calls that use 800 tokens a minute each."""
    needs = CallNeeds()
    for number in range(20):
        call = f"whole-{number}"
        needs.turn(turn_row(call=call))
        needs.session(
            call_row(call=call, rate_limit_tokens_limit=tokens_limit, rate_limit_tokens_remaining=tokens_limit - 400)
        )
    return needs


def test_a_level_that_needs_more_than_the_quota_is_not_carried_although_nothing_was_refused() -> None:
    ruling, _ = play(LevelJudge(ASKED, needs_of(7_900)), good)
    assert ruling is not None
    assert (ruling.held, ruling.sure, ruling.reason) == (False, True, "tokens")
    assert "about 8,000 tokens per minute" in ruling.sentence
    assert "7,900" in ruling.sentence


def test_a_level_within_the_quota_is_carried() -> None:
    ruling, _ = play(LevelJudge(replace(ASKED, most_s=120.0), needs_of(8_100)), good, until_s=200)
    assert ruling is not None
    assert ruling.held


def test_a_rate_limit_without_a_name_is_the_one_that_is_nearest_to_its_end() -> None:
    ruling, _ = play(LevelJudge(ASKED, needs_of(9_000)), lambda caller, n: turn_row(caller, good=n % 2 == 0))
    assert ruling is not None
    assert ruling.reason == "tokens"


def test_a_longer_look_at_the_same_level_counts_what_the_first_saw() -> None:
    first = LevelJudge(ASKED)
    play(first, lambda caller, n: turn_row(caller, good=n % 20 != 19))
    seen = first.counts.turns
    assert LevelJudge(ASKED, before=first.counts).counts.turns == seen


@given(share=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
def test_it_always_ends_and_never_carries_what_is_surely_bad(share: float, seed: int) -> None:
    draw = random.Random(seed)
    ruling, at_s = play(LevelJudge(ASKED), lambda caller, n: turn_row(caller, good=draw.random() >= share))
    assert ruling is not None
    assert at_s <= SETTLE_S + MOST_S + 16
    if share > 0.5:
        assert not ruling.held
