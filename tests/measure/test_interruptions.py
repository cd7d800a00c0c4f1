"""The row of a turn that cuts into a reply, and of the turn whose reply it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.facts.acts import Cut, Truncation
from bench.facts.signals import Signal, SpeechStarted
from bench.facts.timeline import Entry, Timeline, timeline_from_dict, timeline_to_dict
from bench.measure.records import TurnRecord
from bench.measure.turns import measure_turn
from tests.measure import build
from tests.measure.build import ANCHOR, audio, committed, done, facts, ns, onset, started, stopped

ONSET_MS = 2_000.0
"""Of the interrupting speech, after the end of speech of the first turn; it lasts 1 s."""
REPLY: list[Signal] = [
    stopped(400, "u0"),
    committed(400, "u0"),
    started(410, "a"),
    audio(1_000, 1_000, "a"),
    onset(1_000, 100, "a"),
    audio(1_500, 1_000, "a"),
    audio(2_100, 1_000, "a"),
]
ANSWER: list[Signal] = [
    stopped(ONSET_MS + 1_400, "u1"),
    committed(ONSET_MS + 1_400, "u1"),
    started(ONSET_MS + 1_410, "b"),
    audio(ONSET_MS + 1_600, 500, "b"),
    onset(ONSET_MS + 1_600, 0, "b"),
    done(ONSET_MS + 1_700, "b"),
]


def call(
    *,
    seen_ms: float | None = 2_250,
    cut: Cut | None = None,
    status: Any = "cancelled",
    ended_ms: float | None = 2_260,
    cuts_into: int | None = 0,
    answer: list[Signal] = ANSWER,
) -> Timeline:
    first = facts(end="interrupted", ended_ns=ns(ONSET_MS - 150))
    second = facts(
        index=1, t0_ns=ns(ONSET_MS - 150), speech_start_ns=ns(ONSET_MS), speech_end_ns=ns(ONSET_MS + 1_000),
        utterance_end_ns=ns(ONSET_MS + 1_200), ended_ns=ns(6_000), interrupts=True, cuts_into=cuts_into,
    )  # fmt: skip
    reply = [*REPLY, *([done(ended_ms, "a", status)] if ended_ms is not None else [])]
    signals: list[tuple[Signal, int, int | None]] = [
        (each, 0, None if each.kind in {"speech_stopped", "input_committed"} else 0) for each in reply
    ]
    if seen_ms is not None:
        signals.append((SpeechStarted(ns(seen_ms), "u1"), 1, None))
    signals += [(each, 1, None if each.kind in {"speech_stopped", "input_committed"} else 1) for each in answer]
    entries = [Entry(signal, signal.at_ns + 1_000, turn, response) for signal, turn, response in signals]
    entries.sort(key=lambda entry: entry.signal.at_ns)
    return build.timeline([], first, turns=[first, second], entries=entries, cuts=[cut] if cut else [])


def rows(timeline: Timeline) -> tuple[TurnRecord, TurnRecord]:
    """Both rows, the same from the stored form."""
    first, second = (measure_turn(timeline, turn, wall_anchor=ANCHOR) for turn in timeline.turns)
    stored = timeline_from_dict(timeline_to_dict(timeline))
    assert [measure_turn(stored, turn, wall_anchor=ANCHOR) for turn in stored.turns] == [first, second]
    return first, second


CUT = Cut(0, ns(2_250), "speech_started", truncations=[Truncation("item_a", 1_250, ns(2_251))])


def test_the_reply_stops_when_the_server_hears_the_caller() -> None:
    first, second = rows(call(cut=CUT))
    assert second.barge_in is True
    assert second.barge_in_at_ms == 1_000
    assert second.barge_in_seen_ms == 250
    assert second.barge_in_stop_ms == 250
    assert second.talk_over_ms == 250
    assert second.discarded_audio_ms == 1_750
    assert second.truncated_ms == 1_250
    assert second.status == "ok"
    assert second.first_audio_ms == 600
    assert first.status == "interrupted"
    assert first.reply_heard_ms == 2_250
    assert first.reply_audio_ms == 3_000
    assert first.barge_in is None


def test_a_reply_that_nothing_stops_is_heard_to_its_end() -> None:
    first, second = rows(call(seen_ms=None, status="completed", ended_ms=2_100))
    assert second.barge_in_seen_ms is None
    assert second.barge_in_stop_ms == 4_000 - ONSET_MS
    assert second.discarded_audio_ms == 0
    assert second.talk_over_ms == 1_000, "as long as the caller spoke"
    assert second.truncated_ms is None
    assert first.status == "interrupted"
    assert first.reply_heard_ms == 4_000


def test_a_reply_that_ran_dry_before_the_cut_had_stopped_by_then() -> None:
    gone = call(cut=replace(CUT, at_ns=ns(9_000)), seen_ms=9_000, status="completed", ended_ms=2_100)
    assert rows(gone)[1].barge_in_stop_ms == 2_000


def test_one_that_is_cut_at_once_stops_at_zero() -> None:
    _, second = rows(call(cut=Cut(0, ns(ONSET_MS), "caller"), seen_ms=None))
    assert (second.barge_in_stop_ms, second.talk_over_ms) == (0, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("cancelled", "interrupted"), ("completed", "interrupted"), ("incomplete", "incomplete"), ("failed", "failed")],
)
def test_what_the_server_says_of_the_reply(status: str, expected: str) -> None:
    assert rows(call(cut=CUT, status=status))[0].status == expected


def test_a_response_that_is_never_closed_was_interrupted_too() -> None:
    first, _ = rows(call(cut=CUT, ended_ms=None))
    assert (first.status, first.error_kind) == ("interrupted", None)


def test_a_caller_who_came_too_late_cut_into_nothing() -> None:
    timeline = call(cuts_into=None, seen_ms=None, status="completed", ended_ms=1_900)
    timeline.turns[0].end = "completed"
    first, second = rows(timeline)
    assert (second.barge_in, second.barge_in_stop_ms, first.status) == (False, None, "ok")


def test_the_interruption_may_be_left_without_an_answer() -> None:
    timeline = call(cut=CUT, answer=[])
    timeline.turns[1].end = "reply_timeout"
    _, second = rows(timeline)
    assert (second.status, second.barge_in_stop_ms) == ("no_reply", 250)


def test_frames_of_the_onset_are_decisive() -> None:
    timeline = call(cut=CUT)
    timeline.frame_ms = 40
    timeline.turns[1].frame_late_us = [0, 0, 0, 0, 30_000, *([0] * 60)]
    assert rows(timeline)[1].decisive_late_ms == 30
    timeline.turns[1].cuts_into = None
    assert rows(timeline)[1].decisive_late_ms == 0


def test_an_early_reply_is_talk_over_without_any_interruption() -> None:
    row = build.measure([started(-900), audio(-800, 500), onset(-800, 100), done(-700), stopped(500)])
    assert row.status == "early"
    assert row.talk_over_ms == 400
    assert build.measure(build.good_reply()).talk_over_ms is None
