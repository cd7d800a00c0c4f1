"""Every mistake of a client is one error that names it, and no message breaks a session.

Every event in here also passes the strict check against the SDK's published types (`Talk.take`).
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.server.protocol.session import Session
from tests.server.support import (
    Talk,
    append,
    check_event,
    silence,
    types,
    update,
    user_text,
)

BAD_AUDIO = {"type": "input_audio_buffer.append", "audio": "%%%"}
ERRORS: list[tuple[str, Any, str | None, str | None]] = [
    ("no type", {}, "missing_required_parameter", "type"),
    ("unknown type", {"type": "conversation.item.frobnicate"}, "invalid_value", "type"),
    ("type no string", {"type": 4}, "invalid_value", "type"),
    ("update without session", {"type": "session.update"}, "missing_required_parameter", "session"),
    ("update without type", {"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
    ("bad voice", update(audio={"output": {"voice": "bob"}}), "invalid_value", "session.audio.output.voice"),
    ("both modalities", update(output_modalities=["text", "audio"]), "invalid_value", "session.output_modalities"),
    ("other model", update(model="gpt-x"), "cannot_update_model", "session.model"),
    ("append without audio", {"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ("append of a number", {"type": "input_audio_buffer.append", "audio": 3}, "invalid_type", "audio"),
    ("bad base64", BAD_AUDIO, "invalid_value", "audio"),
    ("not ASCII", {**BAD_AUDIO, "audio": "\u00e4"}, "invalid_value", "audio"),
    ("16 MiB", {**BAD_AUDIO, "audio": "A" * (15 * 1024 * 1024 + 4)}, "string_above_max_length", "audio"),
    ("empty commit", {"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    ("create without item", {"type": "conversation.item.create"}, "missing_required_parameter", "item"),
    ("bad item type", {"type": "conversation.item.create", "item": {"type": "x"}}, "invalid_value", "item.type"),
    ("bad role", user_text("x", role="robot"), "invalid_value", "item.role"),
    ("no content", user_text("x", content=None), "missing_required_parameter", "item.content"),
    ("assistant audio", user_text("x", role="assistant"), "invalid_value", "item.content[0].type"),
    ("no text", user_text("x", content=[{"type": "input_text"}]), "missing_required_parameter", "item.content[0].text"),
    ("long id", user_text("x", id="i" * 65), "invalid_value", "item.id"),
    ("after nothing", {**user_text("x"), "previous_item_id": "gone"}, "item_create_invalid_previous_item_id", None),
    (
        "retrieve nothing",
        {"type": "conversation.item.retrieve", "item_id": "gone"},
        "item_retrieve_invalid_item_id",
        None,
    ),
    ("delete without id", {"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
    ("delete nothing", {"type": "conversation.item.delete", "item_id": "gone"}, "item_delete_invalid_item_id", None),
    (
        "truncate nothing",
        {"type": "conversation.item.truncate", "item_id": "gone"},
        "item_truncate_invalid_item_id",
        None,
    ),
    ("response no object", {"type": "response.create", "response": []}, "invalid_type", "response"),
    ("bad conversation", {"type": "response.create", "response": {"conversation": "x"}}, "invalid_value", None),
    ("no audio in it", {"type": "input_audio_buffer.append", "audio": None}, "missing_required_parameter", "audio"),
    ("null session", {"type": "session.update", "session": None}, "missing_required_parameter", "session"),
    ("unknown override", {"type": "response.create", "response": {"x": 1}}, "unknown_parameter", "response.x"),
    (
        "unknown reference",
        {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "gone"}]}},
        "item_not_found",
        "response.input[0].id",
    ),
    ("nothing to cancel", {"type": "response.cancel"}, "response_cancel_not_active", None),
    ("cancel another", {"type": "response.cancel", "response_id": "resp_x"}, "response_cancel_not_active", None),
]


@pytest.mark.parametrize(("event", "code", "param"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_every_mistake_is_one_error_that_names_it(event: dict[str, Any], code: str, param: str | None) -> None:
    talk = Talk()
    error = talk.error({**event, "event_id": "client_1"})
    assert (error["code"], error["event_id"]) == (code, "client_1")
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"] == param
    assert types(talk.send(update(instructions="still alive"))) == ["session.updated"]


def test_the_wording_clients_match_on() -> None:
    talk = Talk()
    assert (
        talk.error({"type": "session.update", "session": {}})["message"]
        == "Missing required parameter: 'session.type'."
    )
    message = talk.error({"type": "input_audio_buffer.commit"})["message"]
    assert message == (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        "but buffer only has 0.00ms of audio."
    )
    assert talk.error({"type": "nonsense"})["message"].startswith(
        "Invalid value: 'nonsense'. Supported values are: 'session.update', "
    )


@pytest.mark.parametrize("text", ["", "{", "nul", b"\xff\xfe", "[1]", '"x"', "3"])
def test_what_is_no_event_is_an_error(text: str | bytes) -> None:
    talk = Talk()
    (answer,) = talk.take(talk.session.handle_text(text))
    assert answer["type"] == "error"


def test_only_user_assistant_audio_can_be_truncated() -> None:
    talk = Talk(user_text("x", id="a"))
    event = {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 0}
    assert talk.error(event)["message"] == "Only model output audio messages can be truncated."
    assert talk.error({**event, "audio_end_ms": "0"})["code"] == "invalid_type"
    assert talk.error(user_text("again", id="a"))["code"] == "item_create_duplicate_id"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
VALID: list[dict[str, Any]] = [
    update(
        tools=[{"type": "function", "name": "f", "parameters": {}}],
        output_modalities=["text"],
        max_output_tokens=9,
        audio={
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 200},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "cedar", "speed": 1.1},
        },
    ),
    append(silence(120)),
    {"type": "input_audio_buffer.commit"},
    {**user_text("hello", id="known"), "previous_item_id": "root"},
    {"type": "conversation.item.retrieve", "item_id": "known"},
    {"type": "conversation.item.truncate", "item_id": "known", "content_index": 0, "audio_end_ms": 5},
    {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "metadata": {"a": "b"},
            "input": [{"type": "item_reference", "id": "known"}, user_text("x")["item"]],
            "audio": {"output": {"voice": "marin"}},
        },
    },
    {"type": "response.cancel", "response_id": "resp_1"},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, entry in inside for place in places(entry, (*path, key)))]


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A valid event with one value, anywhere in it, replaced by any JSON."""
    event: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(VALID)))
    path = draw(st.sampled_from(places(event)))
    holder: Any = event
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = draw(JSON)
    return event


@settings(max_examples=400, deadline=None)
@given(events=st.lists(spoiled() | st.sampled_from(VALID), min_size=1, max_size=5))
def test_no_client_event_breaks_a_session(events: list[dict[str, Any]]) -> None:
    session = Session(model="m", created_at_s=0)
    for event in events:
        actions = session.handle(event)
        for answer in actions.events:
            check_event(answer)
    assert session.handle(update(instructions="alive")).events[0]["type"] == "session.updated"
