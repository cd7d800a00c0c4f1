"""Which gaps of our own process touch a turn's numbers, and which do not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.facts.connection import Connection
from bench.facts.gaps import Gap, GapKind
from bench.facts.signals import InputTranscript, Signal
from bench.facts.timeline import timeline_from_dict, timeline_to_dict
from bench.measure.records import TurnRecord
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from tests.measure.build import (
    ANCHOR,
    SPEECH_MS,
    audio,
    done,
    facts,
    measure,
    ns,
    onset,
    started,
    text,
    timeline,
)

REPLY: list[Signal] = [
    started(500),
    text(600, "Yes."),
    audio(700, 200),
    onset(700, 0),
    audio(900, 200),
    done(1000),
]
LONG_MS = SPEECH_MS + 100


def gap(start_ms: float, end_ms: float, kind: GapKind = "frozen", length_ms: float | None = None) -> Gap:
    length = end_ms - start_ms if length_ms is None else length_ms
    return Gap(ns(start_ms), ns(end_ms), round(length * 1_000_000), kind)


def row(*gaps: Gap, signals: list[Signal] | None = None, turn: dict[str, Any] | None = None, **line: Any) -> TurnRecord:
    known = {"gaps": list(gaps), "client_late_ms": 20.0, "connection": Connection(0, kernel_stamps=True), **line}
    return measure(REPLY if signals is None else signals, turn=turn, line=known)


@pytest.mark.parametrize(
    ("gaps", "gap_ms"),
    [
        ([], None),
        # While the caller spoke: the server has had the time to work through what came at once.
        ([gap(-1500, -1200)], None),
        ([gap(-9000, -4000)], None),
        # ... and has not, after a long gap or one that ended just now.
        ([gap(-400, -150)], 250),
        ([gap(-5000, -900)], 4100),
        # The end of speech itself.
        ([gap(-100, 200)], 300),
        ([gap(-3000, 3000)], 6000),
        # Between the end of speech and the reply, where nothing came.
        ([gap(100, 450)], None),
        # The start of the reply, its text, its audio, its end.
        ([gap(450, 510)], 60),
        ([gap(550, 690)], 140),
        ([gap(650, 3650)], 3000),
        ([gap(910, 990)], None),
        ([gap(950, 1001)], 51),
        # After it: while the caller listens.
        ([gap(1001, 7000)], None),
        # The longest that touched it.
        ([gap(450, 510), gap(650, 950), gap(1100, 5000)], 300),
        # Shorter than the bound: known, and forgiven.
        ([gap(490, 505)], 15),
    ],
)
def test_a_gap_counts_where_a_decisive_stamp_fell_into_it(gaps: list[Gap], gap_ms: float | None) -> None:
    found = row(*gaps)
    assert found.gap_ms == gap_ms
    assert found.client_late == (gap_ms is not None and gap_ms > 20)


def test_a_machine_that_slept_spoils_whatever_it_slept_through() -> None:
    assert row(gap(100, 101, "suspended", 60_000)).gap_ms == 60_000
    assert row(gap(5000, 5001, "suspended", 60_000)).gap_ms is None


def test_a_clock_that_was_set_spoils_what_was_dated_by_it() -> None:
    # Read 50 us after it arrived: only what waited while the clock was set has a wrong age.
    assert row(gap(699, 701, "clock", 1500)).client_late
    assert not row(gap(710, 712, "clock", 1500)).client_late
    assert not row(gap(-1, 1, "clock", 1500)).client_late


@pytest.mark.parametrize(("asked_ms", "late_ms"), [(200.5, 0.5), (230, 30), (3200, 3000)])
def test_a_request_that_was_sent_late_is_decisive(asked_ms: float, late_ms: float) -> None:
    turn = {"commit_ns": ns(asked_ms), "response_request_ns": ns(asked_ms), "frame_late_us": [100] * 115}
    found = row(turn=turn, manual=True, frame_ms=20.0)
    assert found.decisive_late_ms == pytest.approx(late_ms)
    assert found.client_late == (late_ms > 20)


@pytest.mark.parametrize("end", ["reply_timeout", "response_timeout", "closed", "error"])
def test_what_was_not_answered_while_nobody_listened_is_not_the_servers_fault(end: Any) -> None:
    known = {"gaps": [gap(300, 3300)], "client_late_ms": 20.0, "connection": Connection(0, kernel_stamps=True)}
    assert measure([], end=end, turn={"ended_ns": ns(5000)}, line=known).client_late
    assert not measure([], end=end, turn={"ended_ns": ns(5000)}, line={**known, "gaps": []}).client_late


def test_a_gap_that_became_known_later_is_not_of_the_row() -> None:
    assert row(gap(650, 950), turn={"gaps_measured": 0}).gap_ms is None
    assert row(gap(650, 950), gap(650, 960), turn={"gaps_measured": 1}).gap_ms == 300


def test_a_transcription_is_waited_for_as_long_as_we_were_awake() -> None:
    said = InputTranscript(ns(5500), "item_u", "What is my balance?", True)
    line = {"transcription_expected": True, "transcription_bound_ms": 2000.0}
    assert row(signals=[*REPLY, said], **line).hypothesis is None
    assert row(gap(3100, 5100), signals=[*REPLY, said], **line).hypothesis == "What is my balance?"


@given(st.integers(-3000, 3000), st.integers(21, 4000))
def test_no_kept_row_has_a_stamp_of_its_own_inside_of_a_gap(start_ms: int, length_ms: int) -> None:
    hole = gap(start_ms, start_ms + length_ms)
    found = row(hole)
    inside = any(hole.start_ns < signal.at_ns <= hole.end_ns for signal in REPLY)
    spoken = start_ms < 0 < start_ms + length_ms
    if inside or spoken:
        assert found.client_late


def test_gaps_survive_storage_and_say_when_a_call_came_up_in_one() -> None:
    turn = facts()
    line = Connection(ns(-5000), started_ns=ns(-5000), open_ns=ns(-4900), ready_ns=ns(-4800), kernel_stamps=True)
    kept = timeline(REPLY, turn, gaps=[gap(-4950, -4850)], client_late_ms=20.0, connection=line)
    again = timeline_from_dict(timeline_to_dict(kept))
    assert again.gaps == kept.gaps
    for each in (kept, again):
        rows = [measure_turn(each, each.turns[0], wall_anchor=ANCHOR)]
        assert measure_session(each, rows, ANCHOR).gap_ms == 100
        assert rows[0].gap_ms is None
    kept.gaps = [gap(-4700, -4000)]
    assert measure_session(kept, [], ANCHOR).gap_ms is None
