"""The neutral vocabulary: what a server said, stripped of any one protocol's names.

A dialect turns (wire message, arrival time) into these; sessions, timelines and measures know nothing else.
All `at_ns` are monotonic nanoseconds of the message's arrival at this machine's kernel.
Trap: a protocol may leave out almost any of them (no commit, no usage, no end of audio); never wait for one
that the dialect does not promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from bench.facts.failure import ErrorKind, Failure, Stage

TextChannel = Literal["transcript", "text"]
ReplyStatus = Literal["completed", "cancelled", "incomplete", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """A provider's error by field. The dialect sets `error_kind` from `code` and `type`, never from the message."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: str | None = None
    error_kind: ErrorKind = "server"

    def as_failure(self, stage: Stage, *, close_code: int | None = None, close_reason: str | None = None) -> Failure:
        """This error as the reason why a call or a turn failed at `stage`."""
        return Failure(self.error_kind, stage, self.code or self.type, self.message, close_code, close_reason)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one response as the server billed them; `None` is "not said". Cached counts are part of `in_*`."""

    in_text_tokens: int | None = None
    in_audio_tokens: int | None = None
    in_image_tokens: int | None = None
    in_cached_text_tokens: int | None = None
    in_cached_audio_tokens: int | None = None
    in_cached_image_tokens: int | None = None
    out_text_tokens: int | None = None
    out_audio_tokens: int | None = None
    in_total_tokens: int | None = None
    out_total_tokens: int | None = None
    """The totals as given: some servers say no more than these."""
    out_reasoning_tokens: int | None = None
    """Part of `out_text_tokens`: billed, and never sent."""
    refused: tuple[str, ...] = ()
    """Values that cannot be, such as `input_tokens = -3`: they count as not said."""
    cached_split_assumed: bool = False
    """The server gave only one cached total; it was attributed to text (the dearer reading) and is flagged."""


@dataclass(frozen=True, slots=True)
class TranscriptionUsage:
    """What the server billed for transcribing the caller: tokens or seconds, whichever it reports."""

    seconds: float | None = None
    in_text_tokens: int | None = None
    in_audio_tokens: int | None = None
    out_text_tokens: int | None = None
    in_total_tokens: int | None = None
    refused: tuple[str, ...] = ()
    """As in `Usage`."""


@dataclass(frozen=True, slots=True)
class LegReport:
    """A service behind the server, as the server tells of it: what it took for a response, and what it bills.

    `name` is `stt`, `llm` or `tts`, or `own` for what the server itself added; None is "not said".
    """

    name: str
    model: str | None = None
    ms: float | None = None
    """Request sent -> the words (stt), the first word (llm), the first sound (tts)."""
    sentence_ms: float | None = None
    """First word -> something that can be spoken; of the llm."""
    seconds: float | None = None
    """Audio that was billed (stt) or came (tts)."""
    sent_seconds: float | None = None
    """Audio that was sent to be transcribed."""
    characters: int | None = None
    """Text that was sent to be spoken."""
    in_text_tokens: int | None = None
    in_audio_tokens: int | None = None
    in_total_tokens: int | None = None
    out_text_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SessionCreated:
    kind: ClassVar[str] = "session_created"
    at_ns: int
    session_id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The server acknowledged our configuration. From now on the dialect knows both audio formats."""

    kind: ClassVar[str] = "session_ready"
    at_ns: int
    differences: tuple[str, ...] = ()
    """What the server set otherwise than it was asked to, each with the key and both values."""


@dataclass(frozen=True, slots=True)
class SessionEnds:
    """The server told when it will end the session: as a time of day, at its start, or as a span, shortly before."""

    kind: ClassVar[str] = "session_ends"
    at_ns: int
    at_unix_s: float | None = None
    in_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    kind: ClassVar[str] = "speech_started"
    at_ns: int
    item_id: str | None = None
    audio_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The server decided that the caller's turn ended; `audio_ms` is its own media position, silence included."""

    kind: ClassVar[str] = "speech_stopped"
    at_ns: int
    item_id: str | None = None
    audio_ms: float | None = None


@dataclass(frozen=True, slots=True)
class InputCommitted:
    kind: ClassVar[str] = "input_committed"
    at_ns: int
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """The caller said nothing for so long that the server takes in the silence, and speaks of its own accord."""

    kind: ClassVar[str] = "idle_timeout"
    at_ns: int
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class InputTranscript:
    """The server's transcription of the caller: a piece (`final` false) or the whole of an item (`final` true).

    `whole`: a piece that takes the place of those before it, and is not added to them.
    """

    kind: ClassVar[str] = "input_transcript"
    at_ns: int
    item_id: str | None
    text: str
    final: bool
    usage: TranscriptionUsage | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class InputTranscriptFailed:
    kind: ClassVar[str] = "input_transcript_failed"
    at_ns: int
    item_id: str | None
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    kind: ClassVar[str] = "response_started"
    at_ns: int
    response_id: str | None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply's words: `transcript` of its speech, or `text` written instead of speech."""

    kind: ClassVar[str] = "text_delta"
    at_ns: int
    response_id: str | None
    text: str
    channel: TextChannel = "transcript"


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """A piece of reply audio of `samples` at the session's output rate; `encoded` is dropped once heard."""

    kind: ClassVar[str] = "audio_delta"
    at_ns: int
    response_id: str | None
    item_id: str | None
    samples: int
    wire_bytes: int = 0
    encoded: str | bytes | None = field(default=None, repr=False, compare=False)

    def elided(self) -> AudioDelta:
        """The same fact without the audio itself, as it is kept in a timeline."""
        return AudioDelta(self.at_ns, self.response_id, self.item_id, self.samples, self.wire_bytes)


