"""Which turn a signal belongs to and when a turn is over, from signals alone."""

from __future__ import annotations

import pytest

from bench.facts.connection import Connection
from bench.facts.signals import (
    AudioDelta,
    ErrorInfo,
    InputCommitted,
    InputTranscript,
    Malformed,
    ReplyStatus,
    ResponseEnded,
    ResponseStarted,
    ServerError,
    Signal,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
)
from bench.facts.timeline import Labels, Timeline, TurnFacts
from bench.session.tracker import EARLY_SETTLE_NS, MOST_NOISE, RETRY_SETTLE_NS, Bounds, Tracker

S = 1_000_000_000
REPLY = 15 * S
RESPONSE = 60 * S


def subject() -> tuple[Tracker, Timeline]:
    labels = Labels("run", "w0", "s", 0, 0, "scenario", "p", None, "openai", "ws")
    timeline = Timeline(labels, Connection(0), 24_000, False, 2, True)

    def refuses(error: ErrorInfo, turn: int) -> bool:
        return error.event_id == f"turn-{turn}"

    return Tracker(timeline, Bounds(10 * S, REPLY, RESPONSE, 5 * S, 2 * S), refuses_turn=refuses), timeline


def turn(index: int, start_s: float, end_s: float) -> TurnFacts:
    start, end = round(start_s * S), round(end_s * S)
    return TurnFacts(index, 0, "f", start, start, end, end, "words", "en", "us", "v")


def feed(tracker: Tracker, *signals: Signal) -> None:
    for signal in signals:
        tracker.feed(signal, signal.at_ns)


def at(seconds: float) -> int:
    return round(seconds * S)


def test_a_plain_turn_is_over_when_its_response_ends() -> None:
    tracker, timeline = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, SpeechStarted(at(0.1), "u"), SpeechStopped(at(2.5), "u"), InputCommitted(at(2.5), "u"))
    assert tracker.over(at(2.6)) is None
    feed(tracker, ResponseStarted(at(2.7), "r"), AudioDelta(at(2.8), "r", "a", 100))
    assert tracker.over(at(3)) is None
    feed(tracker, ResponseEnded(at(3.5), "r", "completed"))
    assert tracker.over(at(3.5)) == "completed"
    assert {entry.turn for entry in timeline.entries} == {0}


def test_no_reply_ends_at_the_bound_counted_from_the_end_of_speech() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    assert tracker.over(at(2) + REPLY - 1) is None
    assert tracker.over(at(2) + REPLY) == "reply_timeout"
    assert tracker.next_check_ns(at(10)) == at(2) + REPLY


def test_a_reply_that_stops_in_the_middle_times_out() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, ResponseStarted(at(3), "r"), AudioDelta(at(4), "r", "a", 100))
    assert tracker.over(at(4) + REPLY - 1) is None
    assert tracker.over(at(4) + REPLY) == "response_timeout"


def test_an_endless_reply_times_out() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, ResponseStarted(at(3), "r"), AudioDelta(at(62.9), "r", "a", 100))
    assert tracker.over(at(62.95)) is None
    assert tracker.over(at(63)) == "response_timeout"


def test_a_split_turn_waits_for_the_second_response() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 4))
    feed(
        tracker,
        SpeechStopped(at(2), "u1"),
        InputCommitted(at(2), "u1"),
        ResponseStarted(at(2.2), "r1"),
        SpeechStarted(at(2.5), "u2"),
        ResponseEnded(at(2.6), "r1", "cancelled", "turn_detected"),
    )
    assert tracker.over(at(4.1)) is None
    feed(tracker, SpeechStopped(at(4.5), "u2"), InputCommitted(at(4.5), "u2"))
    assert tracker.over(at(4) + EARLY_SETTLE_NS) is None, "one more utterance was taken in than answered"
    feed(tracker, ResponseStarted(at(4.8), "r2"), ResponseEnded(at(6), "r2", "completed"))
    assert tracker.over(at(6)) == "completed"


def test_an_early_reply_alone_is_taken_after_a_settling_time() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 4))
    feed(tracker, ResponseStarted(at(1), "r"), ResponseEnded(at(2), "r", "completed"))
    assert tracker.over(at(4)) is None
    assert tracker.over(at(4) + EARLY_SETTLE_NS) == "completed"


def test_an_unanswered_second_segment_does_not_undo_the_answer() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, InputCommitted(at(2.4), "u"), ResponseStarted(at(2.5), "r"), ResponseEnded(at(3), "r", "completed"))
    feed(tracker, InputCommitted(at(3.5), "noise"))
    assert tracker.over(at(4)) is None
    assert tracker.over(at(3.5) + EARLY_SETTLE_NS - 1) is None
    assert tracker.over(at(3.5) + EARLY_SETTLE_NS) == "completed"


