"""When a turn of a session that only writes down is over: with the last text of what was said, and never before."""

from __future__ import annotations

from bench.facts.signals import (
    ErrorInfo,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    ServerError,
    SpeechStarted,
    SpeechStopped,
)
from bench.session.tracker import EARLY_SETTLE_NS, Tracker
from tests.session.test_tracker import REPLY, at, feed, subject, turn


def writer() -> Tracker:
    tracker, timeline = subject()
    timeline.transcribes = True
    tracker.begin(turn(0, 0, 2))
    return tracker


def final(seconds: float, item: str | None = "u") -> InputTranscript:
    return InputTranscript(at(seconds), item, "words", final=True)


def piece(seconds: float, item: str = "u") -> InputTranscript:
    return InputTranscript(at(seconds), item, "wo", final=False)


def heard(tracker: Tracker, start_s: float, stop_s: float, item: str = "u") -> None:
    feed(tracker, SpeechStarted(at(start_s), item), SpeechStopped(at(stop_s), item), InputCommitted(at(stop_s), item))


def test_the_final_text_ends_it() -> None:
    tracker = writer()
    feed(tracker, SpeechStarted(at(0.1), "u"), piece(1), piece(1.5))
    assert tracker.over(at(2.2)) is None, "words that are not final end nothing"
    feed(tracker, SpeechStopped(at(2.4), "u"), InputCommitted(at(2.4), "u"))
    assert tracker.over(at(2.5)) is None
    feed(tracker, final(2.8))
    assert tracker.over(at(2.8)) == "completed"


def test_a_part_does_not_end_it() -> None:
    tracker = writer()
    heard(tracker, 0.1, 0.8, "u1")
    feed(tracker, final(1.2, "u1"), SpeechStarted(at(1.3), "u2"))
    assert tracker.over(at(2.3)) is None
    feed(tracker, SpeechStopped(at(2.4), "u2"), InputCommitted(at(2.4), "u2"))
    assert tracker.over(at(2.5)) is None
    feed(tracker, final(2.9, "u2"))
    assert tracker.over(at(2.9)) == "completed"


def test_a_text_of_the_first_part_may_come_last() -> None:
    tracker = writer()
    heard(tracker, 0.1, 0.8, "u1")
    heard(tracker, 1.3, 2.4, "u2")
    feed(tracker, final(2.8, "u2"))
    assert tracker.over(at(2.9)) is None
    feed(tracker, final(3.1, "u1"))
    assert tracker.over(at(3.1)) == "completed"


def test_a_text_that_came_before_the_end_is_taken_for_all_when_no_other_follows() -> None:
    tracker = writer()
    heard(tracker, 0.1, 1.8)
    feed(tracker, final(1.9))
    assert tracker.over(at(2)) is None
    assert tracker.over(at(2) + EARLY_SETTLE_NS) == "completed"


def test_a_failed_transcription_ends_it_too() -> None:
    tracker = writer()
    heard(tracker, 0.1, 2.4)
    feed(tracker, InputTranscriptFailed(at(2.6), "u", ErrorInfo("server_error", "x")))
    assert tracker.over(at(2.6)) == "completed"


def test_a_server_that_says_nothing_of_commits() -> None:
    tracker = writer()
    feed(tracker, final(2.9, None))
    assert tracker.over(at(2.9)) == "completed"


def test_a_text_that_never_comes() -> None:
    tracker = writer()
    heard(tracker, 0.1, 2.4)
    assert tracker.over(at(2.4) + REPLY - 1) is None
    assert tracker.over(at(2.4) + REPLY) == "reply_timeout"


def test_a_refused_commit() -> None:
    tracker = writer()
    feed(tracker, ServerError(at(2.5), ErrorInfo("e", "input_audio_buffer_commit_empty", event_id="turn-0")))
    assert tracker.over(at(2.5)) == "error"
