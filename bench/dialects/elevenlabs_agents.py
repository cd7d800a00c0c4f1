"""ElevenLabs Agents: JSON messages with a payload of each type's own key; audio in either direction as base64.

In: one message and its arrival time; out: neutral signals. In: intents; out: messages to send.
Facts followed: the agent's configuration lives with the vendor, and the init message may override a part of it. The
server announces both audio formats. Each `ping` is answered at once. `interruption` names an event: audio up to it is
not heard. Trap: nothing says that the caller was heard to stop, and most agents do not say when a reply is over: it is
once the listener has had nothing for a second.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address, Dialect, Endpoint, KeyTerms, ShortKey
from bench.dialects.lenient_json import loads
from bench.dialects.messages import handle, read_object, read_sound
from bench.dialects.openai_fields import count, mapping, merged, name_of, text
from bench.dialects.recognition import wrong_dialect
from bench.dialects.session_config import SessionConfig, changed
from bench.dialects.short_keys import answer_of, over_http
from bench.facts.failure import ErrorKind
from bench.facts.http import HttpRequest
from bench.facts.signals import (
    AudioDelta,
    ErrorInfo,
    InputTranscript,
    Malformed,
    ReplyStatus,
    ResponseEnded,
    ServerError,
    SessionCreated,
    SessionReady,
    Signal,
    SpeechStarted,
    TextDelta,
    ToolCall,
    Unrecognised,
)

PATH = "/v1/convai/conversation"
QUIET_NS = 1_000_000_000
"""A reply is over when its listener has had nothing to play for so long,"""
LONGEST_QUIET_NS = 3_000_000_000
"""or when nothing has arrived for so long, however much is left to play."""
RATES_HZ = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
FORMATS = {f"pcm_{rate}": AudioFormat("pcm16", rate) for rate in RATES_HZ} | {"ulaw_8000": AudioFormat.PCMU}
_UNUSED = frozenset(
    {
        "tentative_user_transcript",
        "internal_tentative_agent_response",
        "internal_turn_probability",
        "vad_score",
        "agent_response_metadata",
        "agent_tool_request",
        "agent_tool_response",
        "agent_tool_response_full_payload",
        "asr_initiation_metadata",
        "context_usage",
        "mcp_connection_status",
        "mcp_tool_call",
    }
)
_KINDS: dict[int, ErrorKind] = {401: "auth", 403: "auth", 429: "rate_limit"}


class ElevenLabsAgentsDialect(Dialect):
    """The client side of one conversation with an agent."""

    name = "elevenlabs-agents"
    formats: ClassVar[tuple[str, ...]] = ("pcm16",)
    turn_detections: ClassVar[tuple[str, ...]] = ("server_vad",)
    outputs: ClassVar[tuple[str, ...]] = ("audio",)
    gives_short_keys = True
    _handlers: ClassVar[Mapping[str, str]] = {
        "conversation_initiation_metadata": "_initiated",
        "audio": "_audio",
        "agent_response": "_said",
        "agent_chat_response_part": "_part",
        "agent_response_correction": "_corrected",
        "agent_response_complete": "_complete",
        "user_transcript": "_heard",
        "interruption": "_interrupted",
        "client_tool_call": "_tool_call",
        "client_error": "_client_error",
        "ping": "_ping",
    }

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        self.input_format = self.output_format = FORMATS["pcm_16000"]
        self._ready = False
        self._responses = 0
        self._open: str | None = None
        """The reply that is under way, by a name of our own."""
        self._last: str | None = None
        """The reply that ended last; more of its audio is still its own until the caller speaks."""
        self._worded = False
        """The words of the reply under way have come whole."""
        self._in_parts = False
        """They came piece by piece."""
        self._sounded = False
        self._silenced = -1
        """Audio up to this event was interrupted."""
        self._last_ns = self._played_ns = 0
        self._received_bytes = 0
        self._carry = b""

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """The path, where the address names none; the model is the agent's id."""
        scheme, netloc, path, written, _ = urlsplit(address.url)
        pairs = parse_qsl(written, keep_blank_values=True) + list(address.query.items())
        if address.model and not any(key == "agent_id" for key, _ in pairs):
            pairs.append(("agent_id", address.model))
        path = path if path not in {"", "/"} else PATH
        return Endpoint(
            urlunsplit((scheme, netloc, path, urlencode(pairs), "")), dict(address.headers), address.subprotocols
        )

    @classmethod
    def short_key_request(cls, address: Address, terms: KeyTerms) -> HttpRequest:
        """What asks for a signed URL; its lifetime is the vendor's, 15 minutes."""
        parts = urlsplit(cls.endpoint(address).url)
        usual = over_http(parts.geturl(), f"{parts.path.rstrip('/')}/get-signed-url", parts.query)
        return HttpRequest("GET", terms.url or usual, address.headers)

    @classmethod
    def short_key(cls, body: bytes) -> ShortKey:
        found = answer_of(body).get("signed_url")
        if not isinstance(found, str) or urlsplit(found).scheme not in {"ws", "wss"} or not urlsplit(found).hostname:
            raise ValueError("the answer holds no `signed_url` that is the URL of a WebSocket")
        return ShortKey(found)

    @classmethod
    def endpoint_with(cls, address: Address, key: ShortKey) -> Endpoint:
        """The signed URL is the whole address; the key itself is not sent beside it."""
        mine = (address.key_header or "").lower()
        rest = {name: value for name, value in address.headers.items() if name.lower() != mine}
        return Endpoint(key.value, rest, address.subprotocols)

    # intents -> messages

    def opening(self) -> Sequence[str]:
        return (orjson.dumps(self.initiation()).decode(),)

    def initiation(self) -> dict[str, Any]:
        """The init message: what the scenario overrides of the agent's configuration, and no more."""
        config = self.config
        override: dict[str, Any] = {}
        if config.instructions is not None:
            override["agent"] = {"prompt": {"prompt": config.instructions}}
        if config.voice is not None:
            override["tts"] = {"voice_id": config.voice.value}
        body: dict[str, Any] = {"type": "conversation_initiation_client_data"}
        return merged(body | ({"conversation_config_override": override} if override else {}), config.extra)

    def audio_message(self, payload: bytes) -> str:
        encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
        return f'{{"user_audio_chunk":"{encoded}"}}'

    def start_of_turn(self, turn: int) -> Sequence[str]:
        self._last = None
        return ()

    def tool_result(self, call_id: str, output: str) -> Sequence[str]:
        result = {"type": "client_tool_result", "tool_call_id": call_id, "result": output}
        return (orjson.dumps({**result, "is_error": _is_error(output)}).decode(),)

    def refuses_turn(self, error: ErrorInfo, turn: int) -> bool:
        return True

    def refuses_session(self, error: ErrorInfo) -> bool:
        return True

    def while_not_ready(self) -> str:
        return "the server sent no conversation_initiation_metadata"

    def decode_audio(self, delta: AudioDelta) -> Any:
        raw = self.audio_bytes(delta)
        if self.output_format.encoding == "pcm16":
            raw = self._carry + raw
            whole = len(raw) & ~1
            raw, self._carry = raw[:whole], raw[whole:]
        return self.output_format.decode(raw)

    # messages -> signals

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        message = read_object(data, at_ns)
        if isinstance(message, Malformed):
            return (message,)
        if (other := wrong_dialect(message, self.name, at_ns)) is not None:
            return (other,)
        kind = message.get("type")
        if not isinstance(kind, str):
            return (Malformed(at_ns, "an object without a `type`"),)
        name = self._handlers.get(kind)
        if name is None:
            return () if kind in _UNUSED else (Unrecognised(at_ns, kind[:120]),)
        return handle(getattr(self, name), message, at_ns, kind)

    def _initiated(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        if self._ready:
            return ()  # audio is made in the formats that were announced first
        event = mapping(message.get("conversation_initiation_metadata_event"))
        formats = []
        for key in ("user_input_audio_format", "agent_output_audio_format"):
            word = event.get(key, "pcm_16000")
            known = FORMATS.get(word) if isinstance(word, str) else None
            if known is None:
                said = f"the agent's {key} is {word!r:.80}; allowed: {', '.join(FORMATS)}; change it in its settings"
                error = ErrorInfo("unsupported_format", "unsupported_format", said, key, error_kind="protocol")
                return (ServerError(at_ns, error, fatal=True),)
            formats.append(known)
        self._ready = True
        self.input_format, self.output_format = formats
        created = SessionCreated(at_ns, name_of(event.get("conversation_id")), self.model)
        return (created, SessionReady(at_ns, tuple(self._without_counterpart())))

    def _without_counterpart(self) -> Sequence[str]:
        """What the scenario asks for and the agent's own settings decide."""
        config, detection = self.config, self.config.turn_detection
        asked = [key for key in ("max_output_tokens", "noise_reduction", "tool_choice") if getattr(config, key)]
        asked += [f"turn_detection.{key}" for key in changed(detection)]
        return [f"{key} is set by the agent's own configuration" for key in asked]

    def _audio(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        event = mapping(message.get("audio_event"))
        number = count(event.get("event_id"))
        if number is not None and number <= self._silenced:
            return ()
        payload = read_sound(event.get("audio_base_64"), at_ns)
        if isinstance(payload, Malformed):
            return (payload,)
        if not payload:
            return ()
        more = self._open is None and self._last is not None  # of what seemed to be over
        reply = self._last if more and self._last is not None else self._reply(at_ns)
        width = self.output_format.bytes_per_sample
        before, self._received_bytes = self._received_bytes, self._received_bytes + len(payload)
        samples = self._received_bytes // width - before // width
        self._sounded = True
        self._played_ns = max(self._played_ns, at_ns) + samples * 1_000_000_000 // self.output_format.rate_hz
        return (AudioDelta(at_ns, reply, None, samples, len(payload), payload),)

    def _said(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(mapping(message.get("agent_response_event")).get("agent_response"))
        before = self._ended("completed") if self._worded else []
        was_in_parts = self._in_parts and not before
        reply = self._reply(at_ns)
        self._worded = True
        return [*before, TextDelta(at_ns, reply, words)] if words and not was_in_parts else before

    def _part(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        part = mapping(message.get("text_response_part"))
        starts = part.get("type") == "start"
        before = self._ended("completed") if starts and (self._in_parts or self._worded) else []
        words = text(part.get("text"))
        if not words and not starts:
            return before
        reply = self._reply(at_ns)
        self._in_parts = True
        return [*before, TextDelta(at_ns, reply, words)] if words else before

    def _corrected(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        """What was said of a reply before it was interrupted."""
        words = text(mapping(message.get("agent_response_correction_event")).get("corrected_agent_response"))
        name = self._open or self._last
        if name is None or words is None:
            return ()
        self._open, self._last = None, name
        return (ResponseEnded(at_ns, name, "cancelled", "interrupted", text=words),)

    def _complete(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        return self._ended("completed", at_ns=at_ns)

    def _heard(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(mapping(message.get("user_transcription_event")).get("user_transcript"))
        return () if words is None else (InputTranscript(at_ns, None, words, final=True),)

    def _interrupted(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        number = count(mapping(message.get("interruption_event")).get("event_id"))
        if number is not None:
            self._silenced = max(self._silenced, number)
        self._played_ns = at_ns
        return [SpeechStarted(at_ns), *self._ended("cancelled", "interrupted", at_ns=at_ns)]

    def _tool_call(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        """A call ends a reply: what follows its result is another one."""
        call = mapping(message.get("client_tool_call"))
        call_id, name = name_of(call.get("tool_call_id")), name_of(call.get("tool_name"))
        if call_id is None or name is None:
            return (Malformed(at_ns, "a tool call without a name or an id"),)
        arguments = orjson.dumps(mapping(call.get("parameters"))).decode()
        called = ToolCall(at_ns, self._reply(at_ns), call_id, name, arguments)
        return [called, *self._ended("completed", at_ns=at_ns)]

    def _client_error(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        """An error; its form is not documented, so its code and words are looked for where others have them."""
        told = next((value for key, value in message.items() if key != "type" and isinstance(value, dict)), {})
        code = told.get("code")
        kind: ErrorKind = _KINDS.get(code, "server") if isinstance(code, int) else "server"
        word = str(code) if isinstance(code, int) and not isinstance(code, bool) else name_of(code)
        said = text(told.get("message")) or text(told.get("reason"))
        error = ErrorInfo(name_of(told.get("error_type")) or "client_error", word, said, error_kind=kind)
        if self._open is None:
            return (ServerError(at_ns, error),)
        return [ServerError(at_ns, error), *self._ended("failed", word, at_ns=at_ns, error=error)]

    def _ping(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        event_id = mapping(message.get("ping_event")).get("event_id")
        if isinstance(event_id, int | str):
            self.post(orjson.dumps({"type": "pong", "event_id": event_id}).decode())
        return ()

    # what nobody says

    def next_tick_ns(self) -> int | None:
        if self._open is None:
            return None
        longest_ns = self._last_ns + LONGEST_QUIET_NS
        return min(longest_ns, max(self._last_ns, self._played_ns) + QUIET_NS) if self._sounded else longest_ns

    def tick(self, now_ns: int) -> Sequence[Signal]:
        due_ns = self.next_tick_ns()
        return self._ended("completed") if due_ns is not None and now_ns >= due_ns else ()

    def _reply(self, at_ns: int) -> str:
        """The reply that is under way; a new one where there is none."""
        if self._open is None:
            self._responses += 1
            self._open = f"reply-{self._responses}"
            self._worded = self._in_parts = self._sounded = False
            self._received_bytes, self._carry = 0, b""
        self._last_ns = at_ns
        return self._open

    def _ended(
        self,
        status: ReplyStatus,
        reason: str | None = None,
        *,
        at_ns: int | None = None,
        error: ErrorInfo | None = None,
    ) -> list[Signal]:
        """The end of the reply under way, if any; without an instant it was over with what came last of it."""
        if self._open is None:
            return []
        self._last, self._open = self._open, None
        return [ResponseEnded(self._last_ns if at_ns is None else at_ns, self._last, status, reason, error)]


def _is_error(output: str) -> bool:
    """Whether a tool's answer says no more than that it failed."""
    try:
        found = loads(output)
    except ValueError:
        return False
    return isinstance(found, dict) and set(found) == {"error"}
