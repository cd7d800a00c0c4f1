"""How each call is configured: instructions, voice, who decides that a turn has ended, formats.

In: the `session:` block. Out: neutral settings that a dialect translates into its own configuration message.
Trap: an absent `transcription` is the default model, an explicit null is off - and then WER is not measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema

from bench.config.block import Block, Complaint, DurationMs, Text, nearest, raise_all, refusal
from bench.config.secrets import looks_like_key
from bench.dialects import (
    DEFAULT_DIALECT,
    dialect_names,
    dialect_of,
    formats_of,
    frame_of,
    outputs_of,
    turn_detections_of,
    voices_of,
)
from bench.dialects.session_renewal import RenewField, renew_field
from bench.dialects.tools import ToolChoice, Tools

AudioFormatName = Literal["pcm16", "pcmu", "pcma"]
DEFAULT_TRANSCRIPTION_MODEL = "gpt-4o-mini-transcribe"
DEFAULT_SILENCE_MS = 500
DEFAULT_FORMAT: AudioFormatName = "pcm16"

WholeMs = Annotated[int, Field(strict=True, ge=0)]
"""A plain number of milliseconds, for the keys that name the unit themselves."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: `listed` by the dialect, `named` (sent as is) or by `id`."""

    kind: Literal["listed", "named", "id"]
    value: str

    @property
    def wire(self) -> str | dict[str, str]:
        """What the configuration message carries: the word, or `{"id": ...}`."""
        return {"id": self.value} if self.kind == "id" else self.value

    @property
    def yaml(self) -> str | dict[str, str]:
        """What a scenario says for it."""
        if self.kind == "listed":
            return self.value
        return {"id" if self.kind == "id" else "name": self.value}


def _voice(value: object, info: ValidationInfo) -> Voice:
    if isinstance(value, Voice):
        return value
    known = voices_of((info.context or {}).get("dialect", DEFAULT_DIALECT))
    other = "{name: ...} or {id: ...}"
    allowed = f"allowed: {', '.join(known)}; for any other voice {other}" if known else f"allowed: {other}"
    if isinstance(value, str):
        if value in known:
            return Voice("listed", value)
        raise refusal(f"no voice '{value}' in this dialect; {allowed}{nearest(value, known)}")
    if isinstance(value, Mapping) and len(value) == 1:
        (key, text), *_ = value.items()
        if key in {"id", "name"} and isinstance(text, str) and text:
            return Voice("id" if key == "id" else "named", text)
    raise refusal(f"not a voice; {allowed}")


def _spoken(value: str, info: ValidationInfo) -> str:
    """A format that the dialect knows: one that it ignores would not be what is measured."""
    name = (info.context or {}).get("dialect", DEFAULT_DIALECT)
    known = formats_of(name)
    if value not in known:
        raise refusal(f"found '{value}'; dialect {name} has no such format; allowed: {', '.join(known)}")
    return value


def _detected(value: ServerVad | SemanticVad | Manual, info: ValidationInfo) -> ServerVad | SemanticVad | Manual:
    """A way to end turns that the dialect has."""
    name = (info.context or {}).get("dialect", DEFAULT_DIALECT)
    known = turn_detections_of(name)
    if value.type not in known:
        raise refusal(f"found '{value.type}'; dialect {name} has no such detection; allowed: {', '.join(known)}")
    return value


def _output(value: str, info: ValidationInfo) -> str:
    """A kind of reply that the dialect has."""
    name = (info.context or {}).get("dialect", DEFAULT_DIALECT)
    known = outputs_of(name)
    if value not in known:
        raise refusal(f"found '{value}'; dialect {name} has no such replies; allowed: {', '.join(known)}")
    return value


def _kind(value: str, info: ValidationInfo) -> str:
    """A kind of session that the dialect knows."""
    name = (info.context or {}).get("dialect", DEFAULT_DIALECT)
    known = dialect_of(name).sessions if name in dialect_names() else (value,)
    if value not in known:
        raise refusal(f"found '{value}'; dialect {name} has no such sessions; allowed: {', '.join(known)}")
    return value


