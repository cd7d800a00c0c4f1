"""The Realtime protocol of OpenAI, GA shape: JSON text frames with base64 audio inside.

In: one message and its arrival time; out: neutral signals. In: intents; out: messages to send.
Facts followed: configuration is acknowledged by `session.updated`; `turn_detection: null` must be sent as an
explicit null; usage, ids, commits and even `response.created` may be missing; unknown events and fields are
normal; the same event may come twice. Trap: cached tokens are a *part* of the input tokens.
"""

from __future__ import annotations

import binascii
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
import orjson
import pybase64
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address, Dialect, Endpoint, KeyTerms, ShortKey
from bench.dialects.messages import handle, read_object, read_sound
from bench.dialects.openai_fields import (
    mapping,
    merged,
    name_of,
    number,
    output_text,
    parse_error,
    parse_legs,
    parse_transcription_usage,
    parse_usage,
    text,
)
from bench.dialects.openai_keys import address_with, secret_in, secret_request
from bench.dialects.openai_session import differences
from bench.dialects.openai_shapes import (
    DIALECT_OF,
    SHAPE_TITLES,
    Shape,
    dialect_of_session,
    shape_of_event,
    shape_of_session,
)
from bench.dialects.recognition import refused_variant, speaks, wrong, wrong_dialect
from bench.facts.http import HttpRequest
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    ErrorInfo,
    IdleTimeout,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    Malformed,
    RateLimit,
    RateLimits,
    ReplyStatus,
    ResponseEnded,
    ResponseStarted,
    ServerError,
    SessionCreated,
    SessionEnds,
    SessionReady,
    Signal,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCall,
    Unrecognised,
)

if TYPE_CHECKING:
    from bench.dialects.session_config import SessionConfig

SESSION_UPDATE_ID = "bench-session"
ANSWER_ID = "bench-answer"
"""Of our request for a response, where the server does not answer by itself."""
_REMEMBERED_IDS = 4096
_PRINTED = 200
"""Characters at either end of a message by which it is told from others of its length."""
_MODEL_QUERY_KEYS = {"model", "deployment", "call_id", "intent"}
_FORMAT_TYPES = {"pcm16": "audio/pcm", "pcmu": "audio/pcmu", "pcma": "audio/pcma"}
_OF_REPLIES = frozenset({"create_response", "interrupt_response", "idle_timeout_ms"})
_KEY_REFUSED = {"unknown_parameter", "invalid_value"}
_OF_ONE_UTTERANCE = ("speech_stopped", "committed", "transcribed")
_BENIGN_CODES = {"response_cancel_not_active", "conversation_already_has_active_response"}
_FATAL_CODES = {
    "session_expired",
    "session_limit_reached",
    "beta_api_shape_disabled",
    "invalid_api_key",
    "insufficient_quota",
    "billing_hard_limit_reached",
    "account_deactivated",
    "missing_model",
    "model_not_found",
    "invalid_model",
}
_STATUSES: dict[str, ReplyStatus] = {
    "completed": "completed",
    "cancelled": "cancelled",
    "incomplete": "incomplete",
    "failed": "failed",
}
_UNUSED = frozenset(
    {
        "conversation.created",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.created",
        "conversation.item.retrieved",
        "conversation.item.deleted",
        "conversation.item.truncated",
        "conversation.item.input_audio_transcription.segment",
        "input_audio_buffer.cleared",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
        "response.output_item.added",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_audio_transcript.done",
        "response.output_text.done",
        "response.function_call_arguments.delta",
    }
)


