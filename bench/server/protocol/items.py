"""Conversation items: what was said, by whom, in which order, and how each looks on the wire.

In: items made by the session, and those of a client (`client_items`). Out: wire objects and usage segments.
Trap: an item's content is `output_audio`, the same thing as a response's content *part* is called `audio`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pybase64

from bench.audio.formats import AudioFormat
from bench.server.protocol.commands import ContextItem
from bench.server.protocol.usage import Segment, reply_audio_tokens, text_tokens, user_audio_tokens

RETAINED_AUDIO_BYTES = 16 * 1024 * 1024  # per session, for `conversation.item.retrieve`; the oldest audio goes first
IMAGE_TOKENS = {"low": 85, "high": 765}
"""An estimate, whatever the picture's size: nothing here looks into it."""
MCP_KINDS = frozenset({"mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response"})


@dataclass(slots=True)
class Part:
    """One content part; `text` is its text or transcript, `audio` its encoded bytes where they are still kept."""

    kind: str
    text: str | None = None
    audio: bytes = b""
    audio_ms: float = 0.0
    image: dict[str, str] = field(default_factory=dict)
    """Of an `input_image`: its URL, and how closely it is to be looked at."""

    def wire(self, *, with_audio: bool) -> dict[str, Any]:
        if self.kind in {"input_text", "output_text"}:
            return {"type": self.kind, "text": self.text or ""}
        if self.kind == "input_image":
            return {"type": self.kind, **self.image}
        shown: dict[str, Any] = {"type": self.kind, "transcript": self.text}
        if with_audio and self.audio:
            shown["audio"] = pybase64.b64encode_as_string(self.audio)
        return shown


@dataclass(slots=True)
class Item:
    """A message (`role`, `parts`); a function call, its output, or a step of an MCP server (`fields`)."""

    id: str
    kind: str
    role: str = ""
    status: str = "completed"
    parts: list[Part] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    revision: int = 0  # raised by truncation: a changed item no longer matches the cache
    heard_ms: float = 0.0  # what truncation left

    def wire(self, *, with_audio: bool = False) -> dict[str, Any]:
        if self.kind in MCP_KINDS:
            return {"id": self.id, "type": self.kind, **self.fields}
        shown: dict[str, Any] = {"id": self.id, "object": "realtime.item", "type": self.kind, "status": self.status}
        if self.kind != "message":
            return {**shown, **self.fields}
        return {**shown, "role": self.role, "content": [part.wire(with_audio=with_audio) for part in self.parts]}

    def segment(self) -> Segment:
        text = sum(text_tokens(value) for value in self.fields.values() if isinstance(value, str))
        audio = image = 0
        for part in self.parts:
            if part.kind == "input_audio":  # its transcript is made by another model and is not in the context
                audio += user_audio_tokens(part.audio_ms)
            elif part.kind == "input_image":
                image += IMAGE_TOKENS["low" if part.image.get("detail") == "low" else "high"]
            else:
                audio += reply_audio_tokens(part.audio_ms)
                text += text_tokens(part.text or "")
        return Segment(f"{self.id}/{self.revision}", text, audio, image)

    def context(self) -> ContextItem:
        """The item as an engine sees it."""
        if any(part.kind == "input_audio" and part.audio_ms for part in self.parts):
            return ContextItem(self.id, self.role, None)
        if self.kind == "message":
            return ContextItem(self.id, self.role, " ".join(part.text for part in self.parts if part.text))
        said = self.fields.get("output") or self.fields.get("arguments") or ""
        return ContextItem(self.id, self.kind, str(said), self.fields.get("call_id"), self.fields.get("name"))


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

    def adopt(self, other: Conversation) -> int:
        """Begin with the items of another conversation, without their audio; how many they are."""
        self._items[:0] = list(other)
        return len(self._items)

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


def duration_ms(byte_count: int, audio_format: AudioFormat) -> float:
    return byte_count * 1000.0 / (audio_format.bytes_per_sample * audio_format.rate_hz)