class _VoiceSchema:
    """For editors: the voices of every dialect, looked up when the schema is made."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        listed = sorted({voice for name in dialect_names() for voice in voices_of(name)})
        other = [
            {
                "type": "object",
                "properties": {key: {"type": "string", "minLength": 1}},
                "required": [key],
                "additionalProperties": False,
            }
            for key in ("name", "id")
        ]
        return {"anyOf": [{"enum": listed}, *other]}


VoiceField = Annotated[
    Voice,
    PlainValidator(_voice),
    PlainSerializer(lambda voice: voice.yaml, when_used="json"),
    _VoiceSchema(),
]


class ServerVad(Block):
    """The server decides when the caller has finished, from silence."""

    type: Literal["server_vad"] = Field(default="server_vad", description="Server-side voice activity detection.")
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="Activation level, 0 to 1; absent: the server's own.", examples=[0.5]
    )
    prefix_padding_ms: WholeMs | None = Field(
        default=None, description="Audio kept from before speech, ms; absent: the server's own.", examples=[300]
    )
    silence_duration_ms: WholeMs = Field(
        default=DEFAULT_SILENCE_MS, description="Silence that ends a turn, ms; always sent.", examples=[500]
    )
    idle_timeout_ms: Annotated[int, Field(strict=True, ge=5_000, le=30_000)] | None = Field(
        default=None, description="Silence after which the server speaks by itself, ms.", examples=[10_000]
    )
    create_response: bool | None = Field(
        default=None, description="Whether the server replies by itself; absent: the server's own default."
    )
    interrupt_response: bool | None = Field(
        default=None, description="Whether speech cuts the reply off; absent: the server's own default."
    )


class SemanticVad(Block):
    """A model of the server decides from what is said whether the caller has finished."""

    model_config = ConfigDict(json_schema_extra={"required": ["type"]})

    type: Literal["semantic_vad"] = Field(default="semantic_vad", description="Turn detection by meaning.")
    eagerness: Literal["low", "medium", "high", "auto"] | None = Field(
        default=None,
        description="How soon the server takes a thought for finished: it waits at most 2 s with high, 4 s with medium "
        "or auto, 8 s with low; absent: the server's own.",
        examples=["high"],
    )
    create_response: bool | None = Field(
        default=None, description="Whether the server replies by itself; absent: the server's own default."
    )
    interrupt_response: bool | None = Field(
        default=None, description="Whether speech cuts the reply off; absent: the server's own default."
    )


class Manual(Block):
    """Push to talk: the caller commits the audio and asks for the reply."""

    model_config = ConfigDict(json_schema_extra={"required": ["type"]})

    type: Literal["manual"] = Field(default="manual", description="Push to talk.")
    release_ms: DurationMs = Field(
        default=100,
        alias="release",
        description="How long after the end of speech the caller lets go (the audio is committed).",
        examples=["100ms"],
    )


_WORDS = ("server_vad", "semantic_vad", "manual")


def _turn_kind(value: Any) -> str | None:
    kind = value.get("type", "server_vad") if isinstance(value, Mapping) else getattr(value, "type", None)
    return f"<{kind}>"


def _turn_detection(value: object) -> object:
    """`manual` for `{type: manual}`; anything that names no kind is refused with a sentence of its own."""
    if isinstance(value, ServerVad | SemanticVad | Manual):
        return value
    if isinstance(value, str):
        value = {"type": value}
    allowed = "allowed: server_vad, semantic_vad, manual, or a mapping with one of them as type"
    if not isinstance(value, Mapping):
        raise refusal(f"found {'nothing' if value is None else repr(value)}; {allowed}")
    kind = value.get("type", "server_vad")
    if kind not in _WORDS:
        raise refusal(f"found '{kind}'; {allowed}{nearest(str(kind), _WORDS)}")
    return value


def _words_too(schema: dict[str, Any]) -> None:
    """For editors: the plain word is allowed as well as the mapping."""
    schema["oneOf"] = [{"enum": list(_WORDS)}, *schema["oneOf"]]


TurnDetection = Annotated[
    Annotated[ServerVad, Tag("<server_vad>")]
    | Annotated[SemanticVad, Tag("<semantic_vad>")]
    | Annotated[Manual, Tag("<manual>")],
    Discriminator(_turn_kind),
    BeforeValidator(_turn_detection),
    AfterValidator(_detected),
]


def _transcription(value: object) -> object:
    if value is None or isinstance(value, Mapping | Transcription):
        return value
    raise refusal(f"found {value!r}; allowed: a mapping such as {{model: whisper-1}}, or null for none")


class Transcription(Block):
    """The server's transcript of the caller, which WER is computed from."""

    model: Text = Field(
        default=DEFAULT_TRANSCRIPTION_MODEL,
        description="Model that transcribes the caller.",
        examples=["gpt-4o-mini-transcribe", "whisper-1"],
    )
    language: Text | None = Field(default=None, description="Language hint, ISO 639-1.", examples=["en"])
    prompt: Text | None = Field(
        default=None, description="Words the model should expect.", examples=["order numbers, balances"]
    )
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = Field(
        default=None, description="How long a streaming model may wait to be more certain.", examples=["low"]
    )