class OpenAIDialect(Dialect):
    """The client side of one Realtime session."""

    name = "openai"
    vendor: ClassVar[str | None] = "openai"
    voices: ClassVar[tuple[str, ...]] = (
        "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
    )  # fmt: skip
    _handlers: ClassVar[Mapping[str, str]] = {
        "response.output_audio.delta": "_audio_delta",
        "response.output_audio_transcript.delta": "_transcript_delta",
        "response.output_text.delta": "_text_delta",
        "session.created": "_session_created",
        "session.updated": "_session_updated",
        "input_audio_buffer.speech_started": "_speech_started",
        "input_audio_buffer.speech_stopped": "_speech_stopped",
        "input_audio_buffer.committed": "_committed",
        "input_audio_buffer.timeout_triggered": "_idle_timeout",
        "conversation.item.input_audio_transcription.delta": "_input_delta",
        "conversation.item.input_audio_transcription.updated": "_input_updated",
        "conversation.item.input_audio_transcription.completed": "_input_completed",
        "conversation.item.input_audio_transcription.failed": "_input_failed",
        "response.created": "_response_created",
        "response.output_audio.done": "_audio_done",
        "response.function_call_arguments.done": "_arguments_done",
        "response.output_item.done": "_item_done",
        "response.done": "_response_done",
        "rate_limits.updated": "_rate_limits",
        "error": "_error",
    }
    """Names and not bound methods, which would be a cycle: a finished call must leave no work for the collector."""
    _unused: ClassVar[frozenset[str]] = _UNUSED
    _shape: ClassVar[Shape] = "ga"
    _own_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys of the session that a variant alone has or fills so: a server that refuses one is of another dialect."""
    sessions: ClassVar[tuple[str, ...]] = ("realtime", "transcription")
    gives_short_keys = True
    renews = True

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """The model goes into the query, unless the address names one already (or a deployment, or a call to join)."""
        scheme, netloc, path, written, _ = urlsplit(address.url)
        pairs = parse_qsl(written, keep_blank_values=True) + list(address.query.items())
        if address.transcribes and not any(key == "intent" for key, _ in pairs):
            pairs.append(("intent", "transcription"))  # its model goes into the session, and not into the URL
        elif address.model and not any(key in _MODEL_QUERY_KEYS for key, _ in pairs):
            pairs.append(("model", address.model))
        return Endpoint(
            url=urlunsplit((scheme, netloc, path or "/v1/realtime", urlencode(pairs), "")),
            headers=dict(address.headers),
            subprotocols=address.subprotocols,
        )

    @classmethod
    def short_key_request(cls, address: Address, terms: KeyTerms) -> HttpRequest:
        return secret_request(address, terms)

    @classmethod
    def short_key(cls, body: bytes) -> ShortKey:
        return secret_in(body)

    @classmethod
    def endpoint_with(cls, address: Address, key: ShortKey) -> Endpoint:
        return cls.endpoint(address_with(address, key))

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        self._asks_for_replies = getattr(config.turn_detection, "create_response", None) is False
        """The server finds the turns and answers none by itself."""
        self._forget_session()

    def _forget_session(self) -> None:
        self._silences: set[str | None] = set()
        """Items that hold no speech; the server answers them by itself."""
        self._seen: OrderedDict[str, int] = OrderedDict()
        """Ids of events, each with a print of its message."""
        self._ids_tell = True
        """No id of an event came with two messages, so that one that comes again is a repeat."""
        self._once: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._received_bytes: dict[str | None, int] = {}
        self._carry: dict[str | None, bytes] = {}
        self._shape_seen = False
        """A piece of a reply came under our shape's name, so that the other's are a server's second spelling."""
        self._spoken: str | None = None
        """Another dialect, of the same shape, that the server's first session object is in."""

    def renew(self) -> None:
        super().renew()
        self._forget_session()

    # intents -> messages

    def opening(self) -> Sequence[str]:
        update = {"type": "session.update", "event_id": SESSION_UPDATE_ID, "session": self.session_body()}
        return (orjson.dumps(update).decode(),)

    def session_body(self) -> dict[str, Any]:
        """The session object of this scenario as it is sent."""
        body = _transcribing(self._session()) if self.config.transcribes else self._session()
        return merged(body, self.config.extra)

    def _session(self) -> dict[str, Any]:
        """The GA session object: only what the scenario says, with VAD and transcription explicit."""
        config = self.config
        detection = config.turn_detection
        transcription = config.transcription
        body: dict[str, Any] = {
            "type": "realtime",
            "output_modalities": [config.output],
            "audio": {
                "input": {
                    "format": _wire_format(self.input_format),
                    "turn_detection": None
                    if detection.type == "manual"
                    else detection.model_dump(exclude_none=True, by_alias=True),
                    "transcription": None
                    if transcription is None
                    else transcription.model_dump(exclude_none=True, by_alias=True),
                },
                "output": {"format": _wire_format(self.output_format)},
            },
        }
        if config.noise_reduction is not None:
            body["audio"]["input"]["noise_reduction"] = {"type": config.noise_reduction}
        if config.voice is not None:
            body["audio"]["output"]["voice"] = config.voice.wire
        if config.instructions is not None:
            body["instructions"] = config.instructions
        if config.tools:
            body["tools"] = [tool.wire for tool in config.tools]
        if config.tool_choice is not None:
            body["tool_choice"] = config.tool_choice
        if config.max_output_tokens is not None:
            body["max_output_tokens"] = config.max_output_tokens
        return body

    def audio_message(self, payload: bytes) -> str:
        encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
        return f'{{"type":"input_audio_buffer.append","audio":"{encoded}"}}'

    def end_of_turn(self, turn: int) -> Sequence[str]:
        if not self.manual:
            return ()
        commit = f'{{"type":"input_audio_buffer.commit","event_id":"bench-{turn}-commit"}}'
        if self.config.transcribes:
            return (commit,)
        return (
            commit,
            f'{{"type":"response.create","event_id":"bench-{turn}-response"}}',
        )

    def ask_to_speak(self, step: int) -> Sequence[str]:
        return (f'{{"type":"response.create","event_id":"bench-step-{step}-response"}}',)

    def cancel_reply(self, response_id: str | None) -> Sequence[str]:
        which = {} if response_id is None else {"response_id": response_id}
        return (orjson.dumps({"type": "response.cancel", **which}).decode(),)

    def truncate(self, item_id: str, heard_ms: int) -> Sequence[str]:
        event = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": heard_ms}
        return (orjson.dumps(event).decode(),)

    def retell(self, role: Literal["user", "assistant"], words: str) -> Sequence[str]:
        part = {"type": "input_text" if role == "user" else "output_text", "text": words}
        item = {"type": "message", "role": role, "content": [part]}
        return (orjson.dumps({"type": "conversation.item.create", "item": item}).decode(),)

    def tool_result(self, call_id: str, output: str) -> Sequence[str]:
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        return (orjson.dumps({"type": "conversation.item.create", "item": item}).decode(),)

    def reply_to_tools(self, turn: int | None) -> Sequence[str]:
        return (f'{{"type":"response.create","event_id":"{_after_tools(turn)}"}}',)

    def refuses_turn(self, error: ErrorInfo, turn: int) -> bool:
        if error.code in _BENIGN_CODES:
            return False
        return error.event_id in {f"bench-{turn}-commit", f"bench-{turn}-response", _after_tools(turn), ANSWER_ID}

    def refuses_reply(self, error: ErrorInfo, turn: int) -> bool:
        # A commit that is refused as empty does not stop the response that was asked for after it.
        if self.config.transcribes:
            return error.event_id == f"bench-{turn}-commit"
        return error.event_id in {f"bench-{turn}-response", _after_tools(turn), ANSWER_ID}

    def refuses_session(self, error: ErrorInfo) -> bool:
        # Until the session is ready nothing but its configuration was sent, so an error without an id is about that.
        return error.event_id in {SESSION_UPDATE_ID, None} and error.code not in _BENIGN_CODES

    def audio_bytes(self, delta: AudioDelta) -> bytes:
        raw = delta.encoded
        return raw if isinstance(raw, bytes) else pybase64.b64decode(raw or "", validate=True)

    def decode_audio(self, delta: AudioDelta) -> NDArray[np.int16]:
        raw = self.audio_bytes(delta)
        if self.output_format.encoding == "pcm16":
            raw = self._carry.pop(delta.response_id, b"") + raw
            if len(raw) % 2:
                self._carry[delta.response_id], raw = raw[-1:], raw[:-1]
        return self.output_format.decode(raw)

    # messages -> signals

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        message = read_object(data, at_ns)
        if isinstance(message, Malformed):
            return (message,)
        kind = message.get("type")
        if not isinstance(kind, str):
            other = wrong_dialect(message, self.name, at_ns, related=DIALECT_OF.values())
            return (Malformed(at_ns, "an object without a `type`") if other is None else other,)
        name = self._handlers.get(kind)
        shape = shape_of_event(kind)
        if shape is not None and not self._shape_seen:
            if shape != self._shape:
                return self._other_shape(shape, at_ns)
            self._shape_seen = True
        if name is None or kind == "error":
            other = wrong_dialect(message, self.name, at_ns, related=DIALECT_OF.values())
            if other is not None and kind not in self._unused:
                return (other,)
        if name is None:
            return () if kind in self._unused else (Unrecognised(at_ns, kind[:120]),)
        event_id = message.get("event_id")
        if isinstance(event_id, str) and self._is_repeat(event_id, data):
            return ()
        return handle(getattr(self, name), message, at_ns, kind)

    def _is_repeat(self, event_id: str, data: str | bytes) -> bool:
        """Whether this message came before. A server that gives one id to two messages has no ids that tell."""
        if not self._ids_tell:
            return False
        print_of_it = hash((len(data), data[:_PRINTED], data[-_PRINTED:]))
        before = self._seen.get(event_id)
        if before is not None:
            self._ids_tell = before == print_of_it
            return self._ids_tell
        self._seen[event_id] = print_of_it
        if len(self._seen) > _REMEMBERED_IDS:
            self._seen.popitem(last=False)
        return False

    def _again(self, what: str, identity: str | None) -> bool:
        """Whether `what` was already met for `identity`; an event without an id can never be told a repeat."""
        if identity is None:
            return False
        if (what, identity) in self._once:
            return True
        self._once[what, identity] = None
        if len(self._once) > _REMEMBERED_IDS:
            self._once.popitem(last=False)
        return False

    def _forget(self, what: str, identity: str | None) -> None:
        if identity is not None:
            self._once.pop((what, identity), None)

    def _other_shape(self, shape: Shape, at_ns: int, spoken: str | None = None) -> Sequence[Signal]:
        """The server speaks the protocol's other shape: nothing that it says about a reply would be understood.

        `spoken`: the dialect that it was heard to speak.
        """
        usual = spoken is None or spoken == DIALECT_OF[shape]
        said = f"this server speaks {SHAPE_TITLES[shape]}; use dialect: {DIALECT_OF[shape]}" if usual else ""
        return (wrong(at_ns, said or speaks(str(spoken))),)

    def _session_created(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        session = mapping(message.get("session"))
        shape = shape_of_session(session)
        spoken = dialect_of_session(session)
        if shape is not None and shape != self._shape:
            return self._other_shape(shape, at_ns, spoken)
        self._spoken = spoken if spoken != self.name else None
        found: list[Signal] = [SessionCreated(at_ns, name_of(session.get("id")), name_of(session.get("model")))]
        if (expires_at := number(session.get("expires_at"))) is not None and expires_at > 0:
            found.append(SessionEnds(at_ns, at_unix_s=expires_at))
        return (*found, SessionReady(at_ns)) if self.config.acknowledge == "created" else tuple(found)

    def _session_updated(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        found = differences(self.session_body(), mapping(message.get("session")), self.config.extra)
        told = tuple(str(each) for each in found)
        decisive = next((str(each) for each in found if each.decisive), None)
        if decisive is None:
            return (SessionReady(at_ns, told),)
        error = ErrorInfo("session_not_applied", "session_not_applied", decisive, error_kind="protocol")
        return (ServerError(at_ns, error, fatal=True),)

    def while_not_ready(self) -> str:
        if self.config.acknowledge == "updated":
            return (
                "the server sent no session.updated; if it never does, set session.acknowledge: created in the scenario"
            )
        return "the server sent no session.created"

    def _speech_started(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        item_id = name_of(message.get("item_id"))
        for what in _OF_ONE_UTTERANCE:  # begun anew, it is another item of the same name
            self._forget(what, item_id)
        return (SpeechStarted(at_ns, item_id, number(message.get("audio_start_ms"))),)

    def _speech_stopped(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        item_id = name_of(message.get("item_id"))
        if self._again("speech_stopped", item_id):
            return ()
        return (SpeechStopped(at_ns, item_id, number(message.get("audio_end_ms"))),)

    def _committed(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        item_id = name_of(message.get("item_id"))
        if item_id is not None and ("transcribed", item_id) in self._once:
            self._forget("committed", item_id)
            self._forget("transcribed", item_id)
        if self._again("committed", item_id):
            return ()
        if self._asks_for_replies and item_id not in self._silences:
            self.post(f'{{"type":"response.create","event_id":"{ANSWER_ID}"}}')
        return (InputCommitted(at_ns, item_id),)

    def _idle_timeout(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        item_id = name_of(message.get("item_id"))
        if self._again("idle_timeout", item_id):
            return ()
        self._silences.add(item_id)
        return (IdleTimeout(at_ns, item_id),)

    def _input_delta(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(message.get("delta"))
        if not words:
            return ()
        return (InputTranscript(at_ns, name_of(message.get("item_id")), words, final=False),)

    def _input_updated(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(message.get("transcript"))
        if not words:
            return ()
        return (InputTranscript(at_ns, name_of(message.get("item_id")), words, final=False, whole=True),)

    def _input_completed(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        item_id = name_of(message.get("item_id"))
        transcript = text(message.get("transcript"))
        if transcript is None:
            return (Malformed(at_ns, "a completed transcription without a `transcript`"),)
        if self._again("transcribed", item_id):
            return ()
        usage = parse_transcription_usage(message.get("usage"))
        return (InputTranscript(at_ns, item_id, transcript, final=True, usage=usage),)

    def _input_failed(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        item_id = name_of(message.get("item_id"))
        if self._again("transcribed", item_id):
            return ()
        return (InputTranscriptFailed(at_ns, item_id, parse_error(message.get("error"))),)

    def _response_created(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        response_id = name_of(mapping(message.get("response")).get("id"))
        if self._again("response", response_id):
            return ()
        self._forget("response_done", response_id)
        return (ResponseStarted(at_ns, response_id),)

    def _transcript_delta(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(message.get("delta"))
        return (TextDelta(at_ns, name_of(message.get("response_id")), words, "transcript"),) if words else ()

    def _text_delta(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        words = text(message.get("delta"))
        return (TextDelta(at_ns, name_of(message.get("response_id")), words, "text"),) if words else ()

    def _audio_delta(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        encoded = message.get("delta") or message.get("audio")
        if not encoded:
            return ()
        payload = read_sound(encoded, at_ns)
        if isinstance(payload, Malformed):
            return (payload,)
        size = len(payload)
        response_id = name_of(message.get("response_id"))
        before = self._received_bytes.get(response_id, 0)
        self._received_bytes[response_id] = before + size
        width = self.output_format.bytes_per_sample
        return (
            AudioDelta(
                at_ns=at_ns,
                response_id=response_id,
                item_id=name_of(message.get("item_id")),
                samples=(before + size) // width - before // width,
                wire_bytes=size,
                encoded=payload,
            ),
        )

    def _audio_done(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        return (AudioDone(at_ns, name_of(message.get("response_id"))),)

    def _tool_call(self, response_id: str | None, raw: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        call_id, name = name_of(raw.get("call_id")), name_of(raw.get("name"))
        if call_id is None or name is None or self._again("tool_call", call_id):
            return ()
        return (ToolCall(at_ns, response_id, call_id, name, text(raw.get("arguments")) or "{}"),)

    def _arguments_done(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        return self._tool_call(name_of(message.get("response_id")), message, at_ns)

    def _item_done(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        item = mapping(message.get("item"))
        if item.get("type") != "function_call":
            return ()
        return self._tool_call(name_of(message.get("response_id")), item, at_ns)

    def _response_done(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        response = mapping(message.get("response"))
        response_id = name_of(response.get("id"))
        if self._again("response_done", response_id):
            return ()
        self._forget("response", response_id)  # announced anew after its end, it is another response
        self._received_bytes.pop(response_id, None)
        self._carry.pop(response_id, None)
        details = mapping(response.get("status_details"))
        status = _STATUSES.get(str(response.get("status")), "unknown")
        error = parse_error(details["error"]) if details.get("error") else None
        output = response.get("output")
        items = [mapping(item) for item in output] if isinstance(output, list) else []
        calls = [
            signal
            for item in items
            if item.get("type") == "function_call" and item.get("status") != "incomplete" and status == "completed"
            for signal in self._tool_call(response_id, item, at_ns)
        ]
        return (
            *calls,
            ResponseEnded(
                at_ns=at_ns,
                response_id=response_id,
                status=status,
                reason=name_of(details.get("reason")),
                error=error,
                usage=parse_usage(response.get("usage")),
                text=output_text(response),
                legs=parse_legs(response.get("metadata")),
            ),
        )

    def _rate_limits(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        raw = message.get("rate_limits")
        limits = tuple(
            RateLimit(
                name=name_of(entry.get("name")) or "unnamed",
                limit=number(entry.get("limit")),
                remaining=number(entry.get("remaining")),
                reset_s=number(entry.get("reset_seconds")),
            )
            for entry in (raw if isinstance(raw, list) else [])
            if isinstance(entry, dict)
        )
        return (RateLimits(at_ns, limits),)

    def _error(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        error = parse_error(message.get("error"))
        if error.param in self._own_keys and error.code in _KEY_REFUSED:
            return (refused_variant(self.name, error.param, self._spoken or DIALECT_OF[self._shape], at_ns),)
        return (ServerError(at_ns, error, benign=error.code in _BENIGN_CODES, fatal=error.code in _FATAL_CODES),)


def _transcribing(body: Mapping[str, Any]) -> dict[str, Any]:
    """The session object of one that only writes down: what it hears, and nothing of replies."""
    heard = dict(body["audio"]["input"])
    if heard["turn_detection"] is not None:
        asked = heard["turn_detection"].items()
        heard["turn_detection"] = {key: value for key, value in asked if key not in _OF_REPLIES}
    return {"type": "transcription", "audio": {"input": heard}}


def _after_tools(turn: int | None) -> str:
    """Id of our request for the reply that follows the results of tools."""
    return f"bench-{'call' if turn is None else turn}-tools"


def _wire_format(audio: AudioFormat) -> dict[str, Any]:
    rate = {"rate": audio.rate_hz} if audio.encoding == "pcm16" else {}
    return {"type": _FORMAT_TYPES[audio.encoding], **rate}
