"""The beta shape of 2024 on the wire: a flat session, `response.audio.*`, `conversation.item.created`.

It serves callers with and without the header `OpenAI-Beta`, at the paths where servers of this shape have it. A
short-lived key comes with the session that was asked for (`POST /v1/realtime/sessions`).
Trap: the beta had no `conversation.item.done` and no split of cached tokens by modality, so neither is sent. A
temperature that a key was made with is told in the answer and not kept: sessions begin with the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from bench.server.access import RequestHeaders, SecretTerms, body_of, lifetime_s_of
from bench.server.http_requests import HttpRequest
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, unknown
from bench.server.protocol.commands import Event
from bench.server.protocol.shapes.shape import Shape

_EVENTS = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "conversation.item.added": "conversation.item.created",
}
_NOT_SENT = frozenset({"conversation.item.done"})
_FORMATS: dict[str, dict[str, Any]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_WORDS = {each["type"]: word for word, each in _FORMATS.items()}
_PLACES: dict[str, tuple[str, ...]] = {
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
    "input_audio_format": ("audio", "input", "format"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
}
"""A key of the flat session, and where the nested one has it."""
_SAME = frozenset({"instructions", "tools", "tool_choice", "model", "include", "tracing", "prompt", "truncation"})
_OF_RESPONSE = frozenset({"conversation", "metadata", "input"})
_OWN_PARTS = {"text": {"user": "input_text", "system": "input_text", "assistant": "output_text"}}


KEY_LASTS_S = 60
"""How long sessions may be opened with a short-lived key that was asked for without a time."""
_VOICE = "alloy"


class BetaShape(Shape):
    """One connection in the beta shape."""

    name = "openai-beta"
    paths = ("/v1/realtime", "/openai/realtime")
    model_keys = ("model", "deployment")
    secret_path: ClassVar[str | None] = "/v1/realtime/sessions"

    own_voices = False
    """Whether the vendor has voices of its own: any name is taken, and told back as it was asked for."""

    def __init__(self) -> None:
        self.temperature: float = 0.8
        self._voice: Any = None
        """The newest voice that was asked for, by a session or by a response,"""
        self._session_voice: Any = None
        """and the session's."""

    @classmethod
    def refusal(cls, headers: RequestHeaders) -> ProtocolError | None:
        return None

    def settings(self, default: config.Json) -> config.Json:
        if default["type"] == config.REALTIME:
            default["audio"]["output"]["voice"] = _VOICE
        return default

    @classmethod
    def secret_terms(cls, body: bytes) -> SecretTerms:
        asked = body_of(body)
        wanted = asked.pop("client_secret", None)
        if wanted is not None and not isinstance(wanted, dict):
            raise invalid_type("client_secret", "an object", wanted)
        nested = cls().nested({"voice": _VOICE, **asked}, "session")
        after = (wanted or {}).get("expires_after")
        lasts_s = lifetime_s_of(after, "client_secret.expires_after", KEY_LASTS_S)
        return SecretTerms({"type": config.REALTIME, **nested}, lasts_s)

    @classmethod
    def secret_answer(cls, request: HttpRequest, made: Mapping[str, Any]) -> Mapping[str, Any]:
        shape = cls()
        shape.nested({key: value for key, value in body_of(request.body).items() if key == "temperature"}, "session")
        secret = {"value": made["value"], "expires_at": made["expires_at"]}
        return {**shape.flat(made["session"]), "client_secret": secret}

    # client -> session

    def incoming(self, message: object) -> Iterable[object]:
        if not isinstance(message, dict):
            return (message,)
        kind = message.get("type")
        if kind == "session.update" and isinstance(message.get("session"), dict):
            session = {"type": "realtime", **self.nested(message["session"], "session")}
            return ({**message, "session": session},)
        if kind == "response.create" and isinstance(message.get("response"), dict):
            asked = message["response"]
            aside = {key: value for key, value in asked.items() if key in _OF_RESPONSE}
            own = {key: value for key, value in asked.items() if key not in _OF_RESPONSE}
            nested = self.nested(own, "response", lasting=False)
            if isinstance(brought := aside.get("input"), list):
                aside["input"] = [_ga_item(item) for item in brought]
            return ({**message, "response": {**nested, **aside}},)
        if kind == "conversation.item.create" and isinstance(message.get("item"), dict):
            return ({**message, "item": _ga_item(message["item"])},)
        return (message,)

    def nested(self, asked: Mapping[str, Any], path: str, *, lasting: bool = True) -> dict[str, Any]:
        """The flat keys of a session or a response as the session inside has them."""
        out: dict[str, Any] = {}
        for key, value in asked.items():
            param = f"{path}.{key}"
            if key == "temperature":
                self._heat(value, param, lasting=lasting)
            elif key == "max_output_tokens" and not lasting:
                out[key] = value
            elif key in _PLACES:
                *way, last = _PLACES[key]
                inner = out
                for step in way:
                    inner = inner.setdefault(step, {})
                inner[last] = self._value(key, value, param)
                if key == "voice" and lasting:
                    self._session_voice = value if self.own_voices else None
            elif key in _SAME:
                out[key] = value
            else:
                raise unknown(param)
        return out

    def _value(self, key: str, value: Any, param: str) -> Any:
        if value is None:
            return None
        if key == "modalities":
            return _modality(value, param)
        if key.endswith("_audio_format"):
            return self.format_of(key, value, param)
        if key == "voice" and self.own_voices:
            self._voice = value
            return {"id": _voice_name(value, param)}
        return value

    def format_of(self, key: str, value: Any, param: str) -> dict[str, Any]:
        """The format that a word of this shape means."""
        if not isinstance(value, str) or value not in _FORMATS:
            raise invalid_choice(param, value, _FORMATS)
        return _FORMATS[value]

    def word_of(self, key: str, value: Mapping[str, Any]) -> str:
        """The word of this shape for a format."""
        return _WORDS[value["type"]]

    def _heat(self, value: Any, param: str, *, lasting: bool) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid_type(param, "a decimal", value)
        if not 0.6 <= value <= 1.2:
            said = f"Invalid '{param}': decimal out of range. Expected a value from 0.6 to 1.2, but got {value}."
            raise ProtocolError(said, code="decimal_out_of_range", param=param)
        if lasting:
            self.temperature = float(value)

    # session -> client

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        kind = event["type"]
        if kind in _NOT_SENT:
            return ()
        if kind.endswith(".delta"):
            return ({**event, "type": _EVENTS.get(kind, kind)},)
        out = {**event, "type": _EVENTS.get(kind, kind)}
        if "session" in event:
            out["session"] = self.flat(event["session"])
        elif kind in ("response.created", "response.done"):
            out["response"] = self._response(event["response"])
        elif "item" in event:
            out["item"] = _beta_item(event["item"])
        elif kind == "error":
            out["error"] = _beta_error(event["error"])
        return (out,)

    def flat(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """The effective configuration in this shape."""
        out = {key: value for key, value in session.items() if key not in {"audio", "type"}}
        out["temperature"] = self.temperature
        for key, (*way, last) in _PLACES.items():
            inner: Any = session
            for step in way:
                inner = inner.get(step, {})
            if last in inner:
                out[key] = self._shown(key, inner[last])
        for place in _PLACES.values():
            if len(place) == 1:
                out.pop(place[0], None)
        return out

    def _shown(self, key: str, value: Any) -> Any:
        if key == "modalities":
            return ["text"] if value == ["text"] else ["text", "audio"]
        if key == "voice":
            return self._session_voice or value
        return self.word_of(key, value) if key.endswith("_audio_format") else value

    def _response(self, response: Mapping[str, Any]) -> dict[str, Any]:
        out = {key: value for key, value in response.items() if key not in {"audio", "output_modalities"}}
        spoken = response["audio"]["output"]
        out |= {
            "object": "realtime.response",
            "modalities": self._shown("modalities", response["output_modalities"]),
            "voice": self._voice or spoken["voice"],
            "output_audio_format": self.word_of("output_audio_format", spoken["format"]),
            "temperature": self.temperature,
            "output": [_beta_item(item) for item in response["output"]],
        }
        if isinstance(usage := response.get("usage"), dict):
            out["usage"] = _beta_usage(usage)
        return out


def _voice_name(value: Any, param: str) -> str:
    """A voice by its name, or by an object that holds one."""
    name = value.get("name") if isinstance(value, dict) else value
    if not isinstance(name, str) or not name:
        raise ProtocolError(f"Invalid voice: {value!r}. Expected a name.", code="invalid_value", param=param)
    return name


def _modality(value: Any, param: str) -> list[str]:
    if not isinstance(value, list) or sorted(map(str, value)) not in (["text"], ["audio", "text"]):
        said = f"Invalid modalities: {value!r}. Supported combinations are: ['text'] and ['audio', 'text']."
        raise ProtocolError(said, code="invalid_value", param=param)
    return ["text"] if len(value) == 1 else ["audio"]


def _ga_item(item: Any) -> Any:
    """A client's item with the nested shape's names of its parts; one that is none goes on to be refused."""
    if not isinstance(item, dict) or not isinstance(item.get("content"), list):
        return item
    role = item.get("role")
    return {**item, "content": [_ga_part(part, role) for part in item["content"]]}


def _ga_part(part: Any, role: Any) -> Any:
    if not isinstance(part, dict) or not isinstance(kind := part.get("type"), str):
        return part
    renamed = _OWN_PARTS.get(kind, {}).get(role) if isinstance(role, str) else None
    return {**part, "type": "output_audio" if kind == "audio" else renamed or kind}


def _beta_item(item: Mapping[str, Any]) -> dict[str, Any]:
    if "content" not in item:
        return dict(item)
    names = {"output_text": "text", "output_audio": "audio"}
    return {**item, "content": [{**part, "type": names.get(part["type"], part["type"])} for part in item["content"]]}


def _beta_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Counts as the old types have them: one cached total, no pictures."""
    into = usage["input_token_details"]
    kept = {key: into[key] for key in ("text_tokens", "audio_tokens", "cached_tokens")}
    return {**usage, "input_token_details": kept}


def _beta_error(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """An error about a parameter, under the name by which this client knows it."""
    param = error.get("param")
    if not isinstance(param, str):
        return error
    places = list(_PLACES.items())
    if error.get("code") == "unknown_parameter":  # a key of the nested shape that this one does not have
        places = [(flat, place) for flat, place in places if len(place) > 1]
    for flat, place in places:
        for owner in ("session", "response"):
            ga, beta = ".".join((owner, *place)), f"{owner}.{flat}"
            if param == ga or param.startswith(f"{ga}."):
                named = beta + param.removeprefix(ga)
                return {**error, "param": named, "message": str(error["message"]).replace(param, named)}
    return error
