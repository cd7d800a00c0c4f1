"""A session's configuration: defaults, partial updates with validation, and the effective object on the wire.

In: the `session` of a `session.update` (or of a client secret). Out: a new configuration, or a `ProtocolError` that
names the parameter. An update changes only the keys it holds; nested objects merge, lists replace.
A session is of one type for life: `realtime` answers, `transcription` only writes down what it hears.
Trap: `turn_detection: null` is a value (manual turns); null where it is no value is "leave as it is".
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from bench.audio.formats import AudioFormat
from bench.server.protocol import checks
from bench.server.protocol.checks import (
    Check,
    Continued,
    anything,
    choice,
    fields_of,
    flag,
    given,
    list_of,
    merge,
    nullable,
    number,
    text,
)
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing
from bench.server.protocol.tools import tool, tool_choice

Json = checks.Json

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
FORMATS = {
    "audio/pcm": AudioFormat.PCM16,
    "audio/pcmu": AudioFormat.PCMU,
    "audio/pcma": AudioFormat.PCMA,
}
DEFAULT_INSTRUCTIONS = (
    "You are a telephone agent of a company that sells phone plans and devices. Be friendly and brief, answer the "
    "caller's question, and ask for what you need to answer it."
)
SERVER_VAD: Json = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Json = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
# No model of meaning here could wait for the end of a thought: eagerness is served as a window of silence.
EAGERNESS_SILENCE_MS = {"low": 1200, "medium": 700, "auto": 700, "high": 400}
MAX_OUTPUT_TOKENS = 4096
REALTIME, TRANSCRIPTION = "realtime", "transcription"
DEFAULT_TRANSCRIBER = "gpt-4o-transcribe"
_NO_REPLY = {"create_response": False, "interrupt_response": False}


def default_session(model: str) -> Json:
    """The configuration of a new session that answers."""
    return {
        "type": REALTIME,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": DEFAULT_INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "truncation": "auto",
        "tracing": None,
        "prompt": None,
        "include": None,
        "audio": {
            "input": _default_input(dict(SERVER_VAD), None),
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
        },
    }


def default_transcription(model: str | None = None) -> Json:
    """The configuration of a new session that only transcribes, with the transcriber `model`."""
    detection = {**SERVER_VAD, **_NO_REPLY}
    transcription = {"model": model or DEFAULT_TRANSCRIBER}
    return {"type": TRANSCRIPTION, "include": None, "audio": {"input": _default_input(detection, transcription)}}


def _default_input(turn_detection: Json, transcription: Json | None) -> Json:
    return {
        "format": {"type": "audio/pcm", "rate": 24000},
        "noise_reduction": None,
        "transcription": transcription,
        "turn_detection": turn_detection,
    }


def default_of(session: Json, model: str) -> Json:
    """The default configuration of a session of the type that `session` names; raises `ProtocolError` without one."""
    return default_session(model) if _type_of(session) == REALTIME else default_transcription()


def _type_of(session: Json) -> str:
    kind = session.get("type")
    if not isinstance(kind, str) or kind not in SESSIONS:
        raise missing("session.type") if kind is None else invalid_choice("session.type", kind, SESSIONS)
    return kind


def merged(current: Json, update: object, *, voice_locked: bool, model_open: bool = False) -> Json:
    """`current` with `update` applied; raises `ProtocolError` and changes nothing when any key is wrong.

    `model_open`: nobody has chosen the model yet, so that the update may.
    """
    if not isinstance(update, dict):
        raise invalid_type("session", "an object", update)
    kind = _type_of(update)
    if kind != current["type"]:
        message = f"Passing a {kind} session update event to a {current['type']} session is not allowed."
        raise ProtocolError(message, code="invalid_parameter", param="session.type")
    result = copy.deepcopy(current)
    merge(result, update, SESSIONS[kind], "session")
    if kind == TRANSCRIPTION:
        if (detection := result["audio"]["input"]["turn_detection"]) is not None:
            detection |= _NO_REPLY
        return result
    if result["model"] != current["model"] and not model_open:
        message = f"Cannot change the model of a session: it is {current['model']!r}."
        raise ProtocolError(message, code="cannot_update_model", param="session.model")
    voice = result["audio"]["output"]["voice"]
    if voice_locked and voice != current["audio"]["output"]["voice"]:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise ProtocolError(message, code="cannot_update_voice", param="session.audio.output.voice")
    return result


def shown(settings: Json, session_id: str, expires_at_s: int) -> Json:
    """The `session` object on the wire."""
    kind = "realtime.session" if settings["type"] == REALTIME else "realtime.transcription_session"
    return {"id": session_id, "object": kind, "expires_at": expires_at_s, **settings}


def audio_format(value: Mapping[str, Any], pcm_hz: int | None = None) -> AudioFormat:
    """The codec a validated `format` object names; `pcm_hz` is the rate of PCM, where it is not the object's."""
    found = FORMATS[value["type"]]
    return AudioFormat("pcm16", pcm_hz or int(value.get("rate", 24_000))) if found.encoding == "pcm16" else found


def silence_ms(turn_detection: Mapping[str, Any]) -> int:
    """Silence that ends a turn, for either kind of detection."""
    if turn_detection["type"] == "semantic_vad":
        return EAGERNESS_SILENCE_MS[turn_detection["eagerness"]]
    return int(turn_detection["silence_duration_ms"])


def _format(value: Any, param: str) -> Json:
    kind = value.get("type") if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(kind, str) or kind not in FORMATS:
        raise invalid_choice(f"{param}.type" if isinstance(value, dict) else param, kind, FORMATS)
    if kind != "audio/pcm":
        return {"type": kind}
    if value.get("rate") not in (None, 24000):
        raise invalid_choice(f"{param}.rate", value["rate"], [24000])
    return {"type": "audio/pcm", "rate": 24000}


