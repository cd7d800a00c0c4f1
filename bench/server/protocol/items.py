"""Conversation items: what was said, by whom, in which order, and how each looks on the wire.

In: items made by the session, and client items, which are validated here. Out: wire objects and usage segments.
Trap: an item's content is `output_audio`, the same thing as a response's content *part* is called `audio`.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pybase64

from bench.audio.formats import AudioFormat
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing, wrong_field
from bench.server.protocol.commands import ContextItem
from bench.server.protocol.usage import Segment, reply_audio_tokens, text_tokens, user_audio_tokens

RETAINED_AUDIO_BYTES = 16 * 1024 * 1024  # per session, for `conversation.item.retrieve`; the oldest audio goes first
_ROLE_PARTS = {"user": ("input_text", "input_audio"), "system": ("input_text",), "assistant": ("output_text",)}


@dataclass(slots=True)
class Part:
    """One content part; `text` is its text or transcript, `audio` its encoded bytes where they are still kept."""

    kind: str
    text: str | None = None
    audio: bytes = b""
    audio_ms: float = 0.0

    def wire(self, *, with_audio: bool) -> dict[str, Any]:
        if self.kind in {"input_text", "output_text"}:
            return {"type": self.kind, "text": self.text or ""}
        shown: dict[str, Any] = {"type": self.kind, "transcript": self.text}
        if with_audio and self.audio:
            shown["audio"] = pybase64.b64encode_as_string(self.audio)
        return shown


@dataclass(slots=True)
class Item:
    """A message (`role`, `parts`), a function call or its output (`fields`)."""

    id: str
    kind: str
    role: str = ""
    status: str = "completed"
    parts: list[Part] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    revision: int = 0  # raised by truncation: a changed item no longer matches the cache
    heard_ms: float = 0.0  # what truncation left

    def wire(self, *, with_audio: bool = False) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": self.id, "object": "realtime.item", "type": self.kind, "status": self.status}
        if self.kind != "message":
            return {**shown, **self.fields}
        return {**shown, "role": self.role, "content": [part.wire(with_audio=with_audio) for part in self.parts]}

    def segment(self) -> Segment:
        text = sum(text_tokens(value) for value in self.fields.values())
        audio = 0
        for part in self.parts:
            if part.kind == "input_audio":  # its transcript is made by another model and is not in the context
                audio += user_audio_tokens(part.audio_ms)
            else:
                audio += reply_audio_tokens(part.audio_ms)
                text += text_tokens(part.text or "")
        return Segment(f"{self.id}/{self.revision}", text, audio)

    def context(self) -> ContextItem:
        """The item as an engine sees it."""
        if any(part.kind == "input_audio" for part in self.parts):
            return ContextItem(self.id, self.role, None)
        if self.kind == "message":
            return ContextItem(self.id, self.role, " ".join(part.text or "" for part in self.parts))
        return ContextItem(self.id, self.kind, self.fields.get("output", self.fields.get("arguments", "")))


class Conversation:
    """Items in order, found by id, with the kept audio bounded."""

    def __init__(self, most_bytes: int = RETAINED_AUDIO_BYTES) -> None:
        self._items: list[Item] = []
        self._most_bytes = most_bytes
        self._retained_bytes = 0

    @property
    def keeps_audio(self) -> bool:
        """Whether any audio is kept at all."""
        return self._most_bytes > 0

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def find(self, item_id: object) -> Item | None:
        return next((item for item in reversed(self._items) if item.id == item_id), None)

    def before(self, item: Item) -> str | None:
        """The id that `item` follows; None at the front or when the item was deleted meanwhile."""
        index = next((i for i, known in enumerate(self._items) if known is item), 0)
        return self._items[index - 1].id if index else None

    def insert(self, item: Item, previous_item_id: str | None) -> str | None:
        """Put `item` behind the named one ("root" = front, None = end); returns the id it now follows."""
        if previous_item_id == "root":
            self._items.insert(0, item)
            previous = None
        elif previous_item_id is None:
            previous = self._items[-1].id if self._items else None
            self._items.append(item)
        else:
            index = next(i for i, known in enumerate(self._items) if known.id == previous_item_id)
            self._items.insert(index + 1, item)
            previous = previous_item_id
        for part in item.parts:
            audio, part.audio = part.audio, b""
            self._retain(part, audio)
        return previous

    def keep_reply(self, item: Item, audio: bytes) -> None:
        """The reply is complete: keep its audio, unless the item was truncated or deleted while it was made."""
        part = item.parts[0]
        if item.revision:
            part.audio_ms = min(part.audio_ms, item.heard_ms)
            part.text = ""
        elif any(known is item for known in self._items):
            self._retain(part, audio)

    def truncate(self, item: Item, audio_end_ms: int) -> None:
        """The listener heard only this much: the rest of the audio and the whole transcript leave the context."""
        part = item.parts[0]
        self._retained_bytes -= len(part.audio)
        kept = int(len(part.audio) * audio_end_ms / part.audio_ms) // 2 * 2 if part.audio_ms else 0
        part.audio = part.audio[:kept]
        self._retained_bytes += kept
        part.audio_ms = item.heard_ms = float(audio_end_ms)
        part.text = ""
        item.revision += 1

    def _retain(self, part: Part, audio: bytes) -> None:
        """Keep `audio` with `part`, letting go of the oldest audio when the session holds too much."""
        if not self._most_bytes:
            return
        self._retained_bytes += len(audio) - len(part.audio)
        part.audio = audio
        for old in (part for item in self._items for part in item.parts):
            if self._retained_bytes <= self._most_bytes:
                return
            if old is not part:
                self._retained_bytes -= len(old.audio)
                old.audio = b""

    def remove(self, item: Item) -> None:
        self._retained_bytes -= sum(len(part.audio) for part in item.parts)
        self._items.remove(item)


def parse_item(value: object, *, item_id: str, audio_format: AudioFormat, param: str = "item") -> Item:
    """An item as a client may create it; `item_id` is used when it brings none."""
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value) if value is not None else missing(param)
    given = value.get("id")
    if given is not None and (not isinstance(given, str) or not 0 < len(given) <= 64):
        raise ProtocolError(
            f"Invalid '{param}.id': a string of 1 to 64 characters.", code="invalid_value", param=f"{param}.id"
        )
    item = Item(id=given or item_id, kind=str(value.get("type", "")))
    if item.kind == "message":
        return _parse_message(item, value, audio_format, param)
    required = {"function_call": ("call_id", "name", "arguments"), "function_call_output": ("call_id", "output")}
    if item.kind not in required:
        raise invalid_choice(f"{param}.type", value.get("type"), ["message", *required])
    for key in required[item.kind]:
        if not isinstance(value.get(key), str):
            raise wrong_field(value, key, "a string", f"{param}.")
        item.fields[key] = value[key]
    return item


def _parse_message(item: Item, value: dict[str, Any], audio_format: AudioFormat, param: str) -> Item:
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
        key = "audio" if kind == "input_audio" else "text"
        if not isinstance(entry.get(key), str):
            raise wrong_field(entry, key, "a string", f"{where}.")
        if kind == "input_audio":
            audio = decode_base64(entry["audio"], f"{where}.audio", audio_format)
            item.parts.append(Part(kind, audio=audio, audio_ms=duration_ms(len(audio), audio_format)))
        else:
            item.parts.append(Part(str(kind), text=entry["text"]))
    return item


def decode_base64(value: str, param: str, audio_format: AudioFormat) -> bytes:
    """The bytes of strict base64, or raises the error for the client."""
    try:
        return pybase64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        is_pcm = audio_format is AudioFormat.PCM16
        kind = "mono PCM16 at 24kHz" if is_pcm else f"mono G.711 {audio_format.encoding} at 8kHz"
        raise ProtocolError(
            f"Invalid '{param}'. Expected base64-encoded audio bytes ({kind}) but got an invalid value.",
            code="invalid_value",
            param=param,
        ) from None


def duration_ms(byte_count: int, audio_format: AudioFormat) -> float:
    return byte_count * 1000.0 / (audio_format.bytes_per_sample * audio_format.rate_hz)
