"""A bot behind Twilio Media Streams: in comes the caller, out go the bot's voice, marks and `clear`.

The bot marks the end of each reply, so that it knows what of it has been played, and clears the rest when it hears the
caller. A key that is pressed is answered as if it had been said. Trap: it says nothing of itself before `start` has
named the stream, and no error is ever told: a bot that cannot answer is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from bench.server.access import RequestHeaders
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError, invalid_type
from bench.server.protocol.commands import Event
from bench.server.protocol.shapes.shape import Shape

_MULAW = {"type": "audio/pcmu"}
_UNUSED = frozenset({"connected", "stop"})


class BotShape(Shape):
    """One call."""

    name = "twilio-media-streams"
    paths: ClassVar[tuple[str, ...]] = ("/media-stream", "/ws")

    def __init__(self) -> None:
        self._unplayed: set[str] = set()
        """Marks that have not come back."""
        self._speaking = False

    @classmethod
    def refusal(cls, headers: RequestHeaders) -> ProtocolError | None:
        return None

    def settings(self, default: config.Json) -> config.Json:
        default["audio"]["input"]["format"] = default["audio"]["output"]["format"] = dict(_MULAW)
        return default

    # Twilio -> session

    def incoming(self, message: object) -> Iterable[object]:
        if not isinstance(message, dict):
            raise invalid_type("message", "an object", message)
        event = message.get("event")
        if not isinstance(event, str):
            raise invalid_type("event", "a string", event)
        about = message.get(event)
        body = about if isinstance(about, dict) else {}
        if event == "media":
            return ({"type": "input_audio_buffer.append", "audio": body.get("payload")},)
        if event == "start":
            name = body.get("streamSid")
            if isinstance(name, str) and name and self.caller_name is None:
                self.caller_name = name[:100]
            return ()
        if event == "mark":
            self._unplayed.discard(str(body.get("name")))
            return ()
        if event == "dtmf":
            part = {"type": "input_text", "text": str(body.get("digit"))[:20]}
            item = {"type": "message", "role": "user", "content": [part]}
            return {"type": "conversation.item.create", "item": item}, {"type": "response.create"}
        if event in _UNUSED:
            return ()
        raise ProtocolError(f"Unknown event {event!r}.", code="unknown_event")

    # session -> Twilio

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        if self.caller_name is None:
            return ()
        match event["type"]:
            case "response.output_audio.delta":
                self._speaking = True
                return (self._message("media", media={"payload": event["delta"]}),)
            case "response.done" if self._speaking:
                self._speaking = False
                name = event["response"]["id"]
                self._unplayed.add(name)
                return (self._message("mark", mark={"name": name}),)
            case "input_audio_buffer.speech_started" if self._speaking or self._unplayed:
                return (self._message("clear"),)
            case "response.weather.delta":
                return (self._message("weather"),)
        return ()

    def _message(self, event: str, **fields: Any) -> dict[str, Any]:
        return {"event": event, "streamSid": self.caller_name, **fields}
