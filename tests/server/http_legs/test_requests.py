"""Bodies of the three services: what is read out of them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.server.http_legs.requests import (
    ChatRequest,
    SpeechRequest,
    chat_request,
    form_fields,
    speech_request,
    transcription_request,
)
from bench.server.protocol.client_errors import ProtocolError

BOUNDARY = "----mark-7f"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)


def form(fields: dict[str, bytes]) -> bytes:
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (BOUNDARY.encode(), name.encode(), value)
        for name, value in fields.items()
    ]
    return b"".join(parts) + b"--%s--\r\n" % BOUNDARY.encode()


@given(st.dictionaries(NAMES, st.binary(max_size=200).filter(lambda data: BOUNDARY.encode() not in data)))
def test_what_was_packed_is_what_is_read(fields: dict[str, bytes]) -> None:
    assert form_fields(FORM, form(fields)) == fields


def outcome(read: Callable[[], object]) -> object:
    """What was read, or the refusal."""
    try:
        return read()
    except ProtocolError as refusal:
        return refusal


@given(st.binary(max_size=300))
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    assert isinstance(outcome(lambda: form_fields(FORM, body)), dict | ProtocolError)
    assert isinstance(outcome(lambda: chat_request(body)), ChatRequest | ProtocolError)
    assert isinstance(outcome(lambda: speech_request(body)), SpeechRequest | ProtocolError)


KEYS = st.sampled_from(["model", "messages", "tools", "input", "speed", "stream_options"])
PLAIN = st.none() | st.booleans() | st.floats() | st.text(max_size=5)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_no_json_does_more_than_be_refused(value: object) -> None:
    body = json.dumps(value).encode()
    chat, speech = outcome(lambda: chat_request(body)), outcome(lambda: speech_request(body))
    if not isinstance(value, dict) or not isinstance(value.get("model"), str):
        assert (type(chat), type(speech)) == (ProtocolError, ProtocolError)
    assert isinstance(chat, ChatRequest | ProtocolError)
    assert isinstance(speech, SpeechRequest | ProtocolError)


def test_a_recording_needs_a_file_and_a_model() -> None:
    found = transcription_request(FORM, form({"file": b"RIFF", "model": b"m", "stream": b"true"}))
    assert (found.file, found.model, found.stream, found.response_format) == (b"RIFF", "m", True, "json")
    for lacking in ({"model": b"m"}, {"file": b"x"}):
        with pytest.raises(ProtocolError, match="Missing required parameter"):
            transcription_request(FORM, form(lacking))
    with pytest.raises(ProtocolError, match="multipart"):
        transcription_request("application/json", b"{}")


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ({"model": "m"}, "input"),
        ({"model": "m", "input": "x" * 4097, "response_format": "pcm"}, "4096"),
        ({"model": "m", "input": "x"}, "mp3"),
        ({"model": "m", "input": "x", "response_format": "pcm", "speed": 9}, "speed"),
    ],
)
def test_speech_that_cannot_be_made_is_refused(body: dict[str, object], about: str) -> None:
    with pytest.raises(ProtocolError, match=about):
        speech_request(json.dumps(body).encode())
