"""What a call uses of a quota, against hand calculations."""

from __future__ import annotations

from typing import Any

import pytest

from bench.run.call_needs import CallNeeds
from tests.run.level_rows import call_row, turn_row

LIMITS = {
    "rate_limit_tokens_limit": 40_000.0,
    "rate_limit_tokens_remaining": 30_000.0,
    "rate_limit_tokens_reset_s": 15.0,
    "rate_limit_requests_limit": 200.0,
    "rate_limit_requests_remaining": 199.0,
    "rate_limit_requests_reset_s": 0.3,
}


def learned(*calls: dict[str, Any], tokens: tuple[int | None, ...] = (400, 600)) -> CallNeeds:
    """Calls of half a minute with turns that use `tokens` each, changed as given."""
    needs = CallNeeds()
    for number, changes in enumerate(calls):
        for used in tokens:
            needs.turn(turn_row(call=f"{number}", in_total=used, out_total=0))
        needs.session(call_row(call=f"{number}", **{**LIMITS, **changes}))
    return needs


def test_use_is_of_whole_calls_by_their_minutes() -> None:
    needs = learned(*[{}] * 6)
    tokens, requests = needs.needs(10, rated=False)
    assert (tokens.name, tokens.limit, tokens.per_min.value) == ("tokens", 40_000, 10 * 2 * 1000)
    assert (requests.name, requests.per_min.value) == ("requests", 10 * 2 * 2)
    assert tokens.per_min.limits == (20_000, 20_000)
    assert tokens.share == pytest.approx(0.5)


def test_arrivals_need_what_a_call_uses_each() -> None:
    tokens, _ = learned(*[{}] * 6).needs(30, rated=True)
    assert tokens.per_min.value == 30 * 1000


def test_what_was_billed_outside_of_turns_counts() -> None:
    other = {"other_responses": 1, "other_in_total": 80, "other_out_total": 20}
    tokens, requests = learned(*[other] * 6).needs(1, rated=True)
    assert (tokens.per_min.value, requests.per_min.value) == (1100, 3)


@pytest.mark.parametrize(
    "changes",
    [{"status": "stopped"}, {"status": "failed"}, {"turns_ok": 0}, {"duration_ms": None}],
)
def test_calls_that_were_not_whole_teach_nothing(changes: dict[str, Any]) -> None:
    assert learned(*[changes] * 6).needs(10, rated=False) == []


def test_unknown_use_is_not_zero() -> None:
    assert [need.name for need in learned(*[{}] * 6, tokens=(400, None)).needs(10, rated=False)] == ["requests"]


def test_limits_that_are_not_reported_are_not_guessed() -> None:
    absent = dict.fromkeys(LIMITS)
    assert learned(*[absent] * 6).needs(10, rated=False) == []


def test_few_calls_are_no_ground_for_being_sure() -> None:
    (tokens, _), (few, _) = (learned(*[{}] * n).needs(1_000, rated=False) for n in (6, 3))
    assert tokens.surely_over
    assert not few.surely_over
    assert few.share > 1


def test_limits_of_the_estimate_hold_what_the_calls_differ_by() -> None:
    needs = CallNeeds()
    for number in range(40):
        needs.turn(turn_row(call=f"{number}", in_total=900 + 200 * (number % 2), out_total=0))
        needs.session(call_row(call=f"{number}", **LIMITS))
    tokens, _ = needs.needs(10, rated=False)
    assert tokens.per_min.limits is not None
    low, high = tokens.per_min.limits
    assert low < 20_000 < high
    assert high - low < 4_000


def test_the_emptiest_quota_says_how_long_to_wait() -> None:
    assert learned({}).refill_s() == 15.0
    assert CallNeeds().refill_s() is None
