"""A format that a dialect would ignore is refused before the first call."""

from __future__ import annotations

from typing import Any

import pytest

from bench.dialects import dialect_names


@pytest.mark.parametrize("key", ["input_format", "output_format"])
@pytest.mark.parametrize("name", dialect_names())
def test_telephone_audio_where_there_is_none(name: str, key: str, problems: Any) -> None:
    found = problems(
        f"name: t\ntarget: {{dialect: {name}, url: 'wss://h/', model: m}}\nsession: {{{key}: pcmu}}\n"
        "conversation: [{say: yes-slt}]\nseed: -1\n"
    )
    other = "s.yaml:5: seed: found -1; allowed: 0 or more"
    said = f"s.yaml:3: session.{key}: found 'pcmu'; dialect {name} has no such format; allowed: pcm16"
    assert found == ([said, other] if name in {"gemini-live", "qwen-omni", "elevenlabs-agents"} else [other])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "turn_detection: manual",
            "session.turn_detection: found 'manual'; dialect elevenlabs-agents has no such detection; "
            "allowed: server_vad",
        ),
        (
            "output: text",
            "session.output: found 'text'; dialect elevenlabs-agents has no such replies; allowed: audio",
        ),
    ],
)
def test_what_a_dialect_does_not_have_is_refused(line: str, said: str, problems: Any) -> None:
    found = problems(
        "name: t\ntarget: {dialect: elevenlabs-agents, url: 'wss://h/', model: m}\n"
        f"session: {{{line}}}\nconversation: [{{say: yes-slt}}]\n"
    )
    assert found == [f"s.yaml:3: {said}"]
