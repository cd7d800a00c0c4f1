"""Session updates: what merges, what replaces, and how each mistake is named."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError


def merged(update: Any, *, voice_locked: bool = False, current: config.Json | None = None) -> config.Json:
    return config.merged(current or config.default_session("m"), update, voice_locked=voice_locked)


def test_only_the_keys_that_are_present_change() -> None:
    before = config.default_session("m")
    after = merged({"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "cedar"}}})
    assert after["instructions"] == "Be brief."
    assert after["audio"]["output"] == {**before["audio"]["output"], "voice": "cedar"}
    assert after["audio"]["input"] == before["audio"]["input"]
    assert before == config.default_session("m")


def test_null_turn_detection_is_a_value_and_absence_is_not() -> None:
    manual = merged({"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    assert manual["audio"]["input"]["turn_detection"] is None
    still = merged({"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}, current=manual)
    assert still["audio"]["input"]["turn_detection"] is None
    back = merged({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}, current=still)
    assert back["audio"]["input"]["turn_detection"] == config.SERVER_VAD


def test_turn_detection_merges_within_a_type_and_starts_afresh_across_types() -> None:
    def detection(value: config.Json) -> config.Json:
        return {"type": "realtime", "audio": {"input": {"turn_detection": value}}}

    first = merged(detection({"type": "server_vad", "silence_duration_ms": 200}))
    second = merged(detection({"type": "server_vad", "threshold": 0.7}), current=first)
    known = second["audio"]["input"]["turn_detection"]
    assert (known["silence_duration_ms"], known["threshold"]) == (200, 0.7)
    third = merged(detection({"type": "semantic_vad", "eagerness": "high"}), current=second)
    assert third["audio"]["input"]["turn_detection"] == {**config.SEMANTIC_VAD, "eagerness": "high"}
    assert config.silence_ms(third["audio"]["input"]["turn_detection"]) == config.EAGERNESS_SILENCE_MS["high"]


WRONG: list[tuple[Any, str | None, str]] = [
    ({}, "session.type", "missing_required_parameter"),
    ([], "session", "invalid_type"),
    ({"type": "chat"}, "session.type", "invalid_value"),
    ({"type": ["realtime"]}, "session.type", "invalid_value"),
    ({"type": "transcription"}, "session.type", "invalid_parameter"),
    ({"type": "realtime", "model": "other"}, "session.model", "cannot_update_model"),
    ({"type": "realtime", "temperature": 1}, "session.temperature", "unknown_parameter"),
    ({"type": "realtime", "audio": 3}, "session.audio", "invalid_type"),
    ({"type": "realtime", "audio": {"output": {"voice": "bob"}}}, "session.audio.output.voice", "invalid_value"),
    ({"type": "realtime", "audio": {"output": {"speed": 9}}}, "session.audio.output.speed", "decimal_out_of_range"),
    ({"type": "realtime", "audio": {"input": {"format": "pcm16"}}}, "session.audio.input.format", "invalid_value"),
    (
        {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
        "session.audio.input.format.rate",
        "invalid_value",
    ),
    (
        {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
        "session.audio.input.turn_detection.threshold",
        "decimal_out_of_range",
    ),
    (
        {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "none"}}}},
        "session.audio.input.turn_detection.type",
        "invalid_value",
    ),
    (
        {"type": "realtime", "audio": {"input": {"transcription": {"language": "en"}}}},
        "session.audio.input.transcription.model",
        "missing_required_parameter",
    ),
    ({"type": "realtime", "output_modalities": ["audio", "text"]}, "session.output_modalities", "invalid_value"),
    ({"type": "realtime", "max_output_tokens": 0}, "session.max_output_tokens", "integer_out_of_range"),
    ({"type": "realtime", "max_output_tokens": True}, "session.max_output_tokens", "invalid_type"),
    ({"type": "realtime", "tools": [{"type": "function"}]}, "session.tools[0].name", "missing_required_parameter"),
    ({"type": "realtime", "tools": [{"type": "web"}]}, "session.tools[0].type", "invalid_value"),
    ({"type": "realtime", "tools": [{"type": "mcp"}]}, "session.tools[0].server_url", "missing_required_parameter"),
    ({"type": "realtime", "tool_choice": "always"}, "session.tool_choice", "invalid_value"),
    ({"type": "realtime", "instructions": 5}, "session.instructions", "invalid_type"),
]


@pytest.mark.parametrize(("update", "param", "code"), WRONG, ids=[str(row[1]) + "-" + row[2] for row in WRONG])
def test_a_wrong_update_names_the_parameter(update: Any, param: str, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        merged(update)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert str(caught.value)


def _with_nulls(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The path of every key that a session may be told, with its rule."""
    for key, rule in schema.items():
        yield (*path, key), rule
        if isinstance(rule, dict):
            yield from _with_nulls(rule, (*path, key))


