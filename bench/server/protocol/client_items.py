"""Conversation items as clients bring them: messages, function calls and their outputs, steps of MCP servers.

In: the `item` of a `conversation.item.create`, or one of a response's own `input`. Out: an `Item`, or a
`ProtocolError` that names the field. Trap: a client gives back what it was given, so every kind of item that a server
makes is also one that a client may send, audio of the assistant among them.
"""

from __future__ import annotations

import binascii
from typing import Any

import pybase64

from bench.audio.formats import AudioFormat
from bench.server.protocol.checks import Check, Json, anything, choice, flag, given, list_of, text
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing, wrong_field
from bench.server.protocol.items import Item, Part, duration_ms

_ROLE_PARTS = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    "assistant": ("output_text", "output_audio"),
}
_STATUS = choice("completed", "incomplete", "in_progress")
_FIELDS: dict[str, tuple[dict[str, Check], dict[str, Check]]] = {
    "function_call": ({"name": text, "arguments": text}, {"call_id": text}),
    "function_call_output": ({"call_id": text, "output": text}, {}),
    "mcp_list_tools": ({"server_label": text, "tools": list_of(anything)}, {}),
    "mcp_call": (
        {"server_label": text, "name": text, "arguments": text},
        {"approval_request_id": text, "output": text, "error": anything},
    ),
    "mcp_approval_request": ({"server_label": text, "name": text, "arguments": text}, {}),
    "mcp_approval_response": ({"approval_request_id": text, "approve": flag}, {"reason": text}),
}
"""The required and the optional fields of every kind of item that is no message."""


def parse_item(
    value: object, *, item_id: str, input_format: AudioFormat, output_format: AudioFormat, param: str = "item"
) -> Item:
    """An item as a client may create it; `item_id` is used when it brings none.

    The caller's audio is in the session's `input_format`, the assistant's in its `output_format`.
    """
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value) if value is not None else missing(param)
    value = given(value)
    named = value.get("id")
    if named is not None and (not isinstance(named, str) or not 0 < len(named) <= 64):
        raise ProtocolError(
            f"Invalid '{param}.id': a string of 1 to 64 characters.", code="invalid_value", param=f"{param}.id"
        )
    item = Item(id=named or item_id, kind=str(value.get("type", "")))
    if "status" in value:
        item.status = _STATUS(value["status"], f"{param}.status")
    if item.kind == "message":
        return _parse_message(item, value, {"input_audio": input_format, "output_audio": output_format}, param)
    if item.kind not in _FIELDS:
        raise invalid_choice(f"{param}.type", value.get("type"), ["message", *_FIELDS])
    required, optional = _FIELDS[item.kind]
    for key, check in required.items():
        if key not in value:
            raise missing(f"{param}.{key}")
        item.fields[key] = check(value[key], f"{param}.{key}")
    item.fields |= {key: check(value[key], f"{param}.{key}") for key, check in optional.items() if key in value}
    if item.kind == "function_call":
        item.fields.setdefault("call_id", f"call_{item.id.removeprefix('item_')}")
    return item


def _parse_message(item: Item, value: Json, formats: dict[str, AudioFormat], param: str) -> Item:
    item.role = str(value.get("role", ""))
    allowed = _ROLE_PARTS.get(item.role)
    if allowed is None:
        raise invalid_choice(f"{param}.role", value.get("role"), _ROLE_PARTS)
    content = value.get("content")
    if not isinstance(content, list):
        raise missing(f"{param}.content") if content is None else invalid_type(f"{param}.content", "an array", content)
    for index, entry in enumerate(content):
        where = f"{param}.content[{index}]"
        kind = entry.get("type") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or kind not in allowed:
            raise invalid_choice(f"{where}.type", kind, allowed)
        item.parts.append(_part(str(kind), given(entry), formats, where))
    return item


def _part(kind: str, entry: Json, formats: dict[str, AudioFormat], where: str) -> Part:
    if kind in formats:
        return _audio_part(kind, entry, formats[kind], where)
    if kind == "input_image":
        image = {"image_url": _required_text(entry, "image_url", where)}
        if "detail" in entry:
            image["detail"] = choice("auto", "low", "high")(entry["detail"], f"{where}.detail")
        return Part(kind, image=image)
    return Part(kind, text=_required_text(entry, "text", where))


def _audio_part(kind: str, entry: Json, audio_format: AudioFormat, where: str) -> Part:
    """Audio, its transcript, or both: of an older conversation often only the words are left."""
    transcript = _required_text(entry, "transcript", where) if "transcript" in entry else None
    if "audio" not in entry and transcript is not None:
        return Part(kind, text=transcript)
    audio = decode_base64(_required_text(entry, "audio", where), f"{where}.audio", audio_format)
    return Part(kind, text=transcript, audio=audio, audio_ms=duration_ms(len(audio), audio_format))


def _required_text(entry: Json, key: str, where: str) -> str:
    found: Any = entry.get(key)
    if not isinstance(found, str):
        raise wrong_field(entry, key, "a string", f"{where}.")
    return found


def decode_base64(value: str, param: str, audio_format: AudioFormat) -> bytes:
    """The bytes of strict base64, or raises the error for the client."""
    try:
        return pybase64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        name = "PCM16" if audio_format.encoding == "pcm16" else f"G.711 {audio_format.encoding}"
        kind = f"mono {name} at {audio_format.rate_hz // 1000}kHz"
        raise ProtocolError(
            f"Invalid '{param}'. Expected base64-encoded audio bytes ({kind}) but got an invalid value.",
            code="invalid_value",
            param=param,
        ) from None
