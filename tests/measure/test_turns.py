"""Every column of a turn, from timelines made by hand: once as it should be, once where it must be null."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from bench.facts.signals import (
    AudioDone,
    ErrorInfo,
    InputTranscript,
    InputTranscriptFailed,
    SessionCreated,
    Signal,
    ToolCall,
    TranscriptionUsage,
    Usage,
)
from bench.facts.timeline import Entry, timeline_from_dict, timeline_to_dict
from bench.measure.records import TurnRecord
from bench.pricing.book import books_for, default_books
from tests.measure import build
from tests.measure.build import (
    audio,
    committed,
    done,
    good_reply,
    heard,
    measure,
    ns,
    onset,
    started,
    stopped,
    text,
)

GOOD = good_reply()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "ok"),
        ("error_kind", None),
        ("endpoint_ms", 500.0),
        ("response_created_ms", 520.0),
        ("ttft_ms", 600.0),
        ("first_audio_ms", 700.0),
        ("first_audible_ms", 820.0),
        ("leading_silence_ms", 120.0),
        ("response_done_ms", 1300.0),
        ("commit_to_first_audio_ms", None),  # VAD mode
        ("reply_heard_ms", 1700.0),
        ("reply_audio_ms", 1000.0),
        ("responses", 1),
        ("text_deltas", 2),  # the empty one is none
        ("audio_deltas", 3),
        ("text_tokens_per_s", 100.0),  # 20 tokens in 200 ms
        ("audio_tokens_per_s", 100.0),  # 40 tokens in 400 ms
        ("audio_rtf", 2.5),
        ("stalls", 0),
        ("stall_ms", 0.0),
        ("longest_stall_ms", 0.0),
        ("underrun_ms", 0.0),
        ("tool_ms", None),
        ("barge_in_stop_ms", None),
        ("reference", "What is my balance?"),
        ("hypothesis", "what is my balance"),
        ("reply_text", "Your balance."),
        ("wer", 0.0),
        ("wer_raw", 0.5),
        ("hits", 4),
        ("deletions", 0),
        ("cer", None),
        ("transcription_ms", 1400.0),
        ("transcription_error", None),
        ("in_text", 100),
        ("in_cached_audio", 10),
        ("in_image", None),
        ("out_audio", 40),
        ("transcription_in_audio", 21),
        ("transcription_seconds", None),
        ("cost_usd", None),  # no book was given
        ("started_at", 1_800_000_000.0),
        ("ended_at", 1_800_000_005.1),
        ("speech_start_ms", 100.0),
        ("speech_ms", 2000.0),
        ("manual", False),
        ("client_late", False),
    ],
)
def test_columns_of_a_good_turn(column: str, value: Any) -> None:
    assert getattr(measure(GOOD), column) == (pytest.approx(value) if isinstance(value, float) else value)


def without(*kinds: str) -> list[Signal]:
    return [signal for signal in GOOD if signal.kind not in kinds]


@pytest.mark.parametrize(
    ("signals", "nulls"),
    [
        (without("speech_stopped"), ["endpoint_ms"]),
        (without("text_delta"), ["ttft_ms", "text_tokens_per_s"]),
        (without("onset"), ["first_audible_ms", "leading_silence_ms"]),
        (without("response_started"), ["response_created_ms"]),
        (without("response_ended"), ["response_done_ms", "audio_tokens_per_s", "in_text", "out_text"]),
        (without("input_transcript"), ["hypothesis", "wer", "hits", "transcription_ms", "normaliser"]),
        (
            [started(500), audio(700, 200), onset(701, 0), done(900, usage=build.USAGE)],
            ["audio_rtf", "audio_tokens_per_s", "underrun_ms", "ttft_ms", "reply_text"],  # a single delta has no speed
        ),
        (
            [audio(700, 100), audio(700, 100), text(700, "a"), text(700, "b"), done(900, usage=build.USAGE)],
            ["audio_rtf", "audio_tokens_per_s", "text_tokens_per_s"],  # nor have several at one instant
        ),
        ([onset(700, 500), audio(700, 100), done(900)], ["first_audible_ms"]),  # beyond the audio that came
        (
            [],
            ["first_audio_ms", "first_audible_ms", "reply_heard_ms", "stalls", "underrun_ms", "recv_lag_ms", "ttft_ms"],
        ),
    ],
)
def test_what_was_not_measured_is_null(signals: list[Signal], nulls: list[str]) -> None:
    record = measure(signals)
    assert {name: getattr(record, name) for name in nulls} == dict.fromkeys(nulls)


def test_zero_tokens_are_no_speed() -> None:
    silent = Usage(in_text_tokens=1, out_text_tokens=0, out_audio_tokens=0)
    record = measure([text(1, "a"), audio(1, 10), text(20, "b"), audio(20, 10), done(30, usage=silent)])
    assert record.text_tokens_per_s is None
    assert record.audio_tokens_per_s is None
    assert record.out_text == 0


def test_audible_waits_for_the_audio_before_it() -> None:
    """120 ms of silence arrive in two bursts, the second one late: it is heard when it came, not 120 ms after."""
    record = measure([audio(700, 60), audio(900, 100), onset(901, 120), done(1000)])
    assert record.first_audible_ms == 960.0
    assert record.leading_silence_ms == 260.0


def test_stalls_are_a_listeners() -> None:
    record = measure([audio(700, 100), audio(850, 20), audio(900, 100), done(1000)])
    assert (record.stalls, record.stall_ms, record.longest_stall_ms) == (1, 100.0, 100.0)
    assert record.underrun_ms == 80.0  # without re-buffering: 900 - (700 + 120)
    bare = measure([audio(700, 100), audio(850, 20), audio(900, 100), done(1000)], line={"jitter_buffer_ms": 0.0})
    assert (bare.stalls, bare.stall_ms) == (2, 80.0)


def test_manual_mode_counts_from_the_commit_too() -> None:
    manual = {"manual": True}
    record = measure(GOOD, line=manual, turn={"commit_ns": ns(210), "response_request_ns": ns(212)})
    assert record.commit_to_first_audio_ms == 490.0
    assert record.endpoint_ms is None
    assert measure(GOOD, line=manual, turn={"response_request_ns": ns(300)}).commit_to_first_audio_ms == 400.0
    assert measure(GOOD, line=manual).commit_to_first_audio_ms is None


@pytest.mark.parametrize(
    ("stops", "endpoint_ms"), [([-800, 450], 450.0), ([-800], -800.0), ([450, 2000], 450.0), ([], None)]
)
def test_endpoint_of_a_split_turn(stops: list[float], endpoint_ms: float | None) -> None:
    signals = [stopped(at_ms, f"u{at_ms}") for at_ms in stops]
    assert measure([*signals, *without("speech_stopped")]).endpoint_ms == endpoint_ms


def test_tool_calls_are_counted_once() -> None:
    call = ToolCall(ns(650), "r1", "c1", "lookup", "{}")
    assert measure([started(500), call, replace(call, at_ns=ns(900)), *GOOD[4:]]).tool_ms == 650.0


def test_the_harness_itself() -> None:
    record = measure(GOOD, turn={"frame_late_us": [120, 4_300, 90], "frames": 3})
    assert (record.send_late_ms, record.frames, record.recv_lag_ms) == (4.3, 3, 0.05)
    assert measure(GOOD).send_late_ms is None


# responses: several, nameless, repeated


def test_a_split_turn_takes_its_times_from_the_answer() -> None:
    split = [
        started(-900, "r0"),
        done(-500, "r0", "cancelled", reason="turn_detected", usage=Usage(in_text_tokens=5, out_text_tokens=1)),
        *GOOD,
    ]
    record = measure(split)
    assert (record.status, record.error_code, record.responses, record.split_turn) == ("ok", None, 2, True)
    assert record.first_audio_ms == 700.0
    assert (record.in_text, record.out_text, record.in_cached_text) == (105, 21, 60)


def test_an_early_reply_that_ran_out_is_not_the_answer() -> None:
    early = [started(-900, "r0"), audio(-600, 200, "r0"), text(-610, "Yes?", "r0"), done(-300, "r0")]
    record = measure([*early, *GOOD])
    assert (record.status, record.first_audio_ms) == ("early", 700.0)
    alone = measure(early)
    assert (alone.status, alone.first_audio_ms, alone.ttft_ms) == ("early", -600.0, -610.0)


@pytest.mark.parametrize("start", [[started(520, None)], []])
def test_signals_without_ids_are_one_response(start: list[Signal]) -> None:
    signals = [
        *start,
        text(600, "Hello", None),
        audio(700, 400, None),
        onset(701, 120, None),
        audio(900, 400, None),
        done(1300, None, usage=build.USAGE),
        AudioDone(ns(1301), None),
    ]
    record = measure(signals)
    assert (record.status, record.responses, record.first_audible_ms) == ("ok", 1, 820.0)
    assert record.out_audio == 40


def test_ids_on_some_events_only_are_still_one_response() -> None:
    record = measure(
        [text(600, "Hi", None), started(650, "r1"), audio(700, 100, None), audio(800, 100, "r1"), done(900)]
    )
    assert (record.responses, record.audio_deltas, record.ttft_ms) == (1, 2, 600.0)


def test_two_nameless_responses_are_two() -> None:
    twice = [started(100, None), audio(200, 50, None), done(300, None), started(400, None), audio(500, 50, None)]
    assert measure([*twice, done(600, None)]).responses == 2
    unfinished = [started(100, None), text(150, "a", None), started(400, "r2"), audio(500, 50, "r2"), done(600, "r2")]
    assert measure(unfinished).responses == 2


def test_a_repeated_end_is_billed_once() -> None:
    record = measure([*GOOD, done(1350, usage=Usage(in_text_tokens=999))])
    assert (record.in_text, record.response_done_ms, record.responses) == (100, 1300.0, 1)


def test_other_turns_are_left_out() -> None:
    turn = build.facts()
    line = build.timeline(GOOD, turn)
    line.entries += [Entry(audio(100, 50), ns(100), 1, 9), Entry(heard(90, "other words"), ns(90), 1)]
    record = build.measure_turn(line, turn, wall_anchor=build.ANCHOR)
    assert (record.first_audio_ms, record.hypothesis) == (700.0, "what is my balance")


# transcription

EXPECTED = {"transcription_expected": True}


def test_items_are_joined_in_order_of_commit() -> None:
    signals = [
        committed(-500, "u1"),
        committed(505, "u2"),
        heard(1500, "my balance ", "u2"),
        heard(1600, "what is", "u1"),
    ]
    record = measure([*without("speech_stopped", "input_transcript", "input_committed"), *signals], line=EXPECTED)
    assert (record.hypothesis, record.wer, record.transcription_ms) == ("what is my balance", 0.0, 1600.0)


@pytest.mark.parametrize(
    ("signals", "end", "hypothesis", "error"),
    [
        ([heard(900, "what is my balance")], "completed", "what is my balance", None),
        ([heard(900, "")], "completed", "", None),
        ([heard(900, "what is", None)], "completed", "what is", None),  # the server names no item here
        ([heard(900, "what is"), heard(950, "something else")], "completed", "what is", None),  # repeated
        ([], "completed", None, "timeout"),
        ([], "closed", None, "closed"),
        ([], "stopped", None, None),
        ([InputTranscript(ns(800), "u1", "what", final=False)], "completed", None, "timeout"),
        ([heard(900, "what is"), committed(950, "u2")], "completed", None, "timeout"),  # a part is not the whole
        (
            [InputTranscriptFailed(ns(900), "u1", ErrorInfo("server_error", "audio_unintelligible"))],
            "completed",
            None,
            "audio_unintelligible",
        ),
    ],
)
def test_transcription(signals: list[Signal], end: Any, hypothesis: str | None, error: str | None) -> None:
    record = measure([*without("input_transcript"), *signals], end=end, line=EXPECTED)
    assert (record.hypothesis, record.transcription_error) == (hypothesis, error)
    if hypothesis is None:
        assert (record.wer, record.deletions, record.transcription_ms) == (None, None, None)
    if hypothesis == "":
        assert (record.wer, record.deletions) == (1.0, 4)


def test_nothing_is_missing_where_nothing_was_asked_for() -> None:
    assert measure(without("input_transcript")).transcription_error is None


# money


def test_cost_by_hand() -> None:
    record = measure(GOOD, book=default_books(), line={**EXPECTED, "transcription_model": "gpt-4o-mini-transcribe"})
    assert record.cost_input_usd == pytest.approx((40 * 0.6 + 40 * 10) / 1e6)
    assert record.cost_cached_usd == pytest.approx((60 * 0.06 + 10 * 0.3) / 1e6)
    assert record.cost_output_usd == pytest.approx((20 * 2.4 + 40 * 20) / 1e6)
    assert record.cost_transcription_usd == pytest.approx((21 * 1.25 + 5 * 5) / 1e6)
    assert record.cost_usd == pytest.approx((424 + 6.6 + 848 + 51.25) / 1e6)
    assert (record.cost_partial_usd, record.cost_note) == (None, None)
    assert record.transcription_model == "gpt-4o-mini-transcribe"


def test_an_unbilled_transcription_leaves_the_total_null() -> None:
    record = measure([*without("input_transcript"), heard(1400, "what is my balance")], book=default_books())
    assert record.cost_usd is None
    assert record.cost_partial_usd == pytest.approx((424 + 6.6 + 848) / 1e6)
    assert "transcription" in (record.cost_note or "")


def test_a_response_without_usage_leaves_the_total_null() -> None:
    record = measure([started(100, "r0"), text(150, "hm", "r0"), done(200, "r0"), *GOOD], book=default_books())
    assert record.cost_usd is None
    assert record.cost_partial_usd is not None
    assert "1 of 2 responses came without usage" in (record.cost_note or "")


def test_reasoning_is_billed_and_is_no_speed() -> None:
    thought = replace(build.USAGE, out_text_tokens=20, out_reasoning_tokens=15)
    record = measure([*without("response_ended"), done(1300, usage=thought)], book=default_books())
    plain = measure(GOOD, book=default_books())
    assert (record.out_text, record.out_reasoning) == (20, 15)
    assert record.cost_output_usd == plain.cost_output_usd
    assert record.text_tokens_per_s == pytest.approx((plain.text_tokens_per_s or 0) / 4)
    all_thought = replace(build.USAGE, out_text_tokens=20, out_reasoning_tokens=20)
    assert measure([*without("response_ended"), done(1300, usage=all_thought)]).text_tokens_per_s is None


def test_the_unknown_meters_of_a_turn_are_named_and_the_rest_is_summed() -> None:
    line = {**EXPECTED, "transcription_model": "my-deploy"}
    turn = build.facts()
    call = build.timeline(GOOD, turn, **line)
    call.labels = replace(call.labels, model="gpt-realtime-mini")
    record = build.measure_turn(call, turn, wall_anchor=build.ANCHOR, book=default_books())
    assert record.cost_usd is None
    assert record.cost_unknown == "transcription (no price for the transcription model 'my-deploy')"
    assert record.cost_partial_usd == pytest.approx((424 + 6.6 + 848) / 1e6)


def test_an_unknown_model_says_so() -> None:
    turn = build.facts()
    line = build.timeline(GOOD, turn)
    line.labels = replace(line.labels, model="my-deployment")
    unknown = build.measure_turn(line, turn, wall_anchor=build.ANCHOR, book=default_books())
    assert unknown.cost_usd is None
    assert "my-deployment" in (unknown.cost_note or "")
    line.entries.insert(0, Entry(SessionCreated(ns(-9000), "s", "gpt-realtime"), ns(-9000), None))
    named = build.measure_turn(line, turn, wall_anchor=build.ANCHOR, book=default_books())
    assert named.cost_output_usd == pytest.approx((20 * 16 + 40 * 64) / 1e6)  # the server says what it is
    priced_as = build.measure_turn(line, turn, wall_anchor=build.ANCHOR, book=books_for(None, "gpt-realtime-mini"))
    assert priced_as.cost_output_usd == pytest.approx((20 * 2.4 + 40 * 20) / 1e6)


def test_seconds_are_kept_as_seconds() -> None:
    spoken = heard(1400, "what is my balance", usage=TranscriptionUsage(seconds=2.0))
    record = measure([*without("input_transcript"), spoken], book=default_books())
    assert record.transcription_seconds == 2.0
    assert record.cost_transcription_usd == pytest.approx(2 / 60 * 0.003)


def test_measuring_the_stored_form_gives_the_same_row() -> None:
    turn = build.facts(frame_late_us=[5])
    line = build.timeline(GOOD, turn)
    again = timeline_from_dict(timeline_to_dict(line))
    assert build.measure_turn(again, again.turns[0], wall_anchor=build.ANCHOR) == build.measure_turn(
        line, turn, wall_anchor=build.ANCHOR
    )
    assert {field.name for field in fields(TurnRecord)} >= {"cost_partial_usd", "cost_note", "normaliser"}
