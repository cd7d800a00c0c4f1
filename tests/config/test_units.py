"""Durations and rates: what is read, what is refused, and that what is written is read back."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.units import DURATION_PATTERN, RATE_PATTERN, format_duration, format_rate, parse_duration, parse_rate


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("800ms", 800),
        ("1.5s", 1_500),
        ("2m", 120_000),
        ("1h30m", 5_400_000),
        ("1h1m1s1ms", 3_661_001),
        ("0", 0),
        ("0s", 0),
        (0, 0),
        (" 10s ", 10_000),
        ("0.001s", 1),
    ],
)
def test_durations(text: object, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (10, "10 has no unit"),
        (0.5, "0.5 has no unit"),
        ("10", "'10' is not a duration"),
        ("", "'' is not a duration"),
        ("10 s", "'10 s' is not"),
        ("10sec", "'10sec' is not"),
        ("-1s", "'-1s' is not"),
        ("1s1m", "'1s1m' is not"),
        ("1.5.s", "is not a duration"),
        ("0.5ms", "finer than a millisecond"),
        ("٣s", "is not a duration"),
        ("1e3s", "is not a duration"),
        (True, "not a duration"),
        (None, "not a duration"),
        (["1s"], "not a duration"),
    ],
)
def test_durations_refused(value: object, found: str) -> None:
    with pytest.raises(ValueError, match=re.escape(found)) as caught:
        parse_duration(value)
    assert "allowed:" in str(caught.value)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_is_read_back(ms: int) -> None:
    text = format_duration(ms)
    assert parse_duration(text) == ms
    assert re.search(DURATION_PATTERN, text)


@given(st.text(max_size=12))
def test_what_is_read_is_what_an_editor_accepts(text: str) -> None:
    for parse, pattern in ((parse_duration, DURATION_PATTERN), (parse_rate, RATE_PATTERN)):
        accepted = re.search(pattern, re.sub(r"\s*/\s*", "/", text.strip()), re.ASCII) is not None
        try:
            read = parse(text) >= 0
        except ValueError:
            read = False
        assert read <= accepted  # the pattern may allow what is finer than a millisecond


@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 9)), min_size=4, max_size=4).filter(
        lambda parts: any(whole or tenth for whole, tenth in parts)
    )
)
def test_parts_add_up(parts: list[tuple[int, int]]) -> None:
    units = (("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
    text = "".join(
        f"{whole}.{tenth if unit != 'ms' else 0}{unit}" for (whole, tenth), (unit, _) in zip(parts, units, strict=True)
    )
    exact = sum(
        (Fraction(whole) + Fraction(tenth if unit != "ms" else 0, 10)) * ms
        for (whole, tenth), (unit, ms) in zip(parts, units, strict=True)
    )
    assert parse_duration(text) == exact


@pytest.mark.parametrize(
    ("text", "per_min"), [("30/min", 30), ("2/s", 120), ("10/h", 1 / 6), ("0/min", 0), ("1.5 / s", 90), ("7/h", 7 / 60)]
)
def test_rates(text: str, per_min: float) -> None:
    assert parse_rate(text) == pytest.approx(per_min, rel=1e-15)


@pytest.mark.parametrize("value", [30, 0, "30", "30/", "/min", "30/m", "30/day", "-1/s", True, None, "1/s/s"])
def test_rates_refused(value: object) -> None:
    with pytest.raises(ValueError, match="allowed: a number per s, min or h"):
        parse_rate(value)


@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(["s", "min", "h"]))
def test_a_rate_is_read_back(whole: int, thousandth: int, unit: str) -> None:
    per_min = parse_rate(f"{whole}.{thousandth:03d}/{unit}")
    assert parse_rate(format_rate(per_min)) == per_min
