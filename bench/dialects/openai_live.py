"""OpenAI Live (`gpt-live-1`): full duplex, audio both ways in real time, no turns and no events about them.

In: one message and its arrival time; out: neutral signals. In: intents; out: messages to send.
Facts followed: `session.start` is acknowledged by `session.started`; one format serves both directions; transcripts
come in pieces without an end; a session is billed by the second, silence included.
Tools are called by a model behind, to which the Live model delegates (`delegation: {type: responses}`): its stream
comes in `response.event`, and its words are not heard. What is said once the results were sent is the reply to them.
Trap: nothing says that a turn or a reply begins or ends. A reply begins with its first words or its first audible
sample, whichever comes first, and is over once nothing audible has come for a second.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address, Dialect, Endpoint
from bench.dialects.messages import handle, read_object, read_sound
from bench.dialects.openai_fields import mapping, merged, name_of, parse_error, text
from bench.dialects.recognition import wrong_dialect
from bench.dialects.reply_finder import LONGEST_QUIET_NS, NS_PER_S, ReplyFinder
from bench.dialects.session_config import DEFAULT_FORMAT, SessionConfig, changed
from bench.facts.signals import (
    AudioDelta,
    ErrorInfo,
    InputTranscript,
    Malformed,
    ResponseEnded,
    ServerError,
    SessionCreated,
    SessionReady,
    Signal,
    TextDelta,
    ToolCall,
    Unrecognised,
)

PATH = "/v1/live/sessions"
START_ID = "bench-start"
MORE_NS = 3 * NS_PER_S
"""Sound or words that come so soon after the end of a reply are more of it, until the caller speaks."""
_TYPES = {"pcm16": "audio/pcm", "pcmu": "audio/pcmu", "pcma": "audio/pcma"}
_UNUSED = frozenset(
    {
        "info",
        "session.delegation.created",
        "session.input_audio.muted",
        "session.input_audio.unmuted",
        "session.instructions.appended",
        "session.commentary.appended",
        "session.thinking.appended",
        "session.updated",
        "session.usage.updated",
    }
)


class OpenAILiveDialect(Dialect):
    """The client side of one Live session."""

    name = "openai-live"
    vendor = "openai"
    voices: ClassVar[tuple[str, ...]] = ("marin", "cedar")
    turn_detections: ClassVar[tuple[str, ...]] = ("server_vad",)
    outputs: ClassVar[tuple[str, ...]] = ("audio",)
    _handlers: ClassVar[Mapping[str, str]] = {
        "session.started": "_started",
        "session.output_audio.delta": "_audio",
        "session.output_transcript.delta": "_said",
        "session.input_transcript.delta": "_heard",
        "response.event": "_delegated",
        "session.closed": "_closed",
        "error": "_error",
    }

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        word = config.output_format if config.input_format == DEFAULT_FORMAT else config.input_format
        self.input_format = self.output_format = AudioFormat.usual(word)
        self._finder = ReplyFinder(self.output_format, queued=False)
        self._replies = 0
        self._name: str | None = None
        """The reply that is under way, by a name of our own."""
        self._worded_ns = 0
        """Arrival of its last words."""
        self._more_until_ns = 0
        self._words: list[str] = []
        """Of the caller, since the last whole transcript."""
        self._words_ns = 0
        """Arrival of the last of them."""
        self._leaving = False
        self._calling: str | None = None
        """The response that calls tools: what is being said meanwhile, or one of the model behind alone."""
        self._goes_on = False
        """The results of tools were sent: what was being said is over."""

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """The path, where the address names none; the model goes into the session and not into the URL."""
        scheme, netloc, path, written, _ = urlsplit(address.url)
        pairs = parse_qsl(written, keep_blank_values=True) + list(address.query.items())
        path = path if path not in {"", "/"} else PATH
        return Endpoint(
            urlunsplit((scheme, netloc, path, urlencode(pairs), "")), dict(address.headers), address.subprotocols
        )

    # intents -> messages

    def opening(self) -> Sequence[str]:
        return (orjson.dumps({"type": "session.start", "event_id": START_ID, "session": self.session()}).decode(),)

    def session(self) -> dict[str, Any]:
        """What the session is to be: only what the scenario says, with the format explicit."""
        config = self.config
        wire = {"type": _TYPES[self.input_format.encoding], "rate": self.input_format.rate_hz}
        body: dict[str, Any] = {"model": self.model or "gpt-live-1", "audio": {"format": wire}}
        if config.voice is not None:
            body["audio"]["output"] = {"voice": config.voice.wire}
        if config.instructions is not None:
            body["instructions"] = config.instructions
        if config.tools:
            behind: dict[str, Any] = {"tools": [tool.wire for tool in config.tools]}
            if config.tool_choice is not None:
                behind["tool_choice"] = config.tool_choice
            body["delegation"] = {"type": "responses", "responses": behind}
        return merged(body, config.extra)

    def audio_message(self, payload: bytes) -> str:
        encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
        return f'{{"type":"session.input_audio.append","audio":"{encoded}"}}'

    def start_of_turn(self, turn: int) -> Sequence[str]:
        self._more_until_ns = 0
        self._finder.caller_speaks()
        self._words.clear()
        return ()

    def tool_result(self, call_id: str, output: str) -> Sequence[str]:
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        return (orjson.dumps({"type": "response.item.create", "item": item}).decode(),)

    def reply_to_tools(self, turn: int | None) -> Sequence[str]:
        self._goes_on = self._name is not None
        self._more_until_ns = 0
        return ('{"type":"response.create"}',)

    def closing(self) -> Sequence[str]:
        self._leaving = True
        return ('{"type":"session.close"}',)

    def refuses_session(self, error: ErrorInfo) -> bool:
        return error.event_id in {START_ID, None}

    def while_not_ready(self) -> str:
        return "the server sent no session.started"

    # messages -> signals

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        message = read_object(data, at_ns)
        if isinstance(message, Malformed):
            return (message,)
        kind = message.get("type")
        if kind != "error" and (other := wrong_dialect(message, self.name, at_ns)) is not None:
            return (other,)
        if not isinstance(kind, str):
            return (Malformed(at_ns, "an object without a `type`"),)
        name = self._handlers.get(kind)
        if name is None:
            return () if kind in _UNUSED else (Unrecognised(at_ns, kind[:120]),)
        return handle(getattr(self, name), message, at_ns, kind)

    def _started(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        session = mapping(message.get("session"))
        created = SessionCreated(at_ns, name_of(session.get("id")), name_of(session.get("model")) or self.model)
        return created, SessionReady(at_ns, tuple(self._without_counterpart()))

    def _without_counterpart(self) -> Sequence[str]:
        """What the scenario asks for and a Live session has not."""
        config = self.config
        keys = ("max_output_tokens", "noise_reduction")
        asked = [key for key in keys if getattr(config, key)]
        asked += [f"turn_detection.{key}" for key in changed(config.turn_detection)]
        said = [f"{key} has no counterpart in this protocol" for key in asked]
        if config.output_format not in {DEFAULT_FORMAT, self.output_format.encoding}:
            said.append(f"output_format is {config.input_format}: one format serves both directions")
        return said

    def _audio(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        payload = read_sound(message.get("delta"), at_ns)
        if isinstance(payload, Malformed):
            return (payload,)
        width = self.output_format.bytes_per_sample
        found = self._finder.feed(at_ns, payload)
        reply = self._reply(found[0].at_ns) if found else None
        return [
            AudioDelta(each.at_ns, reply, None, len(each.payload) // width, len(each.payload), each.payload)
            for each in found
        ]

    def _said(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(message.get("delta"))
        if not words:
            return ()
        reply = self._reply(at_ns)
        self._finder.announce()
        self._worded_ns = at_ns
        return (TextDelta(at_ns, reply, words),)

    def _heard(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(message.get("delta"))
        if not words:
            return ()
        self._words.append(words)
        self._words_ns = at_ns
        return (InputTranscript(at_ns, None, words, final=False),)

    def _delegated(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        """An event of the model behind: of interest are its calls of tools, and the end of the response with them."""
        event = mapping(message.get("event"))
        kind, item = event.get("type"), mapping(event.get("item"))
        if kind == "response.output_item.done" and item.get("type") == "function_call":
            call_id, name = name_of(item.get("call_id")), name_of(item.get("name"))
            if call_id is None or name is None:
                return (Malformed(at_ns, "a call of a tool without a name or an id"),)
            self._calling = self._calling or self._name or f"behind-{call_id}"
            return (ToolCall(at_ns, self._calling, call_id, name, text(item.get("arguments")) or ""),)
        if kind not in {"response.completed", "response.failed", "response.incomplete"}:
            return ()
        response = mapping(event.get("response"))
        told: list[Signal] = []
        if response.get("usage"):
            # Tokens of another model, which no price of the session covers.
            told.append(Unrecognised(at_ns, "usage of a delegated response"))
        name, self._calling = self._calling, None
        if name is not None and name == self._name:
            # What was said before the tool was called is part of its response, and so is what is left of it.
            self._finder.end()
            self._name, self._more_until_ns = None, at_ns + MORE_NS
        if kind == "response.failed":
            error = parse_error(response.get("error"))
            return [
                *told,
                *([ResponseEnded(at_ns, name, "failed", None, error)] if name else [ServerError(at_ns, error)]),
            ]
        return [*told, ResponseEnded(at_ns, name, "completed")] if name else told

    def _closed(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        if self._leaving:
            return ()
        reason = name_of(message.get("reason")) or "unknown"
        code = "session_expired" if reason == "expired" else f"session_closed_{reason}"
        said = f"the server closed the session: {reason}"
        return (ServerError(at_ns, ErrorInfo("session.closed", code, said, error_kind="closed"), fatal=True),)

    def _error(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        told = message.get("error")
        error = parse_error(told)
        asked = name_of(mapping(told).get("client_event_id")) or name_of(message.get("client_event_id"))
        return (ServerError(at_ns, replace(error, event_id=asked)),)

    # what nobody says

    def next_tick_ns(self) -> int | None:
        if self._name is None:
            return None
        if self._goes_on:
            return 0
        over_ns = self._finder.over_ns
        return self._worded_ns + LONGEST_QUIET_NS if over_ns is None else over_ns

    def tick(self, now_ns: int) -> Sequence[Signal]:
        over_ns = self.next_tick_ns()
        if over_ns is None or now_ns < over_ns:
            return ()
        last_ns = self._finder.last_ns if self._finder.over_ns is not None else self._worded_ns
        more_until_ns = 0 if self._finder.cut_into or self._goes_on else over_ns + MORE_NS
        self._goes_on = False
        self._finder.end()
        name, self._name, self._more_until_ns = self._name, None, more_until_ns
        words, self._words = "".join(self._words).strip(), []
        heard = [InputTranscript(self._words_ns, None, words, final=True)] if words else []
        return [*heard, ResponseEnded(last_ns, name, "completed")]

    def _reply(self, at_ns: int) -> str:
        """The reply that is under way; a new one where there is none, unless this is more of the last."""
        if self._name is None:
            self._replies += at_ns > self._more_until_ns
            self._name = f"reply-{self._replies}"
        return self._name
