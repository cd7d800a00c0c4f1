"""What a server set otherwise than it was asked: each key by its name, and nothing that is only written otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from bench.dialects.openai_session import differences

ASKED: dict[str, Any] = {
    "type": "realtime",
    "instructions": "Be kind.",
    "max_output_tokens": 200,
    "tools": [{"type": "function", "name": "lookup"}, {"type": "function", "name": "refund"}],
    "tool_choice": "auto",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "turn_detection": {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 500},
            "transcription": {"model": "whisper-1", "language": "en", "prompt": "names of drugs"},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.2},
    },
    "truncation": "disabled",
}
EXTRA: dict[str, Any] = {"truncation": "disabled", "audio": {"output": {"speed": 1.2}}}

OTHERWISE: list[tuple[str, Any, str]] = [
    ("type", "transcription", "session.type to transcription, not to realtime"),
    ("audio.input.transcription.language", "de", "session.audio.input.transcription.language to de, not to en"),
    ("audio.input.transcription.prompt", "", "session.audio.input.transcription.prompt to , not to names of drugs"),
    ("audio.input.turn_detection.silence_duration_ms", "200", "silence_duration_ms to 200, not to 500"),
    ("audio.input.turn_detection.threshold", "high", "threshold to high, not to 0.6"),
    ("audio.output.speed", 1.0, "session.audio.output.speed to 1.0, not to 1.2"),
    ("truncation", "auto", "session.truncation to auto, not to disabled"),
    ("tools", [{"type": "function", "name": "lookup"}], "session.tools to ['lookup'], not to ['lookup', 'refund']"),
    ("tools", [], "session.tools to [], not to ['lookup', 'refund']"),
    ("tool_choice", "none", "session.tool_choice to none, not to auto"),
]
THE_SAME: list[tuple[str, Any]] = [
    ("audio.input.format.rate", "24000"),
    ("audio.input.format.rate", 24000.0),
    ("audio.output.speed", 1.2000000476837158),
    ("audio.input.turn_detection.silence_duration_ms", "500"),
    ("instructions", "Be kind.\n"),
    ("tools", [{"type": "function", "function": {"name": "refund"}}, {"type": "function", "name": "lookup"}]),
    ("truncation", None),
]


def with_value(path: str, value: Any) -> dict[str, Any]:
    """`ASKED` with another value at `path`."""
    *above, last = path.split(".")
    made: dict[str, Any] = {last: value}
    for key in reversed(above):
        made = {key: made}
    return merged(ASKED, made)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {key: merged(base[key], over[key]) for key in over if isinstance(over[key], dict) and key in base}
    return {**base, **over, **both}


@pytest.mark.parametrize(("path", "value", "said"), OTHERWISE)
def test_a_key_that_was_set_otherwise_is_named(path: str, value: Any, said: str) -> None:
    (found,) = differences(ASKED, with_value(path, value), EXTRA)
    assert said in str(found)
    assert not found.decisive


@pytest.mark.parametrize(("path", "value"), THE_SAME)
def test_another_way_of_writing_a_value_is_no_difference(path: str, value: Any) -> None:
    assert differences(ASKED, with_value(path, value), EXTRA) == []
