"""Items that clients bring: every kind that the vendor's types list, with what SDKs leave empty as null."""

from __future__ import annotations

from typing import Any

import pytest

from bench.server.protocol import commands
from tests.server.support import Talk, append, silence, types

PCM = append(silence(200))["audio"]


def message(role: str, *content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content), **fields}


ITEMS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "an image",
        message("user", {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}),
        {"content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}]},
    ),
    (
        "nulls everywhere",
        message(
            "user",
            {"type": "input_text", "text": "hello", "audio": None, "transcript": None, "image_url": None},
            id=None,
            status=None,
            object=None,
        ),
        {"content": [{"type": "input_text", "text": "hello"}], "status": "completed"},
    ),
    (
        "what a caller said, in words",
        message("user", {"type": "input_audio", "audio": None, "transcript": "my balance"}),
        {"content": [{"type": "input_audio", "transcript": "my balance"}]},
    ),
    (
        "a spoken answer",
        message("assistant", {"type": "output_audio", "audio": PCM, "transcript": "hello"}, status="incomplete"),
        {"content": [{"type": "output_audio", "transcript": "hello"}], "status": "incomplete"},
    ),
    (
        "a spoken answer, in words",
        message("assistant", {"type": "output_audio", "transcript": "hello"}),
        {"content": [{"type": "output_audio", "transcript": "hello"}]},
    ),
    (
        "a written answer",
        message("assistant", {"type": "output_text", "text": "hello"}),
        {"content": [{"type": "output_text", "text": "hello"}]},
    ),
    (
        "a call with an id",
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "call_1"},
        {"call_id": "call_1", "name": "f", "arguments": "{}"},
    ),
    ("its output", {"type": "function_call_output", "call_id": "call_1", "output": ""}, {"output": ""}),
    (
        "an MCP call",
        {"type": "mcp_call", "id": "m1", "server_label": "s", "name": "f", "arguments": "{}", "output": None},
        {"server_label": "s", "name": "f"},
    ),
    (
        "a list of MCP tools",
        {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "f", "input_schema": {}}]},
        {"tools": [{"name": "f", "input_schema": {}}]},
    ),
    (
        "a request for approval",
        {"type": "mcp_approval_request", "server_label": "s", "name": "f", "arguments": "{}"},
        {"name": "f"},
    ),
    (
        "an approval",
        {"type": "mcp_approval_response", "approval_request_id": "m1", "approve": True, "reason": None},
        {"approve": True},
    ),
]


@pytest.mark.parametrize(("item", "shown"), [row[1:] for row in ITEMS], ids=[row[0] for row in ITEMS])
def test_every_kind_of_item_is_taken_and_shown(item: dict[str, Any], shown: dict[str, Any]) -> None:
    talk = Talk()
    event = {"type": "conversation.item.create", "event_id": None, "previous_item_id": None, "item": item}
    answers = talk.send(event)
    assert types(answers) == ["conversation.item.added", "conversation.item.done"]
    made = answers[0]["item"]
    assert {key: made[key] for key in shown} == shown
    again = talk.send({"type": "conversation.item.retrieve", "item_id": made["id"]})
    assert again[0]["item"]["id"] == made["id"]
    created = talk.send({"type": "response.create", "response": {"input": [{**item, "id": None}]}})
    assert types(created) == ["response.created"]


def test_a_call_without_an_id_gets_one() -> None:
    (added, _) = Talk().send(
        {"type": "conversation.item.create", "item": {"type": "function_call", "name": "f", "arguments": "{}"}}
    )
    assert added["item"]["call_id"].startswith("call_")


def test_only_audio_that_is_there_is_heard() -> None:
    talk = Talk()
    words = message("user", {"type": "input_audio", "transcript": "my balance"})
    talk.send({"type": "conversation.item.create", "item": words})
    assert talk.commanded(commands.OpenInput) == []
    talk.send({"type": "response.create"})
    (request,) = talk.commanded(commands.ReplyRequest)
    assert request.context[-1].text == "my balance"
    sound = message("user", {"type": "input_audio", "audio": PCM})
    talk.send({"type": "conversation.item.create", "item": sound})
    assert len(talk.commanded(commands.FeedInput)) == 1


def test_an_image_counts_in_the_usage() -> None:
    talk = Talk()
    image = message("user", {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"})
    talk.send({"type": "conversation.item.create", "item": image}, {"type": "response.create"})
    (done,) = [event for event in talk.send({"type": "response.cancel"}) if event["type"] == "response.done"]
    usage = done["response"]["usage"]
    assert usage["input_token_details"]["image_tokens"] == 85
    assert usage["input_tokens"] == sum(
        usage["input_token_details"][kind] for kind in ("text_tokens", "audio_tokens", "image_tokens")
    )


WRONG = [
    (message("user", {"type": "output_audio", "audio": PCM}), "item.content[0].type", "invalid_value"),
    (message("assistant", {"type": "output_audio"}), "item.content[0].audio", "missing_required_parameter"),
    (message("user", {"type": "input_image"}), "item.content[0].image_url", "missing_required_parameter"),
    (message("user", {"type": "input_audio", "audio": None}), "item.content[0].audio", "missing_required_parameter"),
    (message("user", {"type": "input_text", "text": "x"}, status="over"), "item.status", "invalid_value"),
    ({"type": "function_call", "name": None, "arguments": "{}"}, "item.name", "missing_required_parameter"),
    ({"type": "function_call_output", "output": "x"}, "item.call_id", "missing_required_parameter"),
    (
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": "yes"},
        "item.approve",
        "invalid_type",
    ),
]


@pytest.mark.parametrize(("item", "param", "code"), WRONG)
def test_a_wrong_item_names_the_field(item: dict[str, Any], param: str, code: str) -> None:
    error = Talk().error({"type": "conversation.item.create", "item": item})
    assert (error["param"], error["code"]) == (param, code)
