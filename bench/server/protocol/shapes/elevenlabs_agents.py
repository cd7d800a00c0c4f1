"""ElevenLabs Agents on the wire: payloads under a key of their type's own, pings, interruption by event.

An agent's formats are its own: one whose id ends with a format (`shop-ulaw_8000`) hears and speaks in it, any other in
`pcm_16000`. Its tools are its own too, so that a profile with `tools` calls them. A `first_message` is spoken first.
Trap: as the vendor's servers do, this one does not say when it heard the caller stop, nor when a reply is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

import orjson

from bench.server.access import RequestHeaders
from bench.server.http_requests import HttpRequest
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError, invalid_type
from bench.server.protocol.commands import Event
from bench.server.protocol.shapes.shape import Shape

MOST_UNANSWERED = 10
"""Pings without an answer after which the caller is let go."""
_RATES_HZ = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
_SIGNATURE = "conversation_signature"
_USUAL = "pcm_16000"
_FORMATS: dict[str, dict[str, Any]] = {
    **{f"pcm_{rate}": {"type": "audio/pcm", "rate": rate} for rate in _RATES_HZ},
    "ulaw_8000": {"type": "audio/pcmu"},
}
_IGNORED = frozenset({"user_activity", "feedback"})


class AgentsShape(Shape):
    """One conversation."""

    name = "elevenlabs-agents"
    paths: ClassVar[tuple[str, ...]] = ("/v1/convai/conversation",)
    model_keys: ClassVar[tuple[str, ...]] = ("agent_id",)
    secret_path = "/v1/convai/conversation/get-signed-url"
    secret_method = "GET"
    secrets_hold_a_session = False
    beat_ms: ClassVar[int | None] = 2_000

    def __init__(self) -> None:
        self._format = _USUAL
        self._ready = False
        self._audio_events = 0
        self._heard_up_to = 0
        """The newest audio event that was interrupted."""
        self._words: list[str] = []
        """Of the reply under way."""
        self._pings = self._pongs = 0

    @classmethod
    def secret_answer(cls, request: HttpRequest, made: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = urlencode({"agent_id": request.query("agent_id") or "", _SIGNATURE: made["value"]})
        return {"signed_url": f"ws://{request.headers.get('Host', '')}{cls.paths[0]}?{asked}"}

    @classmethod
    def key_of(cls, request: HttpRequest) -> str | None:
        return request.query(_SIGNATURE)

    @classmethod
    def refusal(cls, headers: RequestHeaders) -> ProtocolError | None:
        return None

    def settings(self, default: config.Json) -> config.Json:
        agent = str(default.get("model"))
        self._format = next((word for word in _FORMATS if agent.endswith(word)), _USUAL)
        wire = _FORMATS[self._format]
        self.pcm_in_hz = wire.get("rate", 8_000)
        default["audio"]["input"] |= {"format": wire, "transcription": {"model": "scribe"}}
        default["audio"]["output"]["format"] = wire
        default["tools"] = [{"type": "function", "name": "agent_tool", "parameters": {"type": "object"}}]
        return default

    def beat(self, elapsed_s: float) -> Iterable[Mapping[str, Any]]:
        if not self._ready:
            return ()
        if self._pings - self._pongs >= MOST_UNANSWERED:
            raise ProtocolError("Pings were not answered.", code="no_pong")
        self._pings += 1
        return ({"type": "ping", "ping_event": {"event_id": self._pings, "ping_ms": None}},)

    # client -> session

    def incoming(self, message: object) -> Iterable[object]:
        if not isinstance(message, dict):
            raise invalid_type("message", "an object", message)
        if "user_audio_chunk" in message:
            return ({"type": "input_audio_buffer.append", "audio": message["user_audio_chunk"]},)
        kind = message.get("type")
        if not isinstance(kind, str):
            raise invalid_type("type", "a string", kind)
        if kind == "conversation_initiation_client_data":
            return _session(_dict(message.get("conversation_config_override")))
        if kind == "client_tool_result":
            item = {"type": "function_call_output", "call_id": message.get("tool_call_id")}
            result = message.get("result")
            output = result if isinstance(result, str) else orjson.dumps(result).decode()
            return (
                {"type": "conversation.item.create", "item": {**item, "output": output}},
                {"type": "response.create"},
            )
        if kind == "user_message":
            return (_typed("user", message.get("text")), {"type": "response.create"})
        if kind == "contextual_update":
            return (_typed("system", message.get("text")),)
        if kind == "pong":
            self._pongs += 1
            return ()
        if kind in _IGNORED:
            return ()
        raise ProtocolError(f"Unknown message type {kind!r}.", code="invalid_message")

    # session -> client

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        match event["type"]:
            case "session.updated" if not self._ready:
                self._ready = True
                return (self._metadata(event["session"]["id"]),)
            case "response.output_audio.delta":
                self._audio_events += 1
                return (_event("audio", "audio_event", audio_base_64=event["delta"], event_id=self._audio_events),)
            case "response.output_audio_transcript.delta":
                first = [] if self._words else [_part("start", "")]
                self._words.append(event["delta"])
                return (*first, _part("delta", event["delta"]))
            case "response.output_audio_transcript.done" if self._words:
                said = event["transcript"]
                return _part("stop", ""), _event("agent_response", "agent_response_event", agent_response=said)
            case "conversation.item.input_audio_transcription.completed":
                said = event["transcript"]
                return (_event("user_transcript", "user_transcription_event", user_transcript=said),)
            case "input_audio_buffer.speech_started" if self._audio_events > self._heard_up_to:
                self._heard_up_to = self._audio_events
                return (_event("interruption", "interruption_event", event_id=self._audio_events),)
            case "response.function_call_arguments.done":
                call = {"tool_name": event["name"], "tool_call_id": event["call_id"]}
                return ({"type": "client_tool_call", "client_tool_call": {**call, "parameters": _object(event)}},)
            case "response.done":
                return self._done(event["response"])
            case "error":
                return (_client_error(1008, event["error"]["message"], event["error"]["type"]),)
            case "response.weather.delta":
                return ({"type": "weather"},)
        return ()

    def _metadata(self, session_id: str) -> Mapping[str, Any]:
        formats = dict.fromkeys(("agent_output_audio_format", "user_input_audio_format"), self._format)
        key = "conversation_initiation_metadata"
        return _event(key, f"{key}_event", conversation_id=session_id, **formats)

    def _done(self, response: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        said, self._words = "".join(self._words), []
        if response["status"] == "cancelled" and said:
            corrected = {"original_agent_response": said, "corrected_agent_response": said}
            return (_event("agent_response_correction", "agent_response_correction_event", **corrected),)
        if response["status"] == "failed":
            error = _dict(_dict(response["status_details"]).get("error"))
            return (_client_error(500, error.get("message"), error.get("code")),)
        return ()


def _event(kind: str, key: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, key: fields}


def _part(kind: str, words: str) -> dict[str, Any]:
    return {"type": "agent_chat_response_part", "text_response_part": {"text": words, "type": kind}}


def _client_error(code: int, message: object, kind: object) -> dict[str, Any]:
    return _event("client_error", "client_error_event", code=code, message=message, error_type=kind)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _object(event: Event) -> Any:
    try:
        return orjson.loads(event["arguments"])
    except orjson.JSONDecodeError:
        return {}


def _typed(role: str, words: object) -> dict[str, Any]:
    part = {"type": "input_text", "text": words}
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": role, "content": [part]},
    }


def _session(override: Mapping[str, Any]) -> Iterable[object]:
    """What the caller overrides of the agent, and its first message."""
    agent = _dict(override.get("agent"))
    session: dict[str, Any] = {"type": "realtime"}
    if isinstance(prompt := _dict(agent.get("prompt")).get("prompt"), str):
        session["instructions"] = prompt
    if isinstance(voice := _dict(override.get("tts")).get("voice_id"), str):
        session["audio"] = {"output": {"voice": {"id": voice}}}
    yield {"type": "session.update", "session": session}
    if isinstance(first := agent.get("first_message"), str) and first:
        yield {"type": "response.create", "response": {"instructions": f"Say: {first}"}}
