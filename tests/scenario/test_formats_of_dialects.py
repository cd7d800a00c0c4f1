"""A format that a dialect would ignore is refused before the first call."""

from __future__ import annotations

from typing import Any

import pytest

from bench.dialects import dialect_names, formats_of


@pytest.mark.parametrize("key", ["input_format", "output_format"])
@pytest.mark.parametrize("name", dialect_names())
def test_telephone_audio_where_there_is_none(name: str, key: str, problems: Any) -> None:
    known = formats_of(name)
    found = problems(
        f"name: t\ntarget: {{dialect: {name}, url: 'wss://h/', model: m}}\nsession: {{frame: 20ms, {key}: pcmu}}\n"
        "conversation: [{say: yes-slt}]\nseed: -1\n"
    )
    other = "s.yaml:5: seed: found -1; allowed: 0 or more"
    said = f"s.yaml:3: session.{key}: found 'pcmu'; dialect {name} has no such format; allowed: {', '.join(known)}"
    assert found == ([other] if "pcmu" in known else [said, other])


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


def test_frames_of_one_length_only(problems: Any) -> None:
    start = "name: t\ntarget: {dialect: twilio-media-streams, url: 'wss://h/'}\nconversation: [{say: yes-slt}]\n"
    said = "session.frame: found 40ms; dialect twilio-media-streams has frames of 20ms only; write frame: 20ms"
    assert [each.partition(": ")[2] for each in problems(start)] == [said]


def test_each_of_several_targets_is_asked(problems: Any) -> None:
    found = problems(
        "name: t\nsession: {turn_detection: manual}\nconversation: [{say: yes-slt}]\ntargets:\n"
        "  a: {dialect: openai, url: 'wss://h/', model: m}\n"
        "  b: {dialect: elevenlabs-agents, url: 'wss://h/', model: m}\n"
    )
    (only,) = found
    assert "targets.b.session.turn_detection: found 'manual'" in only


@pytest.mark.parametrize(
    ("keys", "dialect", "said"),
    [
        (
            "1x",
            "twilio-media-streams",
            "found 'x' in '1x'; allowed: the keys 0 to 9, *, #, A, B, C and D, without spaces",
        ),
        ("1#", "openai", "dialect openai has no keys to press; allowed with: twilio-media-streams"),
    ],
)
def test_keys_of_a_telephone(keys: str, dialect: str, said: str, problems: Any) -> None:
    (found,) = problems(
        f"name: t\ntarget: {{dialect: {dialect}, url: 'wss://h/', model: m}}\nsession: {{frame: 20ms}}\n"
        f"conversation: [{{press: '{keys}'}}, {{say: yes-slt}}]\n"
    )
    assert found.endswith(said)
