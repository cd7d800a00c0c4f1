"""The harness as Twilio: what a bot is sent, and what is made of what it sends."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address
from bench.dialects.reply_finder import QUIET_NS
from bench.dialects.twilio_media_streams import MORE_NS, TwilioDialect
from bench.facts.signals import (
    AudioDelta,
    Malformed,
    ResponseEnded,
    SessionCreated,
    SessionReady,
    Signal,
    SpeechStarted,
    Unrecognised,
)
from bench.scenario.model import SessionConfig

S = 1_000_000_000
MS = 1_000_000
VOICE = AudioFormat.PCMU.encode((np.sin(np.arange(8_000) * 0.9) * 8000).astype(np.int16))
"""A second of sound."""


def dialect(**config: Any) -> TwilioDialect:
    return TwilioDialect(SessionConfig.model_validate(config, context={"dialect": "twilio-media-streams"}), "bot")


def started(**config: Any) -> TwilioDialect:
    subject = dialect(**config)
    subject.opening()
    subject.tick(1)
    return subject


def receive(subject: TwilioDialect, at_ns: int, event: str, **fields: Any) -> list[Signal]:
    return list(subject.receive(json.dumps({"event": event, "streamSid": subject.stream, **fields}), at_ns))


def media(subject: TwilioDialect, at_ns: int, sound: bytes) -> list[Signal]:
    return receive(subject, at_ns, "media", media={"payload": base64.b64encode(sound).decode()})


def sent(subject: TwilioDialect) -> list[Any]:
    return [json.loads(message) for message in subject.data_to_send()]


# what is sent


def test_a_call_begins_as_twilio_begins_it_and_is_ready_at_once() -> None:
    subject = dialect(extra={"customParameters": {"shop": "7"}})
    assert subject.next_tick_ns() is None
    connected, start = map(json.loads, subject.opening())
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start["sequenceNumber"] == "1"
    assert start["streamSid"] == start["start"]["streamSid"] == subject.stream
    assert start["start"]["mediaFormat"] == {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    assert start["start"]["customParameters"] == {"shop": "7"}
    assert subject.next_tick_ns() == 0
    assert subject.tick(9) == (SessionCreated(9, subject.stream, "bot"), SessionReady(9))
    assert subject.next_tick_ns() is None


def test_numbers_are_strings_and_count_every_message() -> None:
    subject = started()
    first, second = (json.loads(subject.audio_message(b"\xff" * 160)) for _ in range(2))
    assert (first["sequenceNumber"], second["sequenceNumber"]) == ("2", "3")
    assert second["media"] == {
        "track": "inbound", "chunk": "2", "timestamp": "40", "payload": base64.b64encode(b"\xff" * 160).decode(),
    }  # fmt: skip
    (pressed,) = map(json.loads, subject.press("5"))
    assert (pressed["sequenceNumber"], pressed["dtmf"]) == ("4", {"track": "inbound_track", "digit": "5"})
    (stop,) = map(json.loads, subject.closing())
    assert (stop["event"], stop["sequenceNumber"]) == ("stop", "5")


def test_the_address_is_signed_with_the_auth_token() -> None:
    place = TwilioDialect.endpoint(Address("wss://example.com/media", None, {"X-Twilio-Signature": "token", "X": "1"}))
    assert place.headers == {"X-Twilio-Signature": "tSPKX52hTXSJxrX0z/jOpmhsD1E=", "X": "1"}


# what is received


def test_a_reply_is_what_is_audible() -> None:
    subject = started()
    assert media(subject, S, b"\xff" * 800) == []
    (delta,) = media(subject, S + 40 * MS, VOICE)
    assert isinstance(delta, AudioDelta)
    assert (delta.at_ns, delta.response_id) == (S + 40 * MS, "reply-1")
    assert delta.samples == 60 * 8 + 8_000, "60 ms of the silence were still to be played"
    over_ns = subject.next_tick_ns()
    assert over_ns is not None
    assert abs(over_ns - (S + 1_100 * MS + QUIET_NS)) < MS
    assert subject.tick(over_ns - 1) == ()
    assert subject.tick(over_ns) == (ResponseEnded(S + 40 * MS, "reply-1", "completed"),)
    (late,) = media(subject, over_ns + S, VOICE)
    assert isinstance(late, AudioDelta)
    assert late.response_id == "reply-1", "the caller has not spoken since"
    subject.tick(over_ns + 5 * S)
    (other,) = media(subject, over_ns + 5 * S + MORE_NS + QUIET_NS, VOICE)
    assert isinstance(other, AudioDelta)
    assert other.response_id == "reply-2"


def test_a_mark_comes_back_when_it_is_played() -> None:
    subject = started()
    receive(subject, S, "mark", mark={"name": "at once"})
    assert sent(subject)[0]["mark"] == {"name": "at once"}
    media(subject, S, VOICE)
    receive(subject, S + 1, "mark", mark={"name": "later"})
    assert sent(subject) == []
    assert subject.next_tick_ns() == 2 * S
    subject.tick(2 * S)
    assert [each["mark"]["name"] for each in sent(subject)] == ["later"]


def test_clear_throws_away_what_is_left_and_gives_its_marks_back() -> None:
    subject = started()
    media(subject, S, VOICE)
    receive(subject, S, "mark", mark={"name": "m"})
    heard = receive(subject, S + 200 * MS, "clear")
    assert heard == [SpeechStarted(S + 200 * MS), ResponseEnded(S + 200 * MS, "reply-1", "cancelled", "clear")]
    assert [each["mark"]["name"] for each in sent(subject)] == ["m"]
    (following,) = media(subject, S + 300 * MS, VOICE)
    assert isinstance(following, AudioDelta)
    assert (following.response_id, following.samples) == ("reply-2", 8_000)


def test_what_is_not_the_protocol_is_named() -> None:
    subject = started()
    assert receive(subject, 7, "weather") == [Unrecognised(7, "weather")]
    assert isinstance(receive(subject, 7, "media", media={"payload": "%"})[0], Malformed)
    assert isinstance(receive(subject, 7, "mark")[0], Malformed)
    assert isinstance(subject.receive("{}", 7)[0], Malformed)
