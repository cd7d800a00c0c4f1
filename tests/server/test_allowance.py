"""Requests and tokens per minute: what is refused, reserved and given back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.rate_limits import duration_s, quotas_in_headers
from bench.server.allowance import Allowance, span


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_requests_run_out_and_come_back(clock: Clock) -> None:
    allowance = Allowance(2, None, 0, clock)
    assert allowance.reserve(10) == (10, None)
    assert allowance.reserve(10)[1] is None
    refused = allowance.reserve(10)[1]
    assert refused is not None
    assert "requests per min: limit 2" in refused
    clock.now_s += 30
    assert allowance.reserve(10)[1] is None


def test_tokens_are_reserved_and_what_was_not_used_comes_back(clock: Clock) -> None:
    allowance = Allowance(None, 1000, 600, clock)
    reserved, refusal = allowance.reserve(None)
    assert (reserved, refusal) == (600, None)
    second = allowance.reserve(None)[1]
    assert second is not None
    assert "try again in 12.000s" in second  # 200 of 1000 a minute are missing
    requests, tokens = allowance.settle(reserved, 150)
    assert tokens == {"name": "tokens", "limit": 1000, "remaining": 850, "reset_seconds": 9.0}
    assert requests["remaining"] == requests["limit"]
    assert allowance.reserve(None)[1] is None


def test_more_used_than_reserved_is_taken_without_asking(clock: Clock) -> None:
    allowance = Allowance(None, 1000, 100, clock)
    reserved, _ = allowance.reserve(50)
    assert allowance.settle(reserved, 1500)[1]["remaining"] == 0
    assert allowance.reserve(1)[1] is not None


def test_a_refused_response_takes_no_request(clock: Clock) -> None:
    allowance = Allowance(1, 100, 0, clock)
    assert allowance.reserve(200)[1] is not None
    assert allowance.reserve(50)[1] is None


def test_headers_tell_of_the_limits_that_there_are(clock: Clock) -> None:
    assert Allowance(None, None, 0, clock).headers() == {}
    allowance = Allowance(10, 40_000, 4_000, clock)
    allowance.reserve(None)
    assert allowance.headers() == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "6s",
        "x-ratelimit-limit-tokens": "40000",
        "x-ratelimit-remaining-tokens": "36000",
        "x-ratelimit-reset-tokens": "6s",
    }
    assert [(each.name, each.remaining, each.reset_s) for each in quotas_in_headers(allowance.headers())] == [
        ("requests", 9, 6),
        ("tokens", 36_000, 6),
    ]


def test_how_long_until_a_response_could_run(clock: Clock) -> None:
    allowance = Allowance(10, 40_000, 30_000, clock)
    assert allowance.wait_s() == 0
    allowance.reserve(None)
    assert allowance.wait_s() == pytest.approx(30)
    assert Allowance(None, None, 30_000, clock).wait_s() == 0


def test_a_limit_may_be_kept_to_itself(clock: Clock) -> None:
    assert [each["name"] for each in Allowance(5, 100, 0, clock, told=("tokens",)).settle(0, 0)] == ["tokens"]
    assert Allowance(5, 100, 0, clock, told=()).settle(0, 0) == []


@given(st.floats(0, 86_400))
def test_times_are_read_back(seconds: float) -> None:
    assert duration_s(span(seconds)) == pytest.approx(seconds, abs=0.0006)