def _modalities(value: Any, param: str) -> list[str]:
    if value not in (["audio"], ["text"]):
        message = f"Invalid modalities: {value!r}. Supported combinations are: ['text'] and ['audio']."
        raise ProtocolError(message, code="invalid_value", param=param)
    return list(value)


def _max_tokens(value: Any, param: str) -> int | str:
    if value == "inf":
        return "inf"
    return int(number(1, MAX_OUTPUT_TOKENS, whole=True)(value, param))


def _model(value: Any, param: str) -> str:
    name: str = text(value, param)
    if not name:
        raise ProtocolError(f"Invalid '{param}': empty string.", code="invalid_value", param=param)
    return name


def _voice(value: Any, param: str) -> Any:
    if isinstance(value, dict):
        return fields_of({"id": text}, required=("id",))(value, param)
    return choice(*VOICES)(value, param)


_SERVER_VAD_FIELDS: dict[str, Check] = {
    "type": text,
    "threshold": number(0.0, 1.0),
    "prefix_padding_ms": number(0, 5000, whole=True),
    "silence_duration_ms": number(0, 10000, whole=True),
    "idle_timeout_ms": nullable(number(5000, 30000, whole=True)),
    "create_response": flag,
    "interrupt_response": flag,
}
_SEMANTIC_VAD_FIELDS: dict[str, Check] = {
    "type": text,
    "eagerness": choice(*EAGERNESS_SILENCE_MS),
    "create_response": flag,
    "interrupt_response": flag,
}


_DETECTIONS = {
    "server_vad": fields_of(_SERVER_VAD_FIELDS, defaults=SERVER_VAD),
    "semantic_vad": fields_of(_SEMANTIC_VAD_FIELDS, defaults=SEMANTIC_VAD),
}


def _turn_detection(value: Any, param: str) -> Any:
    if not isinstance(value, dict):
        raise invalid_type(param, "an object or null", value)
    kind = value.get("type") or "server_vad"
    if not isinstance(kind, str) or kind not in _DETECTIONS:
        raise invalid_choice(f"{param}.type", kind, _DETECTIONS)
    return _DETECTIONS[kind](value, param)


_TRANSCRIPTION = fields_of(
    {
        "model": text,
        "language": text,
        "languages": list_of(text),
        "prompt": text,
        "keywords": list_of(text),
        "delay": choice("minimal", "low", "medium", "high", "xhigh"),
    },
    required=("model",),
)
_NOISE_REDUCTION = fields_of({"type": choice("near_field", "far_field"), "strength": number(0.0, 10.0)})
_REASONING = fields_of({"effort": choice("minimal", "low", "medium", "high", "xhigh")})
OUTPUT_AUDIO: dict[str, Check] = {"format": _format, "voice": _voice}
_INPUT_AUDIO: Json = {
    "format": _format,
    "noise_reduction": Continued(_NOISE_REDUCTION),
    "transcription": Continued(_TRANSCRIPTION),
    "turn_detection": Continued(_turn_detection, afresh="type", keeps=frozenset({"idle_timeout_ms"})),
}
_INCLUDE = nullable(list_of(choice("item.input_audio_transcription.logprobs")))
SESSIONS: dict[str, Json] = {
    REALTIME: {
        "type": text,
        "model": _model,
        "output_modalities": _modalities,
        "instructions": text,
        "tools": list_of(tool),
        "tool_choice": tool_choice,
        "parallel_tool_calls": flag,
        "max_output_tokens": _max_tokens,
        "reasoning": _REASONING,
        "truncation": anything,
        "tracing": nullable(anything),
        "prompt": nullable(anything),
        "include": _INCLUDE,
        "audio": {"input": _INPUT_AUDIO, "output": {**OUTPUT_AUDIO, "speed": number(0.25, 1.5)}},
    },
    TRANSCRIPTION: {"type": text, "include": _INCLUDE, "audio": {"input": _INPUT_AUDIO}},
}
"""What a session of each type may be told."""


def metadata(value: Any, param: str) -> dict[str, str] | None:
    """Up to 16 string pairs of at most 64 and 512 characters, or null."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    if len(value) > 16:
        message = f"Invalid '{param}': too many properties. Expected at most 16, but got {len(value)} instead."
        raise ProtocolError(message, code="object_above_max_properties", param=param)
    for key, item in given(value).items():
        if not isinstance(item, str):
            raise invalid_type(f"{param}.{key}", "a string", item)
        if len(key) > 64 or len(item) > 512:
            message = f"Invalid '{param}.{key[:64]}': keys may have 64 characters and values 512."
            raise ProtocolError(message, code="string_above_max_length", param=param)
    return given(value)


# What `response.create` may override; its `input`, `conversation` and `metadata` belong to the session.
RESPONSE: dict[str, Any] = {
    "output_modalities": _modalities,
    "instructions": text,
    "tools": list_of(tool),
    "tool_choice": tool_choice,
    "parallel_tool_calls": flag,
    "reasoning": _REASONING,
    "max_output_tokens": _max_tokens,
    "prompt": anything,
    "audio": {"output": OUTPUT_AUDIO},
}


def response_settings(session: Json, overrides: Json) -> Json:
    """The session's settings as one response sees them."""
    keys = ("output_modalities", "instructions", "tools", "tool_choice", "max_output_tokens")
    result: Json = {key: copy.deepcopy(session[key]) for key in keys}
    result["audio"] = {"output": copy.deepcopy(session["audio"]["output"])}
    merge(result, overrides, RESPONSE, "response")
    return result
