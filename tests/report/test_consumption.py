"""What calls use by the minute, against figures worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.records import SessionRecord, TurnRecord
from bench.report.consumption import Consumption, consumption, consumption_of, times
from bench.report.stats import Estimate
from bench.report.view import view_of
from bench.store.columns import schema_of, to_frame
from tests.report import build
from tests.report.bills import call, stored, turn

BEGUN = build.START.timestamp()


def use(in_tokens: int | None, out_tokens: int | None = 0) -> dict[str, Any]:
    return {"in_audio": in_tokens, "out_audio": out_tokens}


def said(number: int, place: int, counts: dict[str, Any], at_s: float, **changes: Any) -> TurnRecord:
    """A turn whose caller stopped to speak `at_s` seconds into the call."""
    begun = BEGUN + 60 * number + at_s - 1.8
    return turn(number, place, counts, **{"started_at": begun, "ended_at": begun + 10, **changes})


def tables(rows: list[Any], record: type) -> pd.DataFrame:
    """Rows as the tables of a stored run have them."""
    schema = schema_of(record)
    values = [[getattr(row, name) for row in rows] for name in schema.names]
    return to_frame(pa.table([pa.array(each, field.type) for each, field in zip(values, schema, strict=True)], schema))


def learned_of(turns: list[TurnRecord], calls: list[SessionRecord]) -> Consumption | None:
    """Of the calls that became ready."""
    ready = [row for row in calls if row.session_ready_ms is not None]
    return consumption_of(tables(turns, TurnRecord), tables(ready, SessionRecord))


def learned(turns: list[TurnRecord], calls: list[SessionRecord]) -> Consumption:
    found = learned_of(turns, calls)
    assert found is not None
    return found


TWO_MINUTES = [
    said(0, 0, use(100, 20), 10),
    said(0, 1, use(200, 20), 30),
    said(0, 2, use(300, 30), 70),
    said(0, 3, use(400, 30), 110),
]
"""340 tokens in the first minute of a call, 760 in the second."""


def test_tokens_grow_from_minute_to_minute() -> None:
    found = learned(TWO_MINUTES, [call(0, 4, duration_ms=120_000.0)])
    assert (found.minutes, found.calls, found.turns) == (2, 1, 4)
    assert [found.tokens_per_call_minute(minute).value for minute in (0, 1)] == [340, 760]
    assert found.tokens_per_call_minute().value == 550
    assert found.requests_per_call_minute().value == 2
    assert found.per_call(found.tokens).value == 1100
    assert found.dearest_minute(found.tokens) == 1
    assert times(found.tokens_per_call_minute(), 300).value == 165_000


def test_a_last_minute_that_calls_hardly_began_is_counted_with_the_one_before() -> None:
    late = said(0, 4, use(500), 121)
    found = learned([*TWO_MINUTES, late], [call(0, 5, duration_ms=123_000.0)])
    assert found.minutes == 2
    assert found.tokens_per_call_minute(1).value == pytest.approx((760 + 500) / 1.05)
    longer = learned([*TWO_MINUTES, late], [call(0, 5, duration_ms=150_000.0)])
    assert longer.tokens_per_call_minute(2).value == pytest.approx(1000)


def test_a_short_call_counts_for_the_part_of_a_minute_that_it_lasted() -> None:
    found = learned([said(0, 0, use(90, 10), 5)], [call(0, 1, duration_ms=15_000.0)])
    assert (found.minutes, found.minutes_per_call) == (1, 0.25)
    assert found.tokens_per_call_minute().value == 400
    assert found.per_call(found.tokens).value == 100


def test_a_turn_without_a_count_and_one_that_was_refused_are_as_the_others_of_their_minute() -> None:
    turns = [
        *TWO_MINUTES,
        said(1, 0, use(None, None), 10),
        said(1, 1, use(0, 0), 70, status="failed", error_kind="rate_limit"),
    ]
    found = learned(turns, [call(number, 4, duration_ms=120_000.0) for number in (0, 1)])
    assert (found.without_usage, found.refused) == (1, 1)
    assert found.tokens[1].tolist() == [170, 380]


def test_a_turn_to_which_nothing_was_said_used_nothing() -> None:
    silent = said(0, 4, {}, 115, status="no_reply", responses=0)
    found = learned([*TWO_MINUTES, silent], [call(0, 5, duration_ms=120_000.0)])
    assert found.without_usage == 0
    assert found.per_call(found.tokens).value == 1100
    assert found.per_call(found.requests).value == 4


def test_without_any_count_tokens_are_not_known_and_requests_are() -> None:
    found = learned([said(0, 0, use(None, None), 10)], [call(0, 1, duration_ms=60_000.0)])
    assert found.tokens_per_call_minute() == Estimate(None)
    assert found.dearest_minute(found.tokens) is None
    assert found.requests_per_call_minute().value == 1


def test_what_belongs_to_no_turn_is_spread_over_the_call() -> None:
    greeted = call(0, 4, duration_ms=120_000.0, other_responses=1, other_in_text=40, other_out_audio=60)
    found = learned(TWO_MINUTES, [greeted])
    assert [found.tokens_per_call_minute(minute).value for minute in (0, 1)] == [390, 810]
    assert found.per_call(found.requests).value == 5


def test_a_call_that_was_stopped_counts_to_the_end_of_its_last_turn() -> None:
    cut = call(0, 4, duration_ms=120_000.0, status="stopped")
    found = learned([said(0, 0, use(100), 21.8)], [cut])
    assert found.minutes_per_call == pytest.approx(0.5)


def test_calls_that_were_cut_off_are_left_out_where_there_are_enough_whole_ones() -> None:
    turns = [said(number, place, use(10 * (place + 1)), 15 + 60 * place) for number in range(6) for place in range(2)]
    cut = [said(number, 0, use(10), 15) for number in range(6, 9)]
    whole = [call(number, 2, duration_ms=120_000.0) for number in range(6)]
    stopped = [call(number, 2, duration_ms=30_000.0, status="stopped") for number in range(6, 9)]
    found = learned([*turns, *cut], [*whole, *stopped])
    assert (found.whole, found.calls, found.tokens_per_call_minute().value) == (True, 6, 15)
    few = learned([*turns[:4], *cut], [*whole[:2], *stopped])
    assert (few.whole, few.calls) == (False, 5)


def test_a_response_of_no_turn_without_a_count_is_as_the_others() -> None:
    unknown = call(0, 4, duration_ms=120_000.0, other_responses=2)
    found = learned(TWO_MINUTES, [unknown])
    assert found.per_call(found.tokens).value == pytest.approx(1100 + 2 * 1100 / 4)
    assert found.per_call(found.requests).value == 6


def test_calls_that_never_began_teach_nothing() -> None:
    refused = call(0, 1, session_ready_ms=None, status="failed", duration_ms=300.0)
    assert learned_of([], [refused]) is None
    assert learned_of([], []) is None
    assert learned_of([turn(7, 0, use(1))], [call(0, 1)]) is not None  # a turn of a call that goes on


def test_limits_resample_calls() -> None:
    calls = [call(number, 1, duration_ms=60_000.0) for number in range(40)]
    turns = [said(number, 0, use(100 + number % 5 * 10), 10) for number in range(40)]
    found = learned(turns, calls).tokens_per_call_minute()
    assert found.value == 120
    assert found.limits is not None
    assert 110 < found.limits[0] < 120 < found.limits[1] < 130
    assert learned(turns[:3], calls[:3]).tokens_per_call_minute().limits is None


def test_a_stored_run_is_read_alike(tmp_path: Path) -> None:
    view = view_of(stored(tmp_path / "run"))
    found = consumption(view)
    assert found is not None
    assert found.calls == 2
    assert found.per_call(found.tokens).value == 100_000 + 50_000 + 60_000 + 130_000 + 110_000 + 45_000
    nobody = consumption(view, np.zeros(2, dtype=np.bool_))
    assert nobody is None


@given(
    st.lists(
        st.tuples(
            st.floats(1, 900),
            st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9999), st.integers(0, 999)), max_size=6),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_nothing_is_lost_or_counted_twice(calls: list[tuple[float, list[tuple[float, int, int]]]]) -> None:
    """Whatever the lengths, tokens, requests and minutes add up to those of the rows."""
    turns = [
        said(number, place, use(into, out), part * length_s)
        for number, (length_s, own) in enumerate(calls)
        for place, (part, into, out) in enumerate(own)
    ]
    rows = [call(number, len(own), duration_ms=1000 * length) for number, (length, own) in enumerate(calls)]
    found = learned(turns, rows)
    assert found.tokens.sum() == sum(into + out for _, own in calls for _, into, out in own)
    assert found.requests.sum() == len(turns)
    assert found.exposure_min.sum() * 60 == pytest.approx(sum(length for length, _ in calls))
    assert (found.exposure_min >= 0).all()
