"""The conversation as a chat service wants it: items of a session in, messages and tools out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.server.protocol.commands import ContextItem, ReplyRequest


def messages_of(instructions: str, items: Iterable[ContextItem], heard: Mapping[str, str]) -> list[dict[str, Any]]:
    """The messages, the instructions first; `heard` has the words of items that are audio. Empty ones are left out."""
    found: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    for item in items:
        text = item.text if item.text is not None else heard.get(item.item_id, "")
        if item.role == "function_call":
            function = {"name": item.name or "", "arguments": text or "{}"}
            call = {"id": item.call_id, "type": "function", "function": function}
            if found and "tool_calls" in found[-1]:
                found[-1]["tool_calls"].append(call)
            else:
                found.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif item.role == "function_call_output":
            found.append({"role": "tool", "tool_call_id": item.call_id, "content": text})
        elif text:
            found.append({"role": item.role, "content": text})
    return found


def tools_of(request: ReplyRequest) -> dict[str, Any]:
    """The fields of a chat request that say what may be called; none without tools."""
    tools = [_tool(tool) for tool in request.tools if tool.get("type") == "function"]
    if not tools:
        return {}
    choice = request.tool_choice
    if isinstance(choice, dict):
        choice = {"type": "function", "function": {"name": choice.get("name")}}
    return {"tools": tools} | ({} if choice == "auto" else {"tool_choice": choice})


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    known: Sequence[str] = ("name", "description", "parameters")
    return {"type": "function", "function": {key: tool[key] for key in known if tool.get(key) is not None}}
