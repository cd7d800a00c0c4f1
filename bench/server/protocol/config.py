"""A session's configuration: defaults, partial updates with validation, and the effective object on the wire.

In: the `session` of a `session.update` (or of a client secret). Out: a new configuration, or a `ProtocolError` that
names the parameter. An update changes only the keys it holds; nested objects merge, lists and `null` replace.
Trap: `turn_detection: null` is a value (manual turns), a missing key is "leave as it is".
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from bench.audio.formats import AudioFormat
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing, unknown

Json = dict[str, Any]
Check = Callable[[Any, str], Any]

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


def default_session(model: str) -> Json:
    """The configuration of a new session."""
    return {
        "type": "realtime",
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
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": None,
                "transcription": None,
                "turn_detection": dict(SERVER_VAD),
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
        },
    }


def merged(current: Json, update: object, *, voice_locked: bool) -> Json:
    """`current` with `update` applied; raises `ProtocolError` and changes nothing when any key is wrong."""
    if not isinstance(update, dict):
        raise invalid_type("session", "an object", update)
    if "type" not in update:
        raise missing("session.type")
    if update["type"] != "realtime":
        raise invalid_choice("session.type", update["type"], ["realtime"])
    if "model" in update and update["model"] != current["model"]:
        message = f"Cannot change the model of a session: it is {current['model']!r}."
        raise ProtocolError(message, code="cannot_update_model", param="session.model")
    result = copy.deepcopy(current)
    _merge(result, update, SESSION, "session")
    voice = result["audio"]["output"]["voice"]
    if voice_locked and voice != current["audio"]["output"]["voice"]:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise ProtocolError(message, code="cannot_update_voice", param="session.audio.output.voice")
    return result


def audio_format(value: Mapping[str, Any]) -> AudioFormat:
    """The codec a validated `format` object names."""
    return FORMATS[value["type"]]


def silence_ms(turn_detection: Mapping[str, Any]) -> int:
    """Silence that ends a turn, for either kind of detection."""
    if turn_detection["type"] == "semantic_vad":
        return EAGERNESS_SILENCE_MS[turn_detection["eagerness"]]
    return int(turn_detection["silence_duration_ms"])


def _merge(target: Json, update: Json, schema: Mapping[str, Any], path: str) -> None:
    for key, value in update.items():
        param = f"{path}.{key}"
        rule = schema.get(key)
        if rule is None:
            raise unknown(param)
        if isinstance(rule, dict):
            if not isinstance(value, dict):
                raise invalid_type(param, "an object", value)
            _merge(target[key], value, rule, param)
        else:
            target[key] = rule(_completed(value, target[key]) if key == "turn_detection" else value, param)


def _completed(detection: Any, known: Json | None) -> Any:
    """A turn detection with the keys of the present one, if that is of the same type."""
    if known is None or not isinstance(detection, dict) or detection.get("type", "server_vad") != known["type"]:
        return detection
    return {**known, **detection}


def _typed(kind: type, name: str) -> Check:
    def check(value: Any, param: str) -> Any:
        if not isinstance(value, kind):
            raise invalid_type(param, name, value)
        return value

    return check


_text, _flag = _typed(str, "a string"), _typed(bool, "a boolean")


def _choice(*allowed: str) -> Check:
    def check(value: Any, param: str) -> str:
        if value not in allowed:
            raise invalid_choice(param, value, allowed)
        return str(value)

    return check


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """Checks for a number from `low` to `high`."""
    kinds = (int,) if whole else (int, float)

    def check(value: Any, param: str) -> float:
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise invalid_type(param, "an integer" if whole else "a number", value)
        if not low <= value <= high:
            bound = "integer below minimum value" if value < low else "integer above maximum value"
            raise ProtocolError(
                f"Invalid '{param}': {bound if whole else bound.replace('integer', 'decimal')}. "
                f"Expected a value from {low:g} to {high:g}, but got {value} instead.",
                code="integer_out_of_range" if whole else "decimal_out_of_range",
                param=param,
            )
        return value

    return check


def _nullable(check: Check) -> Check:
    return lambda value, param: None if value is None else check(value, param)


def _object(fields: Mapping[str, Check], *, required: tuple[str, ...] = (), defaults: Json | None = None) -> Check:
    def check(value: Any, param: str) -> Json:
        if not isinstance(value, dict):
            raise invalid_type(param, "an object", value)
        for key in required:
            if key not in value:
                raise missing(f"{param}.{key}")
        result = dict(defaults or {})
        for key, item in value.items():
            if key not in fields:
                raise unknown(f"{param}.{key}")
            result[key] = fields[key](item, f"{param}.{key}")
        return result

    return check


def _list_of(check: Check) -> Check:
    def check_list(value: Any, param: str) -> list[Any]:
        if not isinstance(value, list):
            raise invalid_type(param, "an array", value)
        return [check(item, f"{param}[{index}]") for index, item in enumerate(value)]

    return check_list


def _anything(value: Any, _param: str) -> Any:
    return value


def _format(value: Any, param: str) -> Json:
    kind = value.get("type") if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(kind, str) or kind not in FORMATS:
        raise invalid_choice(f"{param}.type" if isinstance(value, dict) else param, kind, FORMATS)
    if kind != "audio/pcm":
        return {"type": kind}
    if value.get("rate", 24000) != 24000:
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


def _voice(value: Any, param: str) -> Any:
    if isinstance(value, dict):
        return _object({"id": _text}, required=("id",))(value, param)
    return _choice(*VOICES)(value, param)


_SERVER_VAD_FIELDS: dict[str, Check] = {
    "type": _text,
    "threshold": number(0.0, 1.0),
    "prefix_padding_ms": number(0, 5000, whole=True),
    "silence_duration_ms": number(0, 10000, whole=True),
    "idle_timeout_ms": _nullable(number(5000, 30000, whole=True)),
    "create_response": _flag,
    "interrupt_response": _flag,
}
_SEMANTIC_VAD_FIELDS: dict[str, Check] = {
    "type": _text,
    "eagerness": _choice(*EAGERNESS_SILENCE_MS),
    "create_response": _flag,
    "interrupt_response": _flag,
}


_DETECTIONS = {
    "server_vad": _object(_SERVER_VAD_FIELDS, defaults=SERVER_VAD),
    "semantic_vad": _object(_SEMANTIC_VAD_FIELDS, defaults=SEMANTIC_VAD),
}


def _turn_detection(value: Any, param: str) -> Any:
    if not isinstance(value, dict):
        raise invalid_type(param, "an object or null", value)
    kind = value.get("type", "server_vad")
    if not isinstance(kind, str) or kind not in _DETECTIONS:
        raise invalid_choice(f"{param}.type", kind, _DETECTIONS)
    return _DETECTIONS[kind](value, param)


def _tool(value: Any, param: str) -> Any:
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    if value.get("type") != "function":
        raise invalid_choice(f"{param}.type", value.get("type"), ["function"])
    fields: dict[str, Check] = {"type": _text, "name": _text, "description": _text, "parameters": _anything}
    return _object(fields, required=("name",))(value, param)


def _tool_choice(value: Any, param: str) -> Any:
    if isinstance(value, dict):
        return _object({"type": _choice("function"), "name": _text}, required=("type", "name"))(value, param)
    return _choice("auto", "none", "required")(value, param)


_TRANSCRIPTION = _object(
    {
        "model": _text,
        "language": _text,
        "languages": _list_of(_text),
        "prompt": _text,
        "keywords": _list_of(_text),
        "delay": _choice("minimal", "low", "medium", "high", "xhigh"),
    },
    required=("model",),
)
_NOISE_REDUCTION = _object({"type": _choice("near_field", "far_field"), "strength": number(0.0, 10.0)})
_REASONING = _object({"effort": _choice("minimal", "low", "medium", "high", "xhigh")})
OUTPUT_AUDIO: dict[str, Check] = {"format": _format, "voice": _voice}
SESSION: dict[str, Any] = {
    "type": _text,
    "model": _text,
    "output_modalities": _modalities,
    "instructions": _text,
    "tools": _list_of(_tool),
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _flag,
    "max_output_tokens": _max_tokens,
    "reasoning": _nullable(_REASONING),
    "truncation": _anything,
    "tracing": _anything,
    "prompt": _anything,
    "include": _nullable(_list_of(_choice("item.input_audio_transcription.logprobs"))),
    "audio": {
        "input": {
            "format": _format,
            "noise_reduction": _nullable(_NOISE_REDUCTION),
            "transcription": _nullable(_TRANSCRIPTION),
            "turn_detection": _nullable(_turn_detection),
        },
        "output": {**OUTPUT_AUDIO, "speed": number(0.25, 1.5)},
    },
}


def metadata(value: Any, param: str) -> dict[str, str] | None:
    """Up to 16 string pairs of at most 64 and 512 characters, or null."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    if len(value) > 16:
        message = f"Invalid '{param}': too many properties. Expected at most 16, but got {len(value)} instead."
        raise ProtocolError(message, code="object_above_max_properties", param=param)
    for key, item in value.items():
        if not isinstance(item, str):
            raise invalid_type(f"{param}.{key}", "a string", item)
        if len(key) > 64 or len(item) > 512:
            message = f"Invalid '{param}.{key[:64]}': keys may have 64 characters and values 512."
            raise ProtocolError(message, code="string_above_max_length", param=param)
    return dict(value)


# What `response.create` may override; its `input`, `conversation` and `metadata` belong to the session.
RESPONSE: dict[str, Any] = {
    "output_modalities": _modalities,
    "instructions": _text,
    "tools": _list_of(_tool),
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _flag,
    "reasoning": _nullable(_REASONING),
    "max_output_tokens": _max_tokens,
    "prompt": _anything,
    "audio": {"output": OUTPUT_AUDIO},
}


def response_settings(session: Json, overrides: Json) -> Json:
    """The session's settings as one response sees them."""
    keys = ("output_modalities", "instructions", "tools", "tool_choice", "max_output_tokens")
    result: Json = {key: copy.deepcopy(session[key]) for key in keys}
    result["audio"] = {"output": copy.deepcopy(session["audio"]["output"])}
    _merge(result, overrides, RESPONSE, "response")
    return result
