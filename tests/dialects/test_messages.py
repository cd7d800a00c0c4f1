"""What every dialect does alike with a message."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dialects.messages import handle, read_object, read_sound
from bench.facts.signals import Malformed, Signal, SpeechStarted


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "not JSON: "),
        (b"\xff", "not JSON: "),
        ("[1]", "a JSON list where an object belongs"),
        ('"text"', "a JSON str where an object belongs"),
        ("null", "a JSON NoneType where an object belongs"),
    ],
)
def test_a_message_that_is_no_object_says_what_it_is(data: str | bytes, reason: str) -> None:
    found = read_object(data, 7)
    assert isinstance(found, Malformed)
    assert found.at_ns == 7
    assert found.detail.startswith(reason)


def test_an_object_is_read() -> None:
    assert read_object(b'{"type": "x"}', 7) == {"type": "x"}


@given(st.binary())
def test_sound_comes_out_as_it_went_in(payload: bytes) -> None:
    assert read_sound(base64.b64encode(payload).decode(), 7) == payload


@pytest.mark.parametrize(
    ("encoded", "payload"),
    [
        ("AAA=", b"\0\0"),
        ("AAA", b"\0\0"),
        ("-_8=", b"\xfb\xff"),
        ("-_8", b"\xfb\xff"),
        ("+/8", b"\xfb\xff"),
        ("AAAA\r\nAAA=\n", b"\0" * 5),
        ("", b""),
    ],
)
def test_base64_of_every_kind_is_sound(encoded: str, payload: bytes) -> None:
    assert read_sound(encoded, 7) == payload


@pytest.mark.parametrize("encoded", [None, 5, [], {}, "no base64", "A", "AAA=AAA=", "!!!!"])
def test_sound_that_is_not_base64_is_malformed(encoded: Any) -> None:
    found = read_sound(encoded, 7)
    assert isinstance(found, Malformed)
    assert found.detail.startswith("audio that is not base64: ")


def test_a_field_of_the_wrong_type_does_not_end_the_call() -> None:
    def handler(message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        return (SpeechStarted(at_ns + message["audio_start_ms"]),)

    assert handle(handler, {"audio_start_ms": 1}, 7, "speech") == (SpeechStarted(8),)
    (found,) = handle(handler, {"audio_start_ms": "x" * 500}, 7, "speech")
    assert isinstance(found, Malformed)
    assert found.detail.startswith("speech: TypeError: ")
    (found,) = handle(handler, {}, 7, "s" * 500)
    assert isinstance(found, Malformed)
    assert len(found.detail) == 200
