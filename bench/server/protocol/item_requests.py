"""What a client asks of the conversation's items: create, retrieve, truncate, delete.

In: client events. Out: events and commands, added to `Actions`; or a `ProtocolError`. The conversation itself is the
session's; `formats` are its audio formats of the moment, `forget` is told of an item that is gone.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.audio.formats import AudioFormat
from bench.server.protocol import commands
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, missing, wrong_field
from bench.server.protocol.client_items import parse_item
from bench.server.protocol.commands import Actions, Event
from bench.server.protocol.items import Conversation, Item


class ItemRequests:
    """The handlers of `conversation.item.*`."""

    def __init__(
        self,
        conversation: Conversation,
        new_id: Callable[[str], str],
        new_event: Callable[..., Event],
        formats: Callable[[], tuple[AudioFormat, AudioFormat]],
        forget: Callable[[str], None],
    ) -> None:
        self._conversation = conversation
        self._new_id = new_id
        self._event = new_event
        self._formats = formats
        self._forget = forget

    def create(self, event: Event, actions: Actions) -> None:
        """Put a client's item into the conversation."""
        heard, spoken = self._formats()
        item = parse_item(event.get("item"), item_id=self._new_id("item"), input_format=heard, output_format=spoken)
        after = event.get("previous_item_id")
        if after not in (None, "root") and self._conversation.find(after) is None:
            raise _no_item("create", after, "previous_item_id")
        if self._conversation.find(item.id) is not None:
            message = f"Error creating item: an item with id '{item.id}' already exists."
            raise ProtocolError(message, code="item_create_duplicate_id", param="item.id")
        self.hear(item, actions)
        self.added(item, self._conversation.insert(item, after), actions)

    def added(self, item: Item, previous: str | None, actions: Actions) -> None:
        """Tell of an item that is in the conversation now, behind `previous`."""
        for kind in ("conversation.item.added", "conversation.item.done"):
            actions.events.append(self._event(kind, previous_item_id=previous, item=item.wire()))

    def hear(self, item: Item, actions: Actions) -> None:
        """Audio that a client brings inside an item was never streamed to the engine."""
        part = next((part for part in item.parts if part.kind == "input_audio" and part.audio), None)
        if part is None:
            return
        audio_format, _ = self._formats()
        pcm = AudioFormat.PCM16.encode(audio_format.decode(part.audio[: len(part.audio) // 2 * 2]))
        actions.commands += [commands.OpenInput(item.id, audio_format.rate_hz), commands.FeedInput(item.id, pcm)]
        actions.commands.append(commands.CommitInput(item.id, transcribe=False))

    def retrieve(self, event: Event, actions: Actions) -> None:
        """Send an item with its audio."""
        item = self._named(event, "retrieve")
        actions.events.append(self._event("conversation.item.retrieved", item=item.wire(with_audio=True)))

    def truncate(self, event: Event, actions: Actions) -> None:
        """Cut the assistant's audio to what was heard of it."""
        item = self._named(event, "truncate")
        for key in ("content_index", "audio_end_ms"):
            value = event.get(key)
            if isinstance(value, bool) or not isinstance(value, int):
                raise wrong_field(event, key, "an integer")
        if item.role != "assistant" or not item.parts or item.parts[0].kind != "output_audio":
            message = "Only model output audio messages can be truncated."
            raise ProtocolError(message, code="invalid_value", param="item_id")
        if event["content_index"] != 0:
            raise invalid_choice("content_index", event["content_index"], [0])
        held_ms = item.parts[0].audio_ms
        if not 0 <= event["audio_end_ms"] <= held_ms:
            message = f"Audio content of {int(held_ms)}ms is already shorter than {event['audio_end_ms']}ms"
            raise ProtocolError(message, code="invalid_value", param="audio_end_ms")
        self._conversation.truncate(item, event["audio_end_ms"])
        fields = {"item_id": item.id, "content_index": 0, "audio_end_ms": event["audio_end_ms"]}
        actions.events.append(self._event("conversation.item.truncated", **fields))

    def delete(self, event: Event, actions: Actions) -> None:
        """Take an item out of the conversation."""
        item = self._named(event, "delete")
        self._conversation.remove(item)
        self._forget(item.id)
        actions.commands.append(commands.DropInput(item.id))
        actions.events.append(self._event("conversation.item.deleted", item_id=item.id))

    def _named(self, event: Event, verb: str) -> Item:
        item_id = event.get("item_id")
        if item_id is None:
            raise missing("item_id")
        item = self._conversation.find(item_id)
        if item is None:
            raise _no_item(verb, item_id, "item_id")
        return item


def _no_item(verb: str, item_id: object, param: str) -> ProtocolError:
    return ProtocolError(
        f"Error {verb.rstrip('e')}ing item: item with {param} '{item_id}' does not exist.",
        code=f"item_{verb}_invalid_{param}",
        param=param,
    )