def test_late_deltas_and_transcripts_belong_to_their_own_turn() -> None:
    tracker, timeline = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, InputCommitted(at(2.4), "u"), ResponseStarted(at(2.5), "r"), ResponseEnded(at(3), "r", "completed"))
    assert tracker.transcription_due(0)
    tracker.begin(turn(1, 5, 7))
    feed(tracker, TextDelta(at(5.1), "r", "late"), InputTranscript(at(5.2), "u", "words", final=True))
    assert [entry.turn for entry in timeline.entries[-2:]] == [0, 0]
    assert not tracker.transcription_due(0)
    assert tracker.transcription_due(1)


def test_events_without_ids_still_make_a_turn() -> None:
    tracker, timeline = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, AudioDelta(at(3), None, None, 10), ResponseEnded(at(4), "r", "completed"))
    assert tracker.over(at(4)) == "completed"
    tracker.begin(turn(1, 5, 6))
    feed(tracker, AudioDelta(at(7), None, None, 10))
    assert timeline.entries[-1].turn == 1
    assert tracker.over(at(7.1)) is None
    feed(tracker, ResponseEnded(at(8), None, "completed"))
    assert tracker.over(at(8)) == "completed"


def test_a_refused_turn_is_over_at_once_and_a_stray_error_is_not() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, ServerError(at(2.1), ErrorInfo(code="odd")))
    assert tracker.over(at(2.2)) is None
    feed(tracker, ServerError(at(2.3), ErrorInfo(code="input_audio_buffer_commit_empty", event_id="turn-0")))
    assert tracker.over(at(2.3)) == "error"


def test_noise_is_bounded_and_counted() -> None:
    tracker, timeline = subject()
    for n in range(MOST_NOISE + 25):
        feed(tracker, Malformed(n, "x"))
    assert len(timeline.entries) == MOST_NOISE
    assert timeline.dropped_signals == 25


def test_a_reply_answers_all_that_was_taken_in_before_it() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, InputCommitted(at(2.2), "u1"), InputCommitted(at(2.4), "u2"))
    feed(tracker, ResponseStarted(at(2.5), "r"), ResponseEnded(at(3), "r", "completed"))
    assert tracker.over(at(3)) == "completed"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_server_may_try_again_by_itself(status: ReplyStatus) -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, InputCommitted(at(2.2), "u1"), ResponseStarted(at(2.3), "r1"), ResponseEnded(at(2.9), "r1", status))
    assert tracker.over(at(2.9) + RETRY_SETTLE_NS - 1) is None
    assert tracker.next_check_ns(at(2.9)) <= at(2.9) + RETRY_SETTLE_NS
    assert tracker.over(at(2.9) + RETRY_SETTLE_NS) == "completed"
    feed(tracker, ResponseStarted(at(3.2), "r2"))
    assert tracker.over(at(4)) is None
    feed(tracker, ResponseEnded(at(5), "r2", "completed"))
    assert tracker.over(at(5)) == "completed"


def test_a_reply_that_was_taken_back_is_waited_for_again_in_full() -> None:
    tracker, _ = subject()
    tracker.begin(turn(0, 0, 2))
    feed(tracker, InputCommitted(at(2.2), "u1"), ResponseStarted(at(2.3), "r1"), InputCommitted(at(2.8), "u2"))
    feed(tracker, ResponseEnded(at(2.9), "r1", "cancelled", "turn_detected"))
    assert tracker.over(at(2.9) + EARLY_SETTLE_NS) is None
    feed(tracker, ResponseStarted(at(7), "r2"), ResponseEnded(at(8), "r2", "completed"))
    assert tracker.over(at(8)) == "completed"


def refused_commit() -> Tracker:
    tracker, timeline = subject()
    tracker = Tracker(
        timeline,
        Bounds(10 * S, REPLY, RESPONSE, 5 * S, 2 * S),
        refuses_turn=lambda error, index: error.event_id in {"commit", "response"},
        refuses_reply=lambda error, index: error.event_id == "response",
    )
    tracker.begin(turn(0, 0, 2))
    feed(tracker, ServerError(at(2.3), ErrorInfo(code="input_audio_buffer_commit_empty", event_id="commit")))
    assert tracker.over(at(2.3)) is None, "the response that was asked for may still come"
    return tracker


def test_a_refused_commit_waits_for_the_response_that_was_asked_for() -> None:
    tracker = refused_commit()
    feed(tracker, ResponseStarted(at(2.6), "r"))
    assert tracker.over(at(2.3) + EARLY_SETTLE_NS) is None
    feed(tracker, ResponseEnded(at(9), "r", "completed"))
    assert tracker.over(at(9)) == "error"


def test_a_refused_commit_without_a_response_settles() -> None:
    tracker = refused_commit()
    assert tracker.next_check_ns(at(2.3)) <= at(2.3) + EARLY_SETTLE_NS
    assert tracker.over(at(2.3) + EARLY_SETTLE_NS) == "error"
    tracker = refused_commit()
    feed(tracker, ServerError(at(2.4), ErrorInfo(code="odd", event_id="response")))
    assert tracker.over(at(2.4)) == "error"
    assert tracker.refusal is not None
    assert tracker.refusal.code == "input_audio_buffer_commit_empty", "the first cause is the one that is named"
