"""Servers that differ from the beta shape in a few places: what our own dialects of them are tested against.

In and out: as `Shape` says. Trap: they are as true as what is known of the vendors' servers, and that is their types
and documentation; nothing here was compared with the vendors' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.server.protocol.client_errors import invalid_choice
from bench.server.protocol.shapes.openai_beta import BetaShape

_SEMANTIC = {"azure_semantic_vad": "server_vad"}
_RATES_HZ = (16_000, 24_000)


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
