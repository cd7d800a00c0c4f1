"""Servers that differ from one of the two shapes in a few places: what our own dialects of them are tested against.

In and out: as `Shape` says. Trap: they are as true as what is known of the vendors' servers, and that is their types
and documentation; nothing here was compared with the vendors' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.server.protocol.client_errors import invalid_choice
from bench.server.protocol.commands import Event
from bench.server.protocol.shapes.openai_beta import BetaShape
from bench.server.protocol.shapes.shape import Shape

_SEMANTIC = {"azure_semantic_vad": "server_vad"}
_RATES_HZ = (16_000, 24_000)
_LIFTED = {"turn_detection": ("input", "turn_detection"), "voice": ("output", "voice")}


class VoiceLiveShape(BetaShape):
    """Azure Voice Live: a rate for the caller's PCM, and detection by meaning under another name."""

    name = "azure-voice-live"
    paths = ("/voice-live/realtime", "/v1/realtime")
    secret_path = None
    own_voices = True

    def __init__(self) -> None:
        super().__init__()
        self._detects: str | None = None

    def nested(self, asked: Mapping[str, Any], path: str, *, lasting: bool = True) -> dict[str, Any]:
        own = dict(asked)
        rate = own.pop("input_audio_sampling_rate", None)
        if rate is not None and rate not in _RATES_HZ:
            raise invalid_choice(f"{path}.input_audio_sampling_rate", rate, _RATES_HZ)
        detection = own.get("turn_detection")
        kind = detection.get("type") if isinstance(detection, dict) else None
        if isinstance(kind, str) and kind in _SEMANTIC:
            own["turn_detection"] = {**own["turn_detection"], "type": _SEMANTIC[kind]}
        out = super().nested(own, path, lasting=lasting)
        if rate is not None:
            self.pcm_in_hz = int(rate)
        if "turn_detection" in own:
            self._detects = kind if isinstance(kind, str) and kind in _SEMANTIC else None
        return out

    def flat(self, session: Mapping[str, Any]) -> dict[str, Any]:
        out = super().flat(session)
        out["input_audio_sampling_rate"] = self.pcm_in_hz
        if self._detects is not None and out.get("turn_detection"):
            out["turn_detection"] = {**out["turn_detection"], "type": self._detects}
        return out


class QwenShape(BetaShape):
    """Qwen-Omni: the caller's PCM has 16 kHz, and PCM is called `pcm`."""

    name = "qwen-omni"
    paths = ("/api-ws/v1/realtime", "/v1/realtime")
    secret_path = None
    pcm_in_hz = 16_000
    own_voices = True

    def format_of(self, key: str, value: Any, param: str) -> dict[str, Any]:
        if value not in ("pcm", "pcm16", "pcm24"):
            raise invalid_choice(param, value, ("pcm", "pcm16", "pcm24"))
        return {"type": "audio/pcm", "rate": 24_000}

    def word_of(self, key: str, value: Mapping[str, Any]) -> str:
        return "pcm16" if key.startswith("input") else "pcm24"


class XaiShape(Shape):
    """Grok Voice: two keys of the session at its top level, usage beside the response."""

    name = "xai"

    def incoming(self, message: object) -> Iterable[object]:
        session = message.get("session") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(session, dict):
            return (message,)
        out = {key: value for key, value in session.items() if key not in _LIFTED}
        audio = dict(out["audio"]) if isinstance(out.get("audio"), dict) else {}
        for key, (side, inner) in _LIFTED.items():
            if key in session:
                known = audio.get(side)
                audio[side] = {**(known if isinstance(known, dict) else {}), inner: session[key]}
        return ({**message, "session": {**out, "type": "realtime", **({"audio": audio} if audio else {})}},)

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        if "session" in event:
            session = event["session"]
            audio = {side: dict(keys) for side, keys in session["audio"].items()}
            lifted = {key: audio[side].pop(inner, None) for key, (side, inner) in _LIFTED.items()}
            return ({**event, "session": {**session, **lifted, "audio": audio}},)
        if event["type"] == "response.done" and (usage := event["response"].get("usage")):
            return ({**event, "response": {**event["response"], "usage": {}}, "usage": usage},)
        return (event,)
