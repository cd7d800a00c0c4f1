"""What one message means for a call: kept, attributed, listened to."""

from __future__ import annotations

import pytest

from bench.config.redactor import Redactor
from bench.dialects.openai import OpenAIDialect
from bench.dialects.session_config import SessionConfig
from bench.facts.connection import Connection
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    ErrorInfo,
    Malformed,
    Onset,
    RateLimits,
    ResponseEnded,
    ServerError,
    SessionReady,
    Signal,
    TextDelta,
)
from bench.facts.timeline import Labels, Timeline, TurnFacts
from bench.session.intake import Intake
from bench.session.listener import Listener
from bench.session.scrub import Scrubber
from bench.session.tracker import Bounds, Tracker

S = 1_000_000_000
LOUD = b"\x00\x20\x00\xe0" * 1_200


def subject(redactor: Redactor | None = None) -> tuple[Intake, Timeline]:
    labels = Labels("run", "w0", "s", 0, 0, "scenario", "p", None, "openai", "ws")
    timeline = Timeline(labels, Connection(0), 8_000, False, 1, True)
    dialect = OpenAIDialect(SessionConfig())
    tracker = Tracker(timeline, Bounds(S, S, S, S, S), refuses_turn=dialect.refuses_turn)
    tracker.begin(TurnFacts(0, 0, "f", 0, 0, S, S, "words", "en", "us", "v"))
    scrubber = Scrubber(redactor or Redactor(), timeline)
    return Intake(timeline, dialect, tracker, Listener(dialect, jitter_buffer_ms=60), scrubber), timeline


def test_audio_is_kept_without_its_sound_and_its_onset_with_it() -> None:
    intake, timeline = subject()
    assert not intake.take([AudioDelta(S, None, None, 2_400, 4_800, LOUD)], S)
    assert intake.take([AudioDone(2 * S, None), ResponseEnded(2 * S, None, "completed")], 2 * S)
    assert [type(entry.signal) for entry in timeline.entries] == [AudioDelta, Onset, AudioDone, ResponseEnded]
    assert timeline.entries[0].signal.encoded is None  # type: ignore[union-attr]
    assert {(entry.turn, entry.response) for entry in timeline.entries} == {(0, 0)}


def test_audio_that_cannot_be_decoded_is_named_and_ends_nothing() -> None:
    intake, timeline = subject()
    intake.take([AudioDelta(S, "r", "i", 3, 5, "abcde")], S)
    assert isinstance(timeline.entries[-1].signal, Malformed)
    assert intake.refusal is None


def test_ready_brings_the_rate_that_the_dialect_knows_by_then() -> None:
    intake, timeline = subject()
    assert intake.take([SessionReady(3 * S)], 4 * S)
    assert intake.ready
    assert (timeline.output_rate_hz, timeline.connection.ready_ns) == (24_000, 3 * S)
    intake.take([SessionReady(5 * S)], 5 * S)
    assert timeline.connection.ready_ns == 3 * S


@pytest.mark.parametrize(
    ("signal", "decisive", "refused"),
    [
        (ServerError(S, ErrorInfo(code="odd")), True, True),  # nothing but the configuration was sent so far
        (ServerError(S, ErrorInfo(code="odd", event_id="another")), True, False),
        (ServerError(S, ErrorInfo(code="session_expired"), fatal=True), True, True),
        (ServerError(S, ErrorInfo(event_id="bench-session")), True, True),
        (TextDelta(S, "r", "a"), False, False),
        (RateLimits(S), False, False),
    ],
)
def test_what_may_end_a_wait(signal: Signal, decisive: bool, refused: bool) -> None:
    intake, _ = subject()
    assert intake.take([signal], S) is decisive
    assert (intake.refusal is not None) is refused
