"""The conversation as a chat service gets it."""

from __future__ import annotations

from bench.audio.formats import AudioFormat
from bench.server.engines.cascade.messages import messages_of, tools_of
from bench.server.protocol.commands import ContextItem, ReplyRequest

TOOL = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}


def request(*items: ContextItem, **fields: object) -> ReplyRequest:
    given = {"tools": (TOOL,), "tool_choice": "auto", **fields}
    return ReplyRequest("r", "audio", "Be brief.", items, AudioFormat.PCM16, "alloy", 1.0, None, **given)  # type: ignore[arg-type]


def test_a_call_and_its_result_are_what_the_vendor_calls_them() -> None:
    items = [
        ContextItem("a", "user", None),
        ContextItem("b", "function_call", '{"x":1}', "call_1", "look"),
        ContextItem("c", "function_call", "{}", "call_2", "look"),
        ContextItem("d", "function_call_output", "found", "call_1"),
        ContextItem("e", "assistant", "There."),
        ContextItem("f", "user", None),
    ]
    found = messages_of("Be brief.", items, {"a": "Where is it?"})
    assert [message["role"] for message in found] == ["system", "user", "assistant", "tool", "assistant"]
    assert [call["id"] for call in found[2]["tool_calls"]] == ["call_1", "call_2"]
    assert found[2]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"x":1}'}
    assert found[3] == {"role": "tool", "tool_call_id": "call_1", "content": "found"}


def test_tools_and_their_choice() -> None:
    wanted = tools_of(request())
    assert wanted == {"tools": [{"type": "function", "function": {key: TOOL[key] for key in TOOL if key != "type"}}]}
    named = tools_of(request(tool_choice={"type": "function", "name": "look"}))
    assert named["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert tools_of(request(tools=())) == {}