def frame_size(value: int) -> int:
    """A length of frames that may be sent, in ms; others are refused."""
    if not 10 <= value <= 200:
        raise refusal(f"found {value}ms; allowed: 10ms to 200ms (20ms, 40ms and 100ms are usual)")
    return value


def _max_tokens(value: object) -> object:
    if value == "inf" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise refusal(f"found {value!r}; allowed: a whole number, 1 or more, or inf")


def _extra(value: object) -> object:
    if not isinstance(value, dict):
        raise refusal("not a mapping; allowed: keys of the server's own session configuration")
    text = json.dumps(value, default=str)
    if any(looks_like_key(piece) for piece in text.split('"')):
        raise refusal("a secret must not be written into a scenario (not shown); put it into target.headers")
    raise_all("extra", [Complaint(path, _behind_our_back(path)) for path in KEEPS if _has(value, path)])
    return value


KEEPS: dict[tuple[str, ...], str] = {
    ("type",): "",
    ("output_modalities",): "session.output",
    ("modalities",): "session.output",
    ("turn_detection",): "session.turn_detection",
    ("input_audio_format",): "session.input_format",
    ("output_audio_format",): "session.output_format",
    ("input_audio_transcription",): "session.transcription",
    ("audio", "input", "turn_detection"): "session.turn_detection",
    ("audio", "input", "format"): "session.input_format",
    ("audio", "input", "transcription"): "session.transcription",
    ("audio", "output", "format"): "session.output_format",
    ("tools",): "session.tools",
    ("tool_choice",): "session.tool_choice",
}
"""Keys of the server's session that decide how a call is played and measured, and where a scenario says them."""