@dataclass(frozen=True, slots=True)
class Onset:
    """Our listener found the first audible sample of a response: `sample` counts from the response's first sample."""

    kind: ClassVar[str] = "onset"
    at_ns: int
    response_id: str | None
    sample: int


@dataclass(frozen=True, slots=True)
class AudioDone:
    kind: ClassVar[str] = "audio_done"
    at_ns: int
    response_id: str | None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete tool call; `call_id` is its identity, since protocols repeat it in several events."""

    kind: ClassVar[str] = "tool_call"
    at_ns: int
    response_id: str | None
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ResponseEnded:
    """The server closed a response. `text` is its whole wording where the closing event carries it."""

    kind: ClassVar[str] = "response_ended"
    at_ns: int
    response_id: str | None
    status: ReplyStatus
    reason: str | None = None
    error: ErrorInfo | None = None
    usage: Usage | None = None
    text: str | None = None
    legs: tuple[LegReport, ...] | None = None
    """The services behind a server that tells of them; None where it is one model, or says nothing."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    name: str
    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    kind: ClassVar[str] = "rate_limits"
    at_ns: int
    limits: tuple[RateLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error event. `benign`: expected in healthy calls. `fatal`: the session cannot go on after it."""

    kind: ClassVar[str] = "server_error"
    at_ns: int
    error: ErrorInfo
    benign: bool = False
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """An event this dialect does not use: kept by name, never an error."""

    kind: ClassVar[str] = "unrecognised"
    at_ns: int
    name: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that is not the protocol: broken JSON, not an object, a field of the wrong type."""

    kind: ClassVar[str] = "malformed"
    at_ns: int
    detail: str
    of_sound: bool = False
    """It should have been audio of a reply."""


Signal = (
    SessionCreated
    | SessionReady
    | SessionEnds
    | SpeechStarted
    | SpeechStopped
    | InputCommitted
    | IdleTimeout
    | InputTranscript
    | InputTranscriptFailed
    | ResponseStarted
    | TextDelta
    | AudioDelta
    | Onset
    | AudioDone
    | ToolCall
    | ResponseEnded
    | RateLimits
    | ServerError
    | Unrecognised
    | Malformed
)

ReplySignal = ResponseStarted | TextDelta | AudioDelta | Onset | AudioDone | ToolCall | ResponseEnded
"""Signals that are part of a response."""

SIGNAL_TYPES: dict[str, type[Any]] = {cls.kind: cls for cls in Signal.__args__}
_NESTED: dict[tuple[str, str], type[Any]] = {
    ("input_transcript", "usage"): TranscriptionUsage,
    ("input_transcript_failed", "error"): ErrorInfo,
    ("response_ended", "error"): ErrorInfo,
    ("response_ended", "usage"): Usage,
    ("server_error", "error"): ErrorInfo,
}


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if getattr(value, f.name) is not None}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def signal_to_dict(signal: Signal) -> dict[str, Any]:
    """A JSON-ready form with its `kind`; `encoded` audio and empty fields are left out."""
    out: dict[str, Any] = {"kind": signal.kind}
    for f in fields(signal):
        value = getattr(signal, f.name)
        if value is not None and f.name != "encoded":
            out[f.name] = _plain(value)
    return out


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def signal_from_dict(data: Mapping[str, Any]) -> Signal:
    """The inverse of `signal_to_dict`. Raises `KeyError` for an unknown kind and `TypeError` for a missing field."""
    kind = data["kind"]
    cls = SIGNAL_TYPES[kind]
    values = {}
    for key, raw in data.items():
        nested = _NESTED.get((kind, key))
        if nested is not None:
            values[key] = nested(**{name: _tuple(item) for name, item in raw.items()})
        elif kind == "response_ended" and key == "legs":
            values[key] = tuple(LegReport(**item) for item in raw)
        elif isinstance(raw, list) and key != "limits":
            values[key] = tuple(raw)
        elif kind == "rate_limits" and key == "limits":
            values[key] = tuple(RateLimit(**item) for item in raw)
        elif key != "kind":
            values[key] = raw
    for f in fields(cls):
        if f.name in {"response_id", "item_id"}:
            values.setdefault(f.name, None)
    signal: Signal = cls(**values)
    return signal