NULLED = [path for path, rule in _with_nulls(config.SESSIONS["realtime"]) if path != ("type",)]
VALUES = {
    ("audio", "input", "noise_reduction"),
    ("audio", "input", "transcription"),
    ("audio", "input", "turn_detection"),
    ("include",),
    ("prompt",),
    ("tracing",),
}
"""Where null is a value: it turns something off."""


@pytest.mark.parametrize("path", NULLED, ids=".".join)
def test_null_is_not_given_unless_it_is_a_value(path: tuple[str, ...]) -> None:
    current = merged(
        {
            "type": "realtime",
            "instructions": "Mine.",
            "max_output_tokens": 7,
            "tracing": "auto",
            "prompt": {"id": "p"},
            "include": [],
            "audio": {"input": {"transcription": {"model": "m"}, "noise_reduction": {"type": "near_field"}}},
        }
    )
    update: Any = None
    for key in reversed(path):
        update = {key: update}
    after = merged({"type": "realtime", **update}, current=current)
    if path not in VALUES:
        assert after == current
        return
    found: Any = after
    for key in path:
        found = found[key]
    assert found is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"turn_detection": {"type": None, "threshold": 0.7, "create_response": None}}, {"silence_duration_ms": 200}),
        ({"turn_detection": {"type": "server_vad", "idle_timeout_ms": None}}, {"silence_duration_ms": 200}),
        ({"transcription": {"model": None, "language": "de", "prompt": None}}, {"model": "m", "language": "de"}),
        ({"noise_reduction": {"type": "far_field", "strength": None}}, {"type": "far_field", "strength": 2.0}),
        ({"format": {"type": "audio/pcm", "rate": None}}, {"type": "audio/pcm", "rate": 24000}),
    ],
)
def test_a_null_inside_of_an_object_leaves_what_is_in_force(sent: config.Json, kept: config.Json) -> None:
    first = {
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 200, "idle_timeout_ms": 6000},
        "transcription": {"model": "m"},
        "noise_reduction": {"type": "near_field", "strength": 2.0},
    }
    current = merged({"type": "realtime", "audio": {"input": first}})
    after = merged({"type": "realtime", "audio": {"input": sent}}, current=current)["audio"]["input"]
    (key,) = sent
    assert {name: after[key][name] for name in kept} == kept
    if "idle_timeout_ms" in sent[key]:
        assert after[key]["idle_timeout_ms"] is None


def test_the_model_may_be_chosen_while_nobody_has() -> None:
    chosen = config.merged(
        config.default_session("m"), {"type": "realtime", "model": "x"}, voice_locked=False, model_open=True
    )
    assert chosen["model"] == "x"
    assert merged({"type": "realtime", "model": "m"})["model"] == "m"


def test_an_mcp_server_is_kept_without_what_authorises_at_it() -> None:
    server = {
        "type": "mcp",
        "server_label": "shop",
        "server_url": "https://shop.example/mcp",
        "authorization": "secret",
        "headers": {"X-Key": "secret"},
        "allowed_tools": {"tool_names": ["find"]},
        "require_approval": "never",
        "server_description": None,
    }
    (kept,) = merged({"type": "realtime", "tools": [server], "tool_choice": {"type": "mcp", "server_label": "shop"}})[
        "tools"
    ]
    assert kept["server_label"] == "shop"
    assert "secret" not in str(kept)


def test_a_wrong_update_changes_nothing() -> None:
    current = config.default_session("m")
    kept = copy.deepcopy(current)
    with pytest.raises(ProtocolError):
        merged({"type": "realtime", "instructions": "x", "audio": {"output": {"voice": "bob"}}}, current=current)
    assert current == kept


def test_the_voice_is_locked_after_the_first_sound() -> None:
    update = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    with pytest.raises(ProtocolError) as caught:
        merged(update, voice_locked=True)
    assert caught.value.code == "cannot_update_voice"
    same = {"type": "realtime", "audio": {"output": {"voice": "marin"}}}
    assert merged(same, voice_locked=True)["audio"]["output"]["voice"] == "marin"


@pytest.mark.parametrize(
    ("value", "fine"),
    [
        (None, True),
        ({"a": "b"}, True),
        ({str(n): "" for n in range(16)}, True),
        ({str(n): "" for n in range(17)}, False),
        ({"k" * 65: ""}, False),
        ({"k": "v" * 513}, False),
        ({"k": 1}, False),
        ([], False),
    ],
)
def test_metadata_bounds(value: Any, fine: bool) -> None:
    if fine:
        assert config.metadata(value, "m") == value
    else:
        with pytest.raises(ProtocolError):
            config.metadata(value, "m")