def _has(value: object, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def _behind_our_back(path: tuple[str, ...]) -> str:
    where = KEEPS[path]
    return f"it decides how the call is measured; {f'allowed: {where}' if where else 'it cannot be changed'}"


class SessionConfig(Block):
    """What every call asks of the server when it begins."""

    type: Annotated[Literal["realtime", "transcription"], AfterValidator(_kind)] = Field(
        default="realtime",
        description="What a session does: hold a conversation, or write down what it hears and answer nothing.",
        examples=["transcription"],
    )
    instructions: Text | None = Field(
        default=None, description="The agent's instructions.", examples=["You are a bank's telephone agent."]
    )
    voice: VoiceField | None = Field(
        default=None,
        description="Voice of the reply; absent: the server's own. {name: x} and {id: x} are sent unchecked.",
        examples=["marin", {"id": "voice_123"}, {"name": "af_heart"}],
    )
    turn_detection: TurnDetection = Field(
        default_factory=ServerVad,
        description="Who decides that the caller's turn has ended.",
        examples=["manual", "semantic_vad", {"type": "server_vad", "silence_duration_ms": 500}],
        json_schema_extra=_words_too,
    )
    transcription: Annotated[Transcription | None, BeforeValidator(_transcription)] = Field(
        default_factory=Transcription,
        description="Transcription of the caller by the server; null turns it off, and WER is then not measured.",
    )
    input_format: Annotated[AudioFormatName, AfterValidator(_spoken)] = Field(
        default=DEFAULT_FORMAT,
        description="Audio sent: pcm16 (24 kHz), pcmu or pcma (G.711, 8 kHz).",
        examples=["pcmu"],
    )
    output_format: Annotated[AudioFormatName, AfterValidator(_spoken)] = Field(
        default=DEFAULT_FORMAT,
        description="Audio asked for: pcm16 (24 kHz), pcmu or pcma (G.711, 8 kHz).",
        examples=["pcmu"],
    )
    frame_ms: Annotated[DurationMs, AfterValidator(frame_size)] = Field(
        default=40, alias="frame", description="Audio in each message sent, 10ms to 200ms.", examples=["20ms", "40ms"]
    )
    output: Annotated[Literal["audio", "text"], AfterValidator(_output)] = Field(
        default="audio", description="What the reply is: spoken (with its transcript) or text alone."
    )
    max_output_tokens: Annotated[int | Literal["inf"], PlainValidator(_max_tokens)] | None = Field(
        default=None,
        description="Bound on the tokens of one reply; absent: the server's own.",
        examples=[1024, "inf"],
        json_schema_extra={"anyOf": [{"type": "integer", "minimum": 1}, {"const": "inf"}, {"type": "null"}]},
    )
    tools: Tools = Field(
        default=(),
        description="Functions that the agent may call, in the shape of Chat Completions or of the Realtime protocol, "
        "each with what it answers.",
        examples=[[{"type": "function", "name": "store_hours", "answer": "Open from nine to six."}]],
    )
    tool_choice: ToolChoice = Field(
        default=None,
        description="Whether the agent calls a tool: auto, none, required, or one tool; absent: the server's own.",
        examples=["auto", {"type": "function", "name": "lookup_order"}],
    )
    tool_rounds: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        default=8,
        description="How often in one turn the agent may call tools and get answers; one more is too_many_calls.",
        examples=[8],
    )
    noise_reduction: Literal["near_field", "far_field"] | None = Field(
        default=None, description="The server's noise reduction for the caller; null is off."
    )
    acknowledge: Literal["updated", "created"] = Field(
        default="updated",
        description="What says that the session is configured: session.updated, or, where a server never sends that, "
        "session.created.",
    )
    renew: RenewField = renew_field()
    extra: Annotated[dict[str, Any], BeforeValidator(_extra)] = Field(
        default_factory=dict,
        description="Keys merged as they are over the session configuration that is sent; an escape hatch, unchecked.",
        examples=[{"reasoning": {"effort": "low"}}],
    )

    @model_validator(mode="before")
    @classmethod
    def _formats_of_the_dialect(cls, value: object, info: ValidationInfo) -> object:
        """Where a dialect does not have the usual format, the one it has is meant, and is what reports name."""
        known = formats_of((info.context or {}).get("dialect", DEFAULT_DIALECT))
        if not isinstance(value, Mapping) or DEFAULT_FORMAT in known:
            return value
        return {**dict.fromkeys(("input_format", "output_format"), known[0]), **value}

    @property
    def manual(self) -> bool:
        """Whether the caller commits each turn (push to talk)."""
        return isinstance(self.turn_detection, Manual)

    @property
    def transcribes(self) -> bool:
        """Whether the session only writes down what it hears."""
        return self.type == "transcription"

    def complaints(self) -> Iterator[Complaint]:
        """Settings that another setting makes meaningless."""
        if self.transcribes:
            if self.transcription is None:
                yield Complaint(("transcription",), "found null with type: transcription; allowed: a model")
            for key in ("instructions", "voice", "tools", "tool_choice", "max_output_tokens", "renew"):
                if getattr(self, key) not in (None, ()):
                    yield Complaint((key,), "has no effect with type: transcription; remove one of them")
        names = [tool.name for tool in self.tools]
        for place, name in enumerate(names):
            if name in names[:place]:
                yield Complaint(("tools", place, "name"), f"found '{name}' a second time; allowed: one tool of a name")
        if not self.tools and self.tool_choice is not None:
            yield Complaint(("tool_choice",), "found without tools; allowed: with session.tools")
        if isinstance(self.tool_choice, dict) and self.tools and self.tool_choice["name"] not in names:
            yield Complaint(("tool_choice",), f"no tool '{self.tool_choice['name']}'; allowed: {', '.join(names)}")
        if self.output == "text":
            for key in ("voice", "output_format"):
                if key in self.model_fields_set and getattr(self, key) not in {None, "pcm16"}:
                    yield Complaint((key,), "has no effect with output: text; remove one of them")


def with_files_read(session: SessionConfig) -> SessionConfig:
    """The session with what its tools answer from files in the place of their paths."""
    if not session.tools:
        return session
    tools = tuple(tool.model_copy(update={"answer": tool.answer.read()}) for tool in session.tools)
    return session.model_copy(update={"tools": tools})


def changed(block: Block) -> list[str]:
    """Names of the fields of `block` that are not as they are when nothing is said."""
    return [name for name, each in type(block).model_fields.items() if getattr(block, name) != each.default]


def lacking(session: SessionConfig, dialect: str) -> Iterator[Complaint]:
    """What `session` asks for and `dialect` does not have."""
    asked = (
        ("input_format", session.input_format, formats_of(dialect)),
        ("output_format", session.output_format, formats_of(dialect)),
        ("turn_detection", session.turn_detection.type, turn_detections_of(dialect)),
        ("output", session.output, outputs_of(dialect)),
    )
    for key, word, known in asked:
        if word not in known and word != DEFAULT_FORMAT:
            yield Complaint((key,), f"found '{word}'; dialect {dialect} does not have it; allowed: {', '.join(known)}")
    frame_ms = frame_of(dialect)
    if frame_ms is not None and session.frame_ms != frame_ms:
        said = (
            f"found {session.frame_ms}ms; dialect {dialect} has frames of {frame_ms}ms only; write frame: {frame_ms}ms"
        )
        yield Complaint(("frame",), said)
