"""Gemini Live on the wire: one key to a message, JSON in binary frames, 16 kHz of the caller's audio.

What the session does and this protocol does not say (the end of speech, items, responses) is not sent. An interruption
is `interrupted`, then the end of the turn. Trap: SDKs write keys in either case, `realtime_input` beside `mimeType`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import orjson

from bench.server.access import RequestHeaders, SecretTerms, body_of
from bench.server.http_requests import HttpRequest
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError, invalid_type
from bench.server.protocol.commands import Event
from bench.server.protocol.shapes.shape import Shape

_PATH = "/ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent"
_CONSTRAINED = _PATH.format("v1alpha") + "Constrained"
"""Where sockets are opened with a short-lived token."""
_TOKEN = "auth_tokens/"
_SESSION_STARTS_S = 60
"""How long sessions may be opened with a token that does not say it,"""
_LONGEST_S = 72_000
"""and at the most."""
_INVALID = 1007
"""The close of a session whose setup cannot be taken."""
_URL_SAFE = str.maketrans("-_", "+/")
_HUMP = re.compile(r"_([a-z])")
_FREE = frozenset({"response", "args", "parameters", "parametersJsonSchema", "responseJsonSchema"})
"""Objects of the caller's own, whose keys are nobody's to change."""


class GeminiShape(Shape):
    """One connection of Gemini Live."""

    name = "gemini-live"
    paths: ClassVar[tuple[str, ...]] = (*(_PATH.format(each) for each in ("v1beta", "v1", "v1alpha")), _CONSTRAINED)
    secret_path = "/v1alpha/auth_tokens"
    secrets_hold_a_session = False
    pcm_in_hz = 16_000
    binary = True
    announces_end = True
    resumes = True

    def __init__(self) -> None:
        self._ready = False
        self._replying = False

    @classmethod
    def refusal(cls, headers: RequestHeaders) -> ProtocolError | None:
        return None

    @classmethod
    def secret_terms(cls, body: bytes) -> SecretTerms:
        """A token's terms. Trap: the ends of a token are instants; an open session is not cut off at `expireTime`."""
        asked = body_of(body)
        if asked.get("bidiGenerateContentSetup"):
            raise ProtocolError("Tokens of this server do not lock a setup.", code="invalid_argument")
        uses = asked.get("uses", 1)
        if isinstance(uses, bool) or not isinstance(uses, int) or uses < 0:
            raise invalid_type("uses", "a number of times, 0 for any", uses)
        starts = asked.get("newSessionExpireTime")
        left_s = _SESSION_STARTS_S if starts is None else _instant_s(starts, "newSessionExpireTime") - time.time()
        if not 0 < left_s < _LONGEST_S:
            raise ProtocolError("newSessionExpireTime must lie in the next 20 hours.", code="invalid_argument")
        if (ends := asked.get("expireTime")) is not None and _instant_s(ends, "expireTime") < time.time() + left_s - 1:
            raise ProtocolError("expireTime must not come before newSessionExpireTime.", code="invalid_argument")
        return SecretTerms({"type": config.REALTIME}, left_s, uses or None)

    @classmethod
    def secret_answer(cls, request: HttpRequest, made: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"name": _TOKEN + made["value"]}

    @classmethod
    def key_of(cls, request: HttpRequest) -> str | None:
        """The token of a call, in its query or its header; only the method for tokens takes one."""
        if request.path != _CONSTRAINED:
            return None
        scheme, _, said = request.headers.get("Authorization", "").partition(" ")
        token = request.query("access_token") or (said.strip() if scheme.lower() == "token" else "")
        return token.removeprefix(_TOKEN) or None

    # client -> session

    def incoming(self, message: object) -> Iterable[object]:
        if not isinstance(message, dict):
            raise invalid_type("message", "an object", message)
        out: list[object] = []
        for key, value in _camel(message).items():
            body = value if isinstance(value, dict) else {}
            if key == "setup":
                resumption = body.get("sessionResumption")
                if isinstance(resumption, dict):
                    out.append({"type": "session.resume", **resumption})
                out.append({"type": "session.update", "session": _session(body)})
            elif key == "realtimeInput":
                out += self._input(body)
            elif key == "clientContent":
                out += _typed(body)
            elif key == "toolResponse":
                out += _results(body)
            else:
                raise ProtocolError(f"Invalid JSON payload received. Unknown name {key!r}.", code="invalid_argument")
        return out

    def _input(self, body: Mapping[str, Any]) -> Iterable[object]:
        audio = body.get("audio")
        if isinstance(audio, dict):
            data = audio.get("data")
            # Google's own client writes base64 in the alphabet of URLs; the protocol takes either.
            standard = data.translate(_URL_SAFE) if isinstance(data, str) else data
            yield {"type": "input_audio_buffer.append", "audio": standard}
        if "activityStart" in body and self._replying:
            yield {"type": "response.cancel"}
        if "activityEnd" in body:
            yield {"type": "input_audio_buffer.commit"}
            yield {"type": "response.create"}

    # session -> client

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        match event["type"]:
            case "response.output_audio.delta":
                data = {"mimeType": "audio/pcm;rate=24000", "data": event["delta"]}
                return (_content(modelTurn={"role": "model", "parts": [{"inlineData": data}]}),)
            case "response.output_audio_transcript.delta":
                return (_content(outputTranscription={"text": event["delta"]}),)
            case "response.output_text.delta":
                return (_content(modelTurn={"role": "model", "parts": [{"text": event["delta"]}]}),)
            case "conversation.item.input_audio_transcription.completed":
                return (_content(inputTranscription={"text": event["transcript"], "finished": True}),)
            case "session.updated" if not self._ready:
                self._ready = True
                return ({"setupComplete": {"sessionId": event["session"]["id"]}},)
            case "response.created":
                self._replying = True
                return ()
            case "response.function_call_arguments.done":
                call = {"id": event["call_id"], "name": event["name"], "args": _object(event["arguments"])}
                return ({"toolCall": {"functionCalls": [call]}},)
            case "response.done":
                self._replying = False
                return self._done(event["response"])
            case "response.weather.delta":
                return ({"weather": {}},)
        return self._of_session(event)

    def _of_session(self, event: Event) -> Iterable[Mapping[str, Any]]:
        match event["type"]:
            case "session.resumable" if self._ready:
                return ({"sessionResumptionUpdate": {"newHandle": event["handle"], "resumable": True}},)
            case "session.ending":
                return ({"goAway": {"timeLeft": f"{event['left_ms'] / 1000:g}s"}},)
            case "error" if event["error"]["code"] != "session_expired":
                said = event["error"]["message"]
                if not self._ready:
                    self.leaving, self.closing = True, (_INVALID, said)
                return ({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": said}},)
        return ()  # a session that is too old is ended without a word: `goAway` was that

    def _done(self, response: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        if any(item["type"] == "function_call" for item in response["output"]):
            return ()  # the turn goes on with the result
        usage = response.get("usage")
        counted = {"usageMetadata": _usage(usage)} if usage else {}
        match response["status"]:
            case "completed":
                return (_content(generationComplete=True), {**_content(turnComplete=True), **counted})
            case "cancelled":
                return (_content(interrupted=True), {**_content(turnComplete=True), **counted})
        reason = "MAX_TOKENS" if response["status"] == "incomplete" else "RESPONSE_REJECTED"
        return ({**_content(turnComplete=True, turnCompleteReason=reason), **counted},)


def _instant_s(written: object, param: str) -> float:
    try:
        found = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise invalid_type(param, "an instant such as 2026-11-26T09:30:00Z", written)
    return found.timestamp()


def _content(**keys: Any) -> dict[str, Any]:
    return {"serverContent": keys}


def _camel(value: Any) -> Any:
    """Keys in the case of the wire, whichever case a client wrote them in."""
    if isinstance(value, dict):
        keys = ((key, _HUMP.sub(lambda hump: hump[1].upper(), key)) for key in value if isinstance(key, str))
        return {camel: value[key] if camel in _FREE else _camel(value[key]) for key, camel in keys}
    return [_camel(each) for each in value] if isinstance(value, list) else value


def _object(arguments: str) -> Any:
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(content: Any) -> str:
    parts = [_dict(part).get("text") for part in _list(_dict(content).get("parts"))]
    return " ".join(part for part in parts if isinstance(part, str))


def _session(setup: Mapping[str, Any]) -> dict[str, Any]:
    """The setup as the session inside is configured."""
    generation = _dict(setup.get("generationConfig"))
    realtime = _dict(setup.get("realtimeInputConfig"))
    activity = _dict(realtime.get("automaticActivityDetection"))
    detection: dict[str, Any] | None = None
    if activity.get("disabled") is not True:
        detection = {"type": "server_vad"}
        detection["interrupt_response"] = realtime.get("activityHandling") != "NO_INTERRUPTION"
        for ours, theirs in (("silence_duration_ms", "silenceDurationMs"), ("prefix_padding_ms", "prefixPaddingMs")):
            if theirs in activity:
                detection[ours] = activity[theirs]
    transcribes = {"model": "gemini"} if "inputAudioTranscription" in setup else None
    audio: dict[str, Any] = {"input": {"turn_detection": detection}}
    if transcribes is not None:
        audio["input"]["transcription"] = transcribes
    voice = _dict(_dict(_dict(generation.get("speechConfig")).get("voiceConfig")).get("prebuiltVoiceConfig"))
    if isinstance(name := voice.get("voiceName"), str):
        audio["output"] = {"voice": {"id": name}}
    out: dict[str, Any] = {"type": "realtime", "audio": audio}
    out["output_modalities"] = ["text"] if generation.get("responseModalities") == ["TEXT"] else ["audio"]
    if "maxOutputTokens" in generation:
        out["max_output_tokens"] = generation["maxOutputTokens"]
    if said := _words(setup.get("systemInstruction")):
        out["instructions"] = said
    declared = [each for tool in _list(setup.get("tools")) for each in _list(_dict(tool).get("functionDeclarations"))]
    if declared:
        out["tools"] = [_function(each) for each in declared if isinstance(each, dict)]
    return out


def _function(declared: Mapping[str, Any]) -> dict[str, Any]:
    """A function as the session inside has it: its parameters in this vendor's schema or in JSON Schema."""
    kept = {key: declared[key] for key in ("name", "description") if key in declared}
    parameters = declared.get("parametersJsonSchema", declared.get("parameters"))
    return {"type": "function", **kept, **({} if parameters is None else {"parameters": parameters})}


def _typed(body: Mapping[str, Any]) -> Iterable[object]:
    for turn in _list(body.get("turns")):
        if words := _words(turn):
            user = _dict(turn).get("role") != "model"
            part = {"type": "input_text" if user else "output_text", "text": words}
            item = {"type": "message", "role": "user" if user else "assistant", "content": [part]}
            yield {"type": "conversation.item.create", "item": item}
    if body.get("turnComplete") is not False:
        yield {"type": "response.create"}


def _results(body: Mapping[str, Any]) -> Iterable[object]:
    for each in _list(body.get("functionResponses")):
        output = orjson.dumps(_dict(each).get("response")).decode()
        item = {"type": "function_call_output", "call_id": _dict(each).get("id"), "output": output}
        yield {"type": "conversation.item.create", "item": item}
    yield {"type": "response.create"}


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    into, out = usage["input_token_details"], usage["output_token_details"]

    def details(counts: Mapping[str, Any]) -> list[dict[str, Any]]:
        kinds = (("TEXT", "text_tokens"), ("AUDIO", "audio_tokens"), ("IMAGE", "image_tokens"))
        return [{"modality": kind, "tokenCount": counts[key]} for kind, key in kinds if counts.get(key)]

    return {
        "promptTokenCount": usage["input_tokens"],
        "responseTokenCount": usage["output_tokens"],
        "totalTokenCount": usage["total_tokens"],
        "promptTokensDetails": details(into),
        "responseTokensDetails": details(out),
    }
