"""One response: the engine's text and audio in, the documented sequence of `response.*` events out.

The assistant item appears with the first piece; whatever ends the response (completion, cancellation, interruption,
token limit, failure), every opened part is closed by its `done` events before `response.done`.
Trap: reply audio arrives here already encoded for the wire; its duration is its byte count, not the time it took.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pybase64

from bench.audio.formats import AudioFormat
from bench.server.protocol.commands import Event
from bench.server.protocol.items import Conversation, Item, Part, duration_ms
from bench.server.protocol.usage import Segment, UsageLedger, reply_audio_tokens, text_tokens

NewEvent = Callable[..., Event]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a response ended; `reason` for cancelled and incomplete, `error` for failed."""

    status: str
    reason: str | None = None
    error: dict[str, Any] | None = None

    def details(self) -> dict[str, Any] | None:
        if self.status == "completed":
            return None
        details: dict[str, Any] = {"type": self.status}
        if self.reason:
            details["reason"] = self.reason
        if self.error:
            details["error"] = self.error
        return details


class Response:
    """A response in progress; `conversation` is None for one that stays out of the conversation."""

    __slots__ = (
        "_audio",
        "_audio_bytes",
        "_conversation",
        "_item",
        "_item_id",
        "_new_event",
        "context",
        "conversation_id",
        "id",
        "metadata",
        "out_text_tokens",
        "settings",
    )

    def __init__(
        self,
        *,
        response_id: str,
        item_id: str,
        settings: dict[str, Any],
        metadata: dict[str, str] | None,
        conversation: Conversation | None,
        conversation_id: str | None,
        context: tuple[Segment, ...],
        new_event: NewEvent,
    ) -> None:
        self.id = response_id
        self.settings = settings
        self.metadata = metadata
        self.context = context
        self.conversation_id = conversation_id
        self.out_text_tokens = 0
        self._conversation = conversation
        self._item_id = item_id
        self._item: Item | None = None
        self._audio = bytearray()
        self._audio_bytes = 0
        self._new_event = new_event

    @property
    def modality(self) -> str:
        return str(self.settings["output_modalities"][0])

    @property
    def format(self) -> AudioFormat:
        kind = self.settings["audio"]["output"]["format"]["type"]
        return {"audio/pcmu": AudioFormat.PCMU, "audio/pcma": AudioFormat.PCMA}.get(kind, AudioFormat.PCM16)

    @property
    def max_tokens(self) -> int | None:
        limit = self.settings["max_output_tokens"]
        return None if limit == "inf" else int(limit)

    @property
    def audio_ms(self) -> float:
        return duration_ms(self._audio_bytes, self.format)

    @property
    def out_audio_tokens(self) -> int:
        return reply_audio_tokens(self.audio_ms)

    @property
    def out_tokens(self) -> int:
        return self.out_text_tokens + self.out_audio_tokens

    @property
    def over_limit(self) -> bool:
        return self.max_tokens is not None and self.out_tokens >= self.max_tokens

    def created(self) -> list[Event]:
        return [self._new_event("response.created", response=self._wire("in_progress", None, [], None))]

    def text(self, delta: str) -> list[Event]:
        """More of the reply's words: its text, or the transcript of what is spoken."""
        item, events = self._opened()
        part = item.parts[0]
        part.text = (part.text or "") + delta
        self.out_text_tokens += text_tokens(delta)
        kind = "response.output_text.delta" if self.modality == "text" else "response.output_audio_transcript.delta"
        events.append(self._part_event(kind, delta=delta))
        return events

    def audio(self, data: bytes, in_base64: str | None = None) -> list[Event]:
        """More of the reply's sound, encoded in `format`."""
        item, events = self._opened()
        self._audio_bytes += len(data)
        if self._conversation is not None and self._conversation.keeps_audio:
            self._audio += data
        item.parts[0].audio_ms = self.audio_ms
        delta = pybase64.b64encode_as_string(data) if in_base64 is None else in_base64
        events.append(self._part_event("response.output_audio.delta", delta=delta))
        return events

    def ended(self, ending: Ending, ledger: UsageLedger) -> list[Event]:
        """The closing events, `response.done` last."""
        events: list[Event] = []
        output: list[dict[str, Any]] = []
        if self._item is not None:
            output, events = self._closed(self._item, complete=ending.status == "completed")
        usage = ledger.usage(self.context, out_text_tokens=self.out_text_tokens, out_audio_tokens=self.out_audio_tokens)
        response = self._wire(ending.status, ending.details(), output, usage)
        return [*events, self._new_event("response.done", response=response)]

    def _opened(self) -> tuple[Item, list[Event]]:
        if self._item is not None:
            return self._item, []
        kind = "output_text" if self.modality == "text" else "output_audio"
        item = self._item = Item(self._item_id, "message", "assistant", "in_progress", [])
        shown = item.wire()
        item.parts.append(Part(kind, text=""))
        events = [
            self._new_event("response.output_item.added", response_id=self.id, output_index=0, item=shown),
        ]
        if self._conversation is not None:
            previous = self._conversation.insert(item, None)
            events.append(self._new_event("conversation.item.added", previous_item_id=previous, item=shown))
        events.append(self._part_event("response.content_part.added", part=self._part_wire("")))
        return item, events

    def _closed(self, item: Item, *, complete: bool) -> tuple[list[dict[str, Any]], list[Event]]:
        part = item.parts[0]
        item.status = "completed" if complete else "incomplete"
        text = part.text or ""
        if self.modality == "text":
            events = [self._part_event("response.output_text.done", text=text)]
        else:
            events = [
                self._part_event("response.output_audio.done"),
                self._part_event("response.output_audio_transcript.done", transcript=text),
            ]
        events.append(self._part_event("response.content_part.done", part=self._part_wire(text)))
        shown = item.wire()
        events.append(self._new_event("response.output_item.done", response_id=self.id, output_index=0, item=shown))
        if self._conversation is not None:
            self._conversation.keep_reply(item, bytes(self._audio))
            previous = self._conversation.before(item)
            events.append(self._new_event("conversation.item.done", previous_item_id=previous, item=shown))
        return [shown], events

    def _part_wire(self, text: str) -> dict[str, str]:
        return {"type": "text", "text": text} if self.modality == "text" else {"type": "audio", "transcript": text}

    def _part_event(self, kind: str, **fields: Any) -> Event:
        return self._new_event(
            kind, response_id=self.id, item_id=self._item_id, output_index=0, content_index=0, **fields
        )

    def _wire(
        self,
        status: str,
        details: dict[str, Any] | None,
        output: list[dict[str, Any]],
        usage: dict[str, Any] | None,
    ) -> dict[str, Any]:
        output_audio = self.settings["audio"]["output"]
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": output,
            "conversation_id": self.conversation_id,
            "output_modalities": self.settings["output_modalities"],
            "max_output_tokens": self.settings["max_output_tokens"],
            "audio": {"output": {"format": output_audio["format"], "voice": output_audio["voice"]}},
            "usage": usage,
            "metadata": self.metadata,
        }
