"""The responses of one session: the engine's text and audio in, the documented sequence of `response.*` events out.

At most one response writes to the conversation; others may run beside it. The assistant item appears with the first
piece. Whatever ends the response (completion, cancellation, interruption, token limit, failure), every opened part is
closed by its `done` events before `response.done`.
Trap: reply audio arrives here already encoded for the wire; its duration is its byte count, not the time it took.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pybase64

from bench.audio.formats import AudioFormat
from bench.server.protocol import config
from bench.server.protocol.checks import given
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type
from bench.server.protocol.client_items import parse_item
from bench.server.protocol.commands import Event, ReplyRequest
from bench.server.protocol.items import Conversation, Item, Part, duration_ms
from bench.server.protocol.usage import Segment, UsageLedger, reply_audio_tokens, text_tokens

NewEvent = Callable[..., Event]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a response ended; `reason` for cancelled and incomplete, `error` for failed."""

    status: str
    reason: str | None = None
    error: dict[str, Any] | None = None

    @classmethod
    def failed(cls, kind: str, code: str, message: str) -> Ending:
        """The ending of a response that failed."""
        return cls("failed", error={"type": kind, "code": code, "message": message})

    def details(self) -> dict[str, Any] | None:
        if self.status == "completed":
            return None
        details: dict[str, Any] = {"type": self.status}
        if self.reason:
            details["reason"] = self.reason
        if self.error:
            details["error"] = self.error
        return details


