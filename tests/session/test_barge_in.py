"""What stops the playback of a reply that somebody speaks into, and what the server is told then."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from bench.dialects.openai import OpenAIDialect
from bench.dialects.session_config import SessionConfig
from bench.facts.acts import Cut, Truncation
from bench.facts.attribution import ResponseState
from bench.facts.connection import Connection
from bench.facts.signals import AudioDelta, ReplyStatus, ResponseEnded, SpeechStarted
from bench.facts.timeline import Labels, Timeline, TurnFacts
from bench.session.barge_in import BargeIn
from bench.session.listener import Listener

MS = 1_000_000
TONE = (8_000 * np.sign(np.sin(np.arange(24_000) * 0.1 + 0.05))).astype("<i2").tobytes()


@dataclass
class Subject:
    """A second of reply that arrived at 1 s, and a caller who speaks from 1.4 s on."""

    barge_in: BargeIn
    timeline: Timeline
    dialect: OpenAIDialect
    response: ResponseState
    listener: Listener

    def sent(self) -> list[str]:
        return [json.loads(message)["type"] for message in self.dialect.data_to_send()]


def subject(turn_detection: object = "server_vad", *, cancels: bool = False, ended: bool = False) -> Subject:
    dialect = OpenAIDialect(SessionConfig.model_validate({"turn_detection": turn_detection}))
    labels = Labels("run", "w0", "s", 0, 0, "scenario", "p", None, "openai", "ws")
    timeline = Timeline(labels, Connection(0), 24_000, False, 2, False)
    listener = Listener(dialect, jitter_buffer_ms=60)
    listener.hear(0, AudioDelta(1_000 * MS, "r", "item", 24_000, 48_000, TONE))
    response = ResponseState(0, 0, "r", 1_000 * MS, 1_000 * MS)
    if ended:
        listener.finish(0, "r", 1_010 * MS)
        response.ended_ns = 1_010 * MS
    barge_in = BargeIn(timeline, listener, dialect)
    barge_in.watch(response, 1_400 * MS, cancels=cancels)
    return Subject(barge_in, timeline, dialect, response, listener)


def heard_speech(at_ms: int) -> SpeechStarted:
    return SpeechStarted(at_ms * MS, "u")


def end(at_ms: int, status: ReplyStatus = "cancelled") -> ResponseEnded:
    return ResponseEnded(at_ms * MS, "r", status)


def test_the_server_hears_the_caller() -> None:
    it = subject()
    it.barge_in.feed(heard_speech(1_600), None, 1_601 * MS)
    assert it.timeline.cuts == [Cut(0, 1_600 * MS, "speech_started", truncations=[Truncation("item", 600, 1_601 * MS)])]
    assert it.sent() == ["conversation.item.truncate"]


def test_it_cancels_the_response_without_a_word_about_speech() -> None:
    it = subject()
    it.barge_in.feed(end(1_700), 0, 1_701 * MS)
    assert [(cut.by, cut.at_ns) for cut in it.timeline.cuts] == [("cancelled", 1_700 * MS)]


@pytest.mark.parametrize("status", ["completed", "failed", "incomplete"])
def test_another_end_stops_nothing(status: ReplyStatus) -> None:
    it = subject()
    it.barge_in.feed(end(1_700, status), 0, 1_701 * MS)
    assert it.timeline.cuts == []


def test_a_reply_that_was_all_sent_is_not_heard_on_either() -> None:
    it = subject(ended=True)
    it.barge_in.feed(heard_speech(1_600), None, 1_601 * MS)
    (cut,) = it.timeline.cuts
    assert (cut.truncations[0].heard_ms, cut.cancel_ns) == (600, None)


def test_one_that_was_heard_out_needs_nothing() -> None:
    it = subject(ended=True)
    it.barge_in.feed(heard_speech(2_000), None, 2_001 * MS)
    assert it.timeline.cuts == []
    assert it.sent() == []


def test_only_the_first_stop_counts_and_only_since_the_caller_spoke() -> None:
    it = subject()
    it.barge_in.feed(heard_speech(1_390), None, 1_391 * MS)
    it.barge_in.feed(end(1_500), 4, 1_501 * MS)  # another response
    assert it.timeline.cuts == []
    it.barge_in.feed(heard_speech(1_500), None, 1_501 * MS)
    it.barge_in.feed(end(1_510), 0, 1_511 * MS)
    assert len(it.timeline.cuts) == 1


def test_the_client_asks_for_the_cancellation() -> None:
    it = subject({"type": "server_vad", "interrupt_response": False}, cancels=True)
    it.barge_in.feed(heard_speech(1_600), None, 1_601 * MS)
    assert it.timeline.cuts[0].cancel_ns == 1_601 * MS
    assert it.sent() == ["response.cancel", "conversation.item.truncate"]


def test_a_client_has_nothing_to_cancel_once_all_was_sent() -> None:
    it = subject({"type": "server_vad", "interrupt_response": False}, cancels=True, ended=True)
    it.barge_in.feed(heard_speech(1_600), None, 1_601 * MS)
    assert it.sent() == ["conversation.item.truncate"]


def test_a_server_that_must_not_be_interrupted_goes_on() -> None:
    it = subject({"type": "server_vad", "interrupt_response": False})
    it.barge_in.feed(heard_speech(1_600), None, 1_601 * MS)
    assert it.timeline.cuts == []
    it.barge_in.feed(end(1_700), 0, 1_701 * MS)  # it did it all the same
    assert [cut.by for cut in it.timeline.cuts] == ["cancelled"]


def test_push_to_talk_stops_at_the_onset() -> None:
    it = subject("manual", cancels=True)
    it.barge_in.stop(1_450 * MS, 1_452 * MS)
    (cut,) = it.timeline.cuts
    assert (cut.by, cut.at_ns, cut.cancel_ns) == ("caller", 1_450 * MS, 1_452 * MS)
    assert cut.truncations == [Truncation("item", 450, 1_452 * MS)]


def test_it_is_undecided_as_long_as_something_is_heard() -> None:
    it = subject(ended=True)
    assert it.barge_in.undecided(0, 1_999 * MS)
    assert not it.barge_in.undecided(0, 2_000 * MS)
    assert not it.barge_in.undecided(1, 1_500 * MS)
    it.barge_in.turn_begins(turn(1_450, 1_900))
    assert not it.barge_in.undecided(0, 1_500 * MS)


def turn(start_ms: int, end_ms: int) -> TurnFacts:
    start, end = start_ms * MS, end_ms * MS
    return TurnFacts(0, 0, "f", start, start, end, end, "words", "en", "us", "v")


@pytest.mark.parametrize(
    ("signal", "by"), [(heard_speech(1_600), "speech_started"), (end(1_600), "cancelled"), (heard_speech(2_450), None)]
)
def test_an_early_answer_stops_when_the_caller_goes_on(signal: SpeechStarted | ResponseEnded, by: str | None) -> None:
    it = subject()
    it.barge_in.turn_begins(turn(1_300, 1_900))
    it.listener.hear(1, AudioDelta(1_350 * MS, "s", "other", 24_000, 48_000, TONE))
    it.barge_in.feed(signal, 1 if isinstance(signal, ResponseEnded) else None, signal.at_ns)
    assert [(cut.by, cut.response) for cut in it.timeline.cuts] == ([(by, 1)] if by else [])
