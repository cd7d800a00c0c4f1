"""Rate limits as servers tell them: units, missing names, garbage, and what is kept of a whole call."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.facts.signals import RateLimit, RateLimits
from bench.measure.rate_limits import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    LimitTold,
    QuotaState,
    duration_s,
    from_text,
    limit_columns,
    limit_named,
    quotas_in_event,
    quotas_in_headers,
    retry_after_s,
    to_text,
    told_of,
)
from tests.measure.test_sessions import line, session


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360),
        ("1s", 1),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("1d2h", 93_600),
        ("250µs", 0.00025),
        (" 12 ", 12),
        ("0.5", 0.5),
        (".5s", 0.5),
        ("0", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "-1", "-1s", "nan", "inf", "Infinity", "1e3", "s", "6m0", "1 s", "1s!", "1700000000", "soon", "٣"]
)
def test_no_durations(text: str) -> None:
    assert duration_s(text) is None


@given(st.text())
def test_no_text_makes_a_duration_raise_or_be_no_time(text: str) -> None:
    found = duration_s(text)
    assert found is None or (math.isfinite(found) and found >= 0)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                f"x-ratelimit-{what}-{name}"
                for what in ("limit", "remaining", "reset")
                for name in ("tokens", "a-day", "")
            ]
            + ["ratelimit-limit", "retry-after", "retry-after-ms", "date", "x-ratelimit-renewalperiod-tokens"]
        ),
        st.text() | st.sampled_from(["-1", "NaN", "6m0s", "100, 100;w=60", "1e9", "Thu, 26 Nov 2026 16:00:00 GMT"]),
    )
)
def test_no_headers_make_the_parser_raise(headers: dict[str, str]) -> None:
    for state in quotas_in_headers(headers):
        assert state.limit is not None or state.remaining is not None
        for value in (state.limit, state.remaining, state.reset_s, state.window_s):
            assert value is None or (math.isfinite(value) and value >= 0)
    wait_s = retry_after_s(headers)
    assert wait_s is None or wait_s >= 0


@given(
    st.lists(
        st.builds(
            RateLimit,
            st.text(max_size=100),
            *[st.none() | st.floats(allow_nan=True, allow_infinity=True) for _ in range(3)],
        ),
        max_size=30,
    )
)
def test_any_event_gives_amounts_or_nothing_and_survives_the_column(limits: list[RateLimit]) -> None:
    states = quotas_in_event(RateLimits(7, tuple(limits)))
    for state in states:
        assert state.name
        for value in (state.limit, state.remaining, state.reset_s):
            assert value is None or (math.isfinite(value) and value >= 0)
    told = told_of(states)
    assert from_text(to_text(told)) == told


def test_headers_as_openai_sends_them() -> None:
    headers = {
        "x-ratelimit-limit-requests": "200",
        "x-ratelimit-limit-tokens": "40000",
        "x-ratelimit-remaining-requests": "199",
        "x-ratelimit-remaining-tokens": "38000",
        "x-ratelimit-reset-requests": "300ms",
        "x-ratelimit-reset-tokens": "6m0s",
        "server": "x",
    }
    assert quotas_in_headers(headers, 5) == (
        QuotaState("requests", "header", 5, 200, 199, 0.3),
        QuotaState("tokens", "header", 5, 40_000, 38_000, 360),
    )


def test_windows_in_names_and_in_headers_of_their_own() -> None:
    headers = {
        "x-ratelimit-limit-requests-day": "1000",
        "x-ratelimit-limit-tokens": "40000",
        "x-ratelimit-renewalperiod-tokens": "60",
        "ratelimit-limit": "100, 100;w=60",
        "x-ratelimit-reset-nothing": "1s",
    }
    found = {(state.name, state.limit): state.window_s for state in quotas_in_headers(headers)}
    assert found == {("requests", 1000): DAY_S, ("tokens", 40_000): MINUTE_S, ("unnamed", 100): None}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Thu, 26 Nov 2026 16:00:30 GMT", "date": "Thu, 26 Nov 2026 16:00:00 GMT"}, 30),
        ({"retry-after": "Thu, 26 Nov 2026 16:00:30 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def told(*states: tuple[float | None, float | None, float | None], name: str = "tokens") -> LimitTold:
    return told_of(QuotaState(name, "event", 0, *state) for state in states)[0]


def test_the_lowest_that_remained_is_kept_and_what_was_not_told_again_stays() -> None:
    found = told((40_000, 39_000, 1.5), (None, 12_000, None), (None, 30_000, 15.0))
    assert (found.told, found.limit, found.lowest, found.last, found.reset_s) == (3, 40_000, 12_000, 30_000, 15)
    assert found.longest_reset_s == 15


@pytest.mark.parametrize(
    ("state", "window_s"),
    [
        ((40_000, 39_000, 1.5), MINUTE_S),
        ((1_000, 995, 432.0), DAY_S),
        ((1_000, 500, 1_800.0), HOUR_S),
        ((1_000, 999, 45.0), MINUTE_S),  # a minute that is counted as a whole is over in up to a minute
        ((1_000, 500, 600.0), None),
        ((None, None, 4_000.0), None),
        ((1_000, 900, None), MINUTE_S),
    ],
)
def test_what_a_limit_is_counted_over(state: tuple[float, float, float], window_s: float | None) -> None:
    assert told(state).counted_over_s == window_s


def test_an_event_counts_before_a_header_and_a_minute_before_a_day() -> None:
    day = QuotaState("requests", "header", 0, 1_000, 900, None, DAY_S)
    minute = QuotaState("requests", "header", 0, 200, 190, None, MINUTE_S)
    event = QuotaState("tokens", "event", 0, 40_000, 100)
    limits = told_of([day, minute, QuotaState("tokens", "header", 0, 40_000, 40_000), event])
    assert limit_named(limits, "sessions") is None
    columns = limit_columns(limits)
    assert columns["rate_limit_requests_limit"] == 200
    assert columns["rate_limit_tokens_remaining"] == 100


def test_a_call_without_a_word_of_limits_has_none() -> None:
    record = session([])
    assert (record.rate_limits, record.rate_limit_tokens_limit, record.retry_after_s) == (None, None, None)


def test_headers_and_events_reach_the_row_of_a_call() -> None:
    connection = line()
    connection.headers.update({"x-ratelimit-limit-requests": "200", "retry-after": "3"})
    event = RateLimits(1, (RateLimit("tokens", 40_000, 12, 59.9),))
    record = session([event], connection=connection)
    assert (record.rate_limit_requests_limit, record.rate_limit_tokens_remaining) == (200, 12)
    assert (record.rate_limit_tokens_reset_s, record.retry_after_s) == (59.9, 3)
    assert [(each.name, each.source) for each in from_text(record.rate_limits)] == [
        ("requests", "header"),
        ("tokens", "event"),
    ]


def test_a_column_of_another_make_is_left_out() -> None:
    assert from_text('{"a": 1}') == from_text("[{]") == from_text('[{"colour": 1}]') == from_text(None) == []