@dataclass(slots=True)
class Response:
    """A response in progress; `conversation` is None for one that stays out of the conversation."""

    id: str
    item_id: str
    settings: config.Json
    metadata: dict[str, str] | None
    conversation: Conversation | None
    conversation_id: str | None
    context: tuple[Segment, ...]
    new_event: NewEvent
    out_text_tokens: int = 0
    _item: Item | None = None
    _output: list[dict[str, Any]] = field(default_factory=list)
    """Items of the response that are complete, as they were shown."""
    _audio: bytearray = field(default_factory=bytearray)
    _audio_bytes: int = 0

    @property
    def modality(self) -> str:
        return str(self.settings["output_modalities"][0])

    @property
    def format(self) -> AudioFormat:
        return config.audio_format(self.settings["audio"]["output"]["format"])

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
    def over_limit(self) -> bool:
        return self.max_tokens is not None and self.out_text_tokens + self.out_audio_tokens >= self.max_tokens

    def created(self) -> list[Event]:
        return [self.new_event("response.created", response=self._wire("in_progress", None, [], None))]

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
        if self.conversation is not None and self.conversation.keeps_audio:
            self._audio += data
        item.parts[0].audio_ms = self.audio_ms
        delta = pybase64.b64encode_as_string(data) if in_base64 is None else in_base64
        events.append(self._part_event("response.output_audio.delta", delta=delta))
        return events

    def ended(self, ending: Ending, ledger: UsageLedger) -> list[Event]:
        """The closing events, `response.done` last."""
        events = self._end_message(complete=ending.status == "completed")
        output = self._output
        usage = ledger.usage(self.context, out_text_tokens=self.out_text_tokens, out_audio_tokens=self.out_audio_tokens)
        response = self._wire(ending.status, ending.details(), output, usage)
        return [*events, self.new_event("response.done", response=response)]

    def call(self, name: str, arguments: str, *, item_id: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
        """A complete call of the function `name`; what was being said is closed before it.

        `pieces`: the arguments as they are streamed.
        """
        events = self._end_message(complete=True)
        fields = {"name": name, "call_id": call_id, "arguments": ""}
        item = Item(item_id, "function_call", status="in_progress", fields=fields)
        place = {"response_id": self.id, "output_index": len(self._output)}
        shown = item.wire()
        events.append(self.new_event("response.output_item.added", **place, item=shown))
        if self.conversation is not None:
            previous = self.conversation.insert(item, None)
            events.append(self.new_event("conversation.item.added", previous_item_id=previous, item=shown))
        kind, about = "response.function_call_arguments", {**place, "item_id": item_id, "call_id": call_id}
        events += [self.new_event(f"{kind}.delta", **about, delta=piece) for piece in pieces]
        events.append(self.new_event(f"{kind}.done", **about, name=name, arguments=arguments))
        item.fields["arguments"], item.status = arguments, "completed"
        self.out_text_tokens += text_tokens(name) + text_tokens(arguments)
        return events + self._shown_whole(item)

    def _end_message(self, *, complete: bool) -> list[Event]:
        """Close what is being said, if anything is; what is said after that is another item."""
        if self._item is None:
            return []
        item, self._item = self._item, None
        return self._closed(item, complete=complete)

    def _shown_whole(self, item: Item) -> list[Event]:
        """The closing events of an item, which is then part of the response's output."""
        shown, place = item.wire(), len(self._output)
        self._output.append(shown)
        events = [self.new_event("response.output_item.done", response_id=self.id, output_index=place, item=shown)]
        if self.conversation is not None:
            previous = self.conversation.before(item)
            events.append(self.new_event("conversation.item.done", previous_item_id=previous, item=shown))
        return events

    def _opened(self) -> tuple[Item, list[Event]]:
        if self._item is not None:
            return self._item, []
        kind = "output_text" if self.modality == "text" else "output_audio"
        item = self._item = Item(self.item_id, "message", "assistant", "in_progress", [])
        shown = item.wire()
        item.parts.append(Part(kind, text=""))
        events = [
            self.new_event(
                "response.output_item.added", response_id=self.id, output_index=len(self._output), item=shown
            ),
        ]
        if self.conversation is not None:
            previous = self.conversation.insert(item, None)
            events.append(self.new_event("conversation.item.added", previous_item_id=previous, item=shown))
        events.append(self._part_event("response.content_part.added", part=self._part_wire("")))
        return item, events

    def _closed(self, item: Item, *, complete: bool) -> list[Event]:
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
        if self.conversation is not None:
            self.conversation.keep_reply(item, bytes(self._audio))
        return events + self._shown_whole(item)

    def _part_wire(self, text: str) -> dict[str, str]:
        return {"type": "text", "text": text} if self.modality == "text" else {"type": "audio", "transcript": text}

    def _part_event(self, kind: str, **fields: Any) -> Event:
        return self.new_event(
            kind, response_id=self.id, item_id=self.item_id, output_index=len(self._output), content_index=0, **fields
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


class Responses:
    """Responses in progress, by id."""

    def __init__(self, conversation: Conversation, new_id: Callable[[str], str], new_event: NewEvent) -> None:
        self._conversation = conversation
        self._new_id = new_id
        self._new_event = new_event
        self._conversation_id = new_id("conv")
        self._ledger = UsageLedger()
        self._responses: dict[str, Response] = {}
        self.active: str | None = None

    def get(self, response_id: object) -> Response | None:
        """The response of that id, if it is in progress."""
        return self._responses.get(response_id) if isinstance(response_id, str) else None

    def start(
        self, session: config.Json, overrides: config.Json, input_format: AudioFormat
    ) -> tuple[Response, ReplyRequest, list[Item]]:
        """A new response, what the engine is asked for, and the items that were brought along only for it.

        Raises when the conversation already has a response in progress.
        """
        overrides = given(overrides)
        where = overrides.get("conversation", "auto")
        if where not in ("auto", "none"):
            raise invalid_choice("response.conversation", where, ["auto", "none"])
        aside = where == "none"
        if not aside and self.active is not None:
            raise ProtocolError(
                f"Conversation already has an active response in progress: {self.active}. "
                "Wait until the response is finished before creating a new one.",
                code="conversation_already_has_active_response",
            )
        meta = config.metadata(overrides.get("metadata"), "response.metadata")
        own = {key: value for key, value in overrides.items() if key not in {"conversation", "input", "metadata"}}
        settings = config.response_settings(session, own)
        items, new_items = self._input(overrides.get("input"), input_format, settings)
        response = Response(
            id=self._new_id("resp"),
            item_id=self._new_id("item"),
            settings=settings,
            metadata=meta,
            conversation=None if aside else self._conversation,
            conversation_id=None if aside else self._conversation_id,
            context=(_preamble(settings), *(item.segment() for item in items)),
            new_event=self._new_event,
        )
        self._responses[response.id] = response
        if not aside:
            self.active = response.id
        output = settings["audio"]["output"]
        voice = output["voice"]
        request = ReplyRequest(
            response_id=response.id,
            modality=response.modality,
            instructions=settings["instructions"],
            context=tuple(item.context() for item in items),
            output_format=response.format,
            voice=voice if isinstance(voice, str) else voice["id"],
            speed=float(output["speed"]),
            max_output_tokens=response.max_tokens,
            tools=tuple(settings["tools"]) if settings["tool_choice"] != "none" else (),
            tool_choice=settings["tool_choice"],
        )
        return response, request, new_items

    def end(self, response: Response, ending: Ending) -> list[Event]:
        """The closing events of a response in progress."""
        del self._responses[response.id]
        if self.active == response.id:
            self.active = None
        return response.ended(ending, self._ledger)

    def _input(self, brought: Any, input_format: AudioFormat, settings: config.Json) -> tuple[list[Item], list[Item]]:
        """The items a response sees, and those of them that only it knows."""
        if brought is None:
            return list(self._conversation), []
        if not isinstance(brought, list):
            raise invalid_type("response.input", "an array", brought)
        output_format = config.audio_format(settings["audio"]["output"]["format"])
        items: list[Item] = []
        new_items: list[Item] = []
        for index, entry in enumerate(brought):
            param = f"response.input[{index}]"
            if isinstance(entry, dict) and entry.get("type") == "item_reference":
                known = self._conversation.find(entry.get("id"))
                if known is None:
                    message = f"Item with id '{entry.get('id')}' does not exist."
                    raise ProtocolError(message, code="item_not_found", param=f"{param}.id")
                items.append(known)
            else:
                item = parse_item(
                    entry,
                    item_id=self._new_id("item"),
                    input_format=input_format,
                    output_format=output_format,
                    param=param,
                )
                items.append(item)
                new_items.append(item)
        return items, new_items


def _preamble(settings: config.Json) -> Segment:
    """Instructions and tools come first in the context; changing either leaves nothing of it cached."""
    tools = orjson.dumps(settings["tools"], option=orjson.OPT_SORT_KEYS).decode() if settings["tools"] else ""
    text = settings["instructions"] + tools
    return Segment(f"preamble/{zlib.crc32(text.encode()):08x}", text_tokens(text), 0)
