"""Speech to text over HTTP: where it is sent, what with, and what its answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dialects.dialect import Address
from bench.dialects.openai_transcriptions import OpenAITranscriptionsDialect
from bench.dialects.session_config import SessionConfig
from bench.facts.signals import (
    InputTranscript,
    InputTranscriptFailed,
    Malformed,
    SessionReady,
    Signal,
    TranscriptionUsage,
)

NAME = OpenAITranscriptionsDialect.name


def dialect(**transcription: Any) -> OpenAITranscriptionsDialect:
    body = {
        "type": "transcription",
        "turn_detection": "manual",
        "transcription": {"model": "whisper-1", **transcription},
    }
    return OpenAITranscriptionsDialect(SessionConfig.model_validate(body, context={"dialect": NAME}))


def receive(**message: Any) -> list[Signal]:
    return list(dialect().receive(json.dumps(message), 7))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://h/v1", "https://h/v1/audio/transcriptions"),
        ("ws://h:81", "http://h:81/v1/audio/transcriptions"),
        ("wss://h/v1/audio/transcriptions", "https://h/v1/audio/transcriptions"),
        ("wss://h/openai/v1/?api-version=1", "https://h/openai/v1/audio/transcriptions?api-version=1"),
    ],
)
def test_where_files_are_sent(url: str, expected: str) -> None:
    endpoint = OpenAITranscriptionsDialect.endpoint(Address(url, headers={"Authorization": "Bearer k"}))
    assert (endpoint.url, endpoint.headers) == (expected, {"Authorization": "Bearer k"})


def test_what_is_sent_with_a_file() -> None:
    (message,) = dialect(language="en", prompt="Balances.").end_of_turn(3)
    assert json.loads(message) == {
        "turn": 3,
        "fields": {"model": "whisper-1", "response_format": "json", "language": "en", "prompt": "Balances."},
        "rate_hz": 24_000,
    }


def test_a_session_is_ready_at_once() -> None:
    assert list(dialect().receive(dialect().opening()[0], 7)) == [SessionReady(7)]


def test_an_answer_is_the_text_of_its_turn() -> None:
    body = json.dumps({"text": " Hello. ", "usage": {"type": "duration", "seconds": 3}})
    expected = InputTranscript(7, "turn-2", "Hello.", final=True, usage=TranscriptionUsage(seconds=3))
    assert receive(turn=2, status=200, body=body) == [expected]


@pytest.mark.parametrize("body", ["", "Hello.", "[]", '{"words": 1}', '{"text": 5}'])
def test_an_answer_without_a_text(body: str) -> None:
    (failed,) = receive(turn=0, status=200, body=body)
    assert isinstance(failed, InputTranscriptFailed)
    assert (failed.error.error_kind, failed.error.code) == ("protocol", "malformed_answer")


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        ({"error_kind": "rate_limit", "error_code": "slow_down", "message": "slow"}, "rate_limit", "slow_down"),
        ({"error_kind": "auth", "error_code": "http_401"}, "auth", "http_401"),
        ({"error_kind": 5}, "server", None),
        ([], "server", None),
    ],
)  # fmt: skip
def test_a_failure_keeps_its_kind(failure: Any, kind: str, code: str | None) -> None:
    (failed,) = receive(turn=0, failure=failure)
    assert isinstance(failed, InputTranscriptFailed)
    assert (failed.error.error_kind, failed.error.code) == (kind, code)


@given(
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from(["open", "turn", "body", "failure"]), st.integers() | st.text() | st.none()).map(
        lambda found: json.dumps(found).encode()
    )
)
def test_no_message_can_raise(data: bytes) -> None:
    for signal in dialect().receive(data, 7):
        assert signal.at_ns == 7


def test_what_is_no_message() -> None:
    assert isinstance(next(iter(dialect().receive("{", 7))), Malformed)
