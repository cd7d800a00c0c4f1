"""The responses of one session: at most one writes to the conversation, others may run beside it.

In: settings and a client's overrides, then the engine's pieces by response id. Out: events and the engine's order.
Trap: pieces of a response that has already ended still arrive (the engine runs on its own); they are nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from bench.audio.formats import AudioFormat
from bench.server.protocol import config
from bench.server.protocol.commands import Event, ReplyRequest, StartReply
from bench.server.protocol.errors import ProtocolError, invalid_choice, invalid_type
from bench.server.protocol.items import Conversation, Item, parse_item
from bench.server.protocol.response import Ending, NewEvent, Response
from bench.server.protocol.usage import Segment, UsageLedger, text_tokens


@dataclass(frozen=True, slots=True)
class Started:
    events: list[Event]
    command: StartReply
    new_items: list[Item]  # brought along in `input`, not part of the conversation


@dataclass(frozen=True, slots=True)
class Ended:
    events: list[Event]
    total_tokens: int
    audio_ms: float
    in_conversation: bool


class Replies:
    """Responses in progress, by id."""

    __slots__ = (
        "_conversation",
        "_conversation_id",
        "_ledger",
        "_new_event",
        "_new_id",
        "_responses",
        "active",
        "has_spoken",
    )

    def __init__(self, conversation: Conversation, new_id: Callable[[str], str], new_event: NewEvent) -> None:
        self._conversation = conversation
        self._new_id = new_id
        self._new_event = new_event
        self._conversation_id = new_id("conv")
        self._ledger = UsageLedger()
        self._responses: dict[str, Response] = {}
        self.active: str | None = None
        self.has_spoken = False

    def knows(self, response_id: object) -> bool:
        return isinstance(response_id, str) and response_id in self._responses

    def start(self, session: config.Json, overrides: config.Json, input_format: AudioFormat) -> Started:
        """A new response; raises when the conversation already has one."""
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
        items, new_items = self._input(overrides.get("input"), input_format)
        response = Response(
            response_id=self._new_id("resp"),
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
            tools=tuple(settings["tools"]),
            tool_choice=settings["tool_choice"],
            max_output_tokens=response.max_tokens,
            metadata=meta,
        )
        return Started(response.created(), StartReply(request), new_items)

    def text(self, response_id: str, delta: str) -> list[Event]:
        response = self._responses.get(response_id)
        return response.text(delta) if response is not None and delta else []

    def audio(self, response_id: str, data: bytes, in_base64: str | None = None) -> list[Event]:
        response = self._responses.get(response_id)
        if response is None or not data or response.modality == "text":
            return []
        self.has_spoken = True
        return response.audio(data, in_base64)

    def over_limit(self, response_id: str) -> bool:
        response = self._responses.get(response_id)
        return response is not None and response.over_limit

    def end(self, response_id: str, ending: Ending) -> Ended | None:
        """Close a response; None when it is not (or no longer) in progress."""
        response = self._responses.pop(response_id, None)
        if response is None:
            return None
        in_conversation = self.active == response_id
        if in_conversation:
            self.active = None
        events = response.ended(ending, self._ledger)
        total = int(events[-1]["response"]["usage"]["total_tokens"])
        return Ended(events, total, response.audio_ms, in_conversation)

    def _input(self, given: Any, input_format: AudioFormat) -> tuple[list[Item], list[Item]]:
        """The items a response sees, and those of them that only it knows."""
        if given is None:
            return list(self._conversation), []
        if not isinstance(given, list):
            raise invalid_type("response.input", "an array", given)
        items: list[Item] = []
        new_items: list[Item] = []
        for index, entry in enumerate(given):
            param = f"response.input[{index}]"
            if isinstance(entry, dict) and entry.get("type") == "item_reference":
                known = self._conversation.find(entry.get("id"))
                if known is None:
                    raise ProtocolError(
                        f"Item with id '{entry.get('id')}' does not exist.", code="item_not_found", param=f"{param}.id"
                    )
                items.append(known)
            else:
                item = parse_item(entry, item_id=self._new_id("item"), audio_format=input_format, param=param)
                items.append(item)
                new_items.append(item)
        return items, new_items


def _preamble(settings: config.Json) -> Segment:
    """Instructions and tools come first in the context; changing either leaves nothing of it cached."""
    tools = orjson.dumps(settings["tools"], option=orjson.OPT_SORT_KEYS).decode() if settings["tools"] else ""
    text = settings["instructions"] + tools
    return Segment(f"preamble/{zlib.crc32(text.encode()):08x}", text_tokens(text), 0)
