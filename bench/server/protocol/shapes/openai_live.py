"""OpenAI Live on the wire: audio all the time, in both directions, and nothing about turns.

While nobody is replying, silence is sent in real time. A reply's own audio goes out as the engine sends it: a profile
with `delivery_speed: 1` is as fast as the vendor's. Trap: what the session says of speech, items and responses has no
word here, so that a reply that is interrupted just falls silent.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from bench.server.access import RequestHeaders
from bench.server.http_requests import HttpRequest
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing
from bench.server.protocol.commands import Event
from bench.server.protocol.shapes.shape import Shape

BEAT_MS = 100
USAGE_EVERY_BEATS = 50
_RATES_HZ = {"audio/pcm": (16_000, 24_000), "audio/pcmu": (8_000,), "audio/pcma": (8_000,)}
_SILENCE = {"audio/pcm": b"\x00\x00", "audio/pcmu": b"\xff", "audio/pcma": b"\xd5"}
_MUTES = {"session.input_audio.mute": True, "session.input_audio.unmute": False}
_COMMENTARY = "session.commentary.append"
_TOLD = frozenset({"session.instructions.append", "session.thinking.append", _COMMENTARY})
_KEYS = frozenset({"model", "instructions", "audio", "delegation", "input", "store", "safety_identifier", "triggers"})


class LiveShape(Shape):
    """One connection."""

    name = "openai-live"
    paths: ClassVar[tuple[str, ...]] = ("/v1/live/sessions",)
    beat_ms: ClassVar[int | None] = BEAT_MS

    def __init__(self) -> None:
        self._started: dict[str, Any] | None = None
        """The session as it was told when it started."""
        self._format: dict[str, Any] = {"type": "audio/pcm", "rate": 24_000}
        self._replying = False
        self._delegates = False
        """Tools are called by a model behind, which the profile's `tools` play."""
        self._delegation: str | None = None
        self._muted = False
        self._answers: list[Mapping[str, Any]] = []
        """To the message that was just read."""
        self._updating: dict[str, Any] = {}
        """What the answer to an update says of the message that asked for it."""
        self._beats = self._events = 0
        self._elapsed_ms = 0

    @classmethod
    def refusal(cls, headers: RequestHeaders) -> ProtocolError | None:
        return None

    @classmethod
    def model_of(cls, request: HttpRequest) -> str | None:
        return None

    def settings(self, default: config.Json) -> config.Json:
        default["audio"]["input"]["transcription"] = {"model": "gpt-live-transcribe"}
        return default

    def settled(self, settings: config.Json) -> config.Json:
        if self._format["type"] == "audio/pcm":
            settings["audio"]["output"]["format"] = dict(self._format)
        return settings

    def beat(self, elapsed_s: float) -> Iterable[Mapping[str, Any]]:
        self._elapsed_ms = round(elapsed_s * 1000)
        if self._started is None:
            return
        if not self._replying:
            samples = int(self._format["rate"]) * BEAT_MS // 1000
            yield _audio(base64.b64encode(_SILENCE[self._format["type"]] * samples).decode())
        self._beats += 1
        if self._beats % USAGE_EVERY_BEATS == 0:
            yield self._event("session.usage.updated", usage={"seconds": round(elapsed_s, 3)})

    def answers(self) -> Iterable[Mapping[str, Any]]:
        given, self._answers = self._answers, []
        return given

    def farewell(self, elapsed_s: float) -> Iterable[Mapping[str, Any]]:
        usage = {"seconds": round(elapsed_s, 3)}
        return (self._event("session.closed", reason="close_requested", session=self._started, usage=usage),)

    # client -> session

    def incoming(self, message: object) -> Iterable[object]:
        if not isinstance(message, dict):
            raise invalid_type("message", "an object", message)
        kind = message.get("type")
        if not isinstance(kind, str):
            raise missing("type") if kind is None else invalid_type("type", "a string", kind)
        if kind == "session.start":
            if self._started is not None:
                raise ProtocolError("The session has started already.", code="session_already_started")
            return ({"type": "session.update", "session": self._session(message.get("session")), **_id(message)},)
        if self._started is None:
            raise ProtocolError("Send session.start first.", code="session_not_started")
        if kind == "session.close":
            self.leaving = True
            return ()
        if kind in _TOLD:
            return self._told(kind, message)
        if kind in _MUTES:
            self._muted = _MUTES[kind]
            self._answers.append(self._event(f"{kind}d", **_cause(message)))
            return ()
        return (self._translated(kind, message),)

    def _translated(self, kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """A message that has its like in the session inside."""
        if kind == "session.input_audio.append":
            heard = message.get("audio")
            said = _silence_of(self._format["type"], heard) if self._muted else heard
            return {"type": "input_audio_buffer.append", "audio": said, **_id(message)}
        if kind == "session.update":
            return self._update(message)
        if kind not in {"response.item.create", "response.create"}:
            raise ProtocolError(f"Unknown event {kind!r}.", code="unknown_event", param="type")
        if not self._delegates:
            raise ProtocolError("This session delegates to its application.", code="invalid_request")
        if kind == "response.create":
            return {"type": "response.create", **_id(message)}
        return {"type": "conversation.item.create", "item": message.get("item"), **_id(message)}

    def _session(self, asked: object) -> dict[str, Any]:
        if not isinstance(asked, dict):
            raise invalid_type("session", "an object", asked)
        if unknown := [key for key in asked if key not in _KEYS]:
            raise ProtocolError(f"Unknown parameter: 'session.{unknown[0]}'.", code="unknown_parameter")
        if not isinstance(asked.get("model"), str):
            raise missing("session.model")
        audio = asked.get("audio")
        audio = audio if isinstance(audio, dict) else {}
        wanted = audio.get("format", self._format)
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        if not isinstance(wanted, dict) or not isinstance(kind, str) or kind not in _RATES_HZ:
            raise invalid_choice("session.audio.format.type", kind, _RATES_HZ)
        if wanted.get("rate") not in _RATES_HZ[kind]:
            raise invalid_choice("session.audio.format.rate", wanted.get("rate"), _RATES_HZ[kind])
        self._format = {"type": kind, "rate": wanted["rate"]}
        self.pcm_in_hz = int(wanted["rate"])
        own = {"type": kind}
        out: dict[str, Any] = {"type": "realtime", "model": asked["model"], "audio": {"input": {"format": own}}}
        out["audio"]["output"] = {"format": own}
        output = audio.get("output")
        if isinstance(output, dict) and output.get("voice") is not None:
            out["audio"]["output"]["voice"] = output["voice"]
        if asked.get("instructions") is not None:
            out["instructions"] = asked["instructions"]
        delegation = asked.get("delegation")
        if isinstance(delegation, dict) and delegation.get("type") == "responses":
            behind = delegation.get("responses")
            if not isinstance(behind, dict) or not isinstance(behind.get("model"), str):
                raise missing("session.delegation.responses.model")
            self._delegates = True
            out |= {key: behind[key] for key in ("tools", "tool_choice") if behind.get(key) is not None}
        return out

    def _told(self, kind: str, message: Mapping[str, Any]) -> Iterable[object]:
        """Context that the application gives. Commentary asks for speech, unless the model speaks already."""
        content = message.get("content")
        if not isinstance(content, str):
            raise missing("content") if content is None else invalid_type("content", "a string", content)
        if message.get("delegation_id") is not None:
            raise ProtocolError("No delegation of this session is the application's.", code="invalid_request")
        now = {"start_ms": self._elapsed_ms, "end_ms": self._elapsed_ms}
        self._answers.append(self._event(f"{kind}ed", **now, **_cause(message)))
        part = {"type": "input_text", "text": content}
        told = {"type": "message", "role": "system", "content": [part]}
        speaks = ({"type": "response.create"},) if kind == _COMMENTARY and not self._replying else ()
        return ({"type": "conversation.item.create", "item": told}, *speaks)

    def _update(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """An update as the session inside takes it: only the model behind can be told anew."""
        asked = message.get("session")
        if not isinstance(asked, dict):
            raise invalid_type("session", "an object", asked)
        if fixed := [key for key in asked if key not in {"delegation", "triggers"}]:
            raise ProtocolError(f"'session.{fixed[0]}' cannot be changed.", code="immutable_parameter")
        out: dict[str, Any] = {"type": "realtime"}
        delegation = asked.get("delegation")
        if delegation is not None:
            kind = delegation.get("type") if isinstance(delegation, dict) else None
            if kind != ("responses" if self._delegates else "client"):
                raise ProtocolError("The type of a delegation cannot be changed.", code="immutable_parameter")
            behind = delegation.get("responses")
            if isinstance(behind, dict):
                out |= {key: behind[key] for key in ("tools", "tool_choice") if behind.get(key) is not None}
        self._updating = _cause(message)
        return {"type": "session.update", "session": out, **_id(message)}

    # session -> client

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        match event["type"]:
            case "session.updated" if self._started is not None:
                return (self._event("session.updated", session=self._started, **self._updating),)
            case "session.updated":
                session = event["session"]
                told = {key: session[key] for key in ("id", "expires_at", "model", "instructions")}
                audio = {"format": self._format, "output": {"voice": session["audio"]["output"]["voice"]}}
                self._started = {**told, "status": "active", "audio": audio}
                return (self._event("session.started", session=self._started),)
            case "response.created":
                self._replying = True
                return ()
            case "response.output_audio.delta":
                return (_audio(event["delta"]),)
            case "response.output_audio_transcript.delta":
                return (self._words("session.output_transcript.delta", event["delta"]),)
            case "conversation.item.input_audio_transcription.delta":
                return (self._words("session.input_transcript.delta", event["delta"]),)
            case "response.function_call_arguments.done":
                return self._called(event)
            case "response.done":
                self._replying = False
                if self._delegation is not None:
                    ended = {"id": event["response"]["id"], "status": "completed", "usage": None}
                    done = {"type": "response.completed", "response": ended}
                    delegation, self._delegation = self._delegation, None
                    return (self._event("response.event", delegation_id=delegation, event=done),)
                error = (event["response"]["status_details"] or {}).get("error")
                return (self._error(error),) if error else ()
            case "error":
                return (self._error(event["error"]),)
            case "response.weather.delta":
                return (self._event("weather"),)
        return ()

    def _called(self, event: Event) -> Iterable[Mapping[str, Any]]:
        if self._delegation is None:
            self._delegation = f"deleg_{event['response_id']}"
            told = {"id": self._delegation, "type": "delegation", "target": "responses"}
            told["response_id"] = event["response_id"]
            yield self._event("session.delegation.created", delegation=told, offset_ms=self._elapsed_ms)
            begun = {"type": "response.created", "response": {"id": event["response_id"], "status": "in_progress"}}
            yield self._event("response.event", delegation_id=self._delegation, event=begun)
        item = {"type": "function_call", "id": f"fc_{event['call_id']}", "status": "completed"}
        item |= {key: event[key] for key in ("call_id", "name", "arguments")}
        done = {"type": "response.output_item.done", "output_index": 0, "item": item}
        yield self._event("response.event", delegation_id=self._delegation, event=done)

    def _words(self, kind: str, words: str) -> Mapping[str, Any]:
        return self._event(kind, delta=words, start_ms=self._elapsed_ms, end_ms=self._elapsed_ms)

    def _error(self, error: Mapping[str, Any]) -> Mapping[str, Any]:
        told: dict[str, Any] = {key: error.get(key) for key in ("type", "code", "message")}
        for key, ours in (("param", "param"), ("client_event_id", "event_id")):
            if error.get(ours) is not None:
                told[key] = error[ours]
        return self._event("error", error=told)

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        self._events += 1
        return {"type": kind, "event_id": f"event_{self._events}", **fields}


def _audio(delta: str) -> dict[str, Any]:
    return {"type": "session.output_audio.delta", "delta": delta}


def _id(message: Mapping[str, Any]) -> dict[str, Any]:
    given = message.get("event_id")
    return {"event_id": given} if isinstance(given, str) else {}


def _cause(message: Mapping[str, Any]) -> dict[str, Any]:
    """How an answer names the message that it answers."""
    given = message.get("event_id")
    return {"client_event_id": given} if isinstance(given, str) else {}


def _silence_of(kind: str, audio: Any) -> Any:
    """Silence as long as `audio`; what is no audio is left to be refused."""
    try:
        length = len(base64.b64decode(audio, validate=True))
    except (binascii.Error, TypeError, ValueError):
        return audio
    quiet = _SILENCE[kind]
    return base64.b64encode(quiet * (length // len(quiet))).decode()
