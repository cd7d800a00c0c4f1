"""Servers that differ from the beta shape in a few places: what our own dialects of them are tested against.

In and out: as `Shape` says. Trap: they are as true as what is known of the vendors' servers, and that is their types
and documentation; nothing here was compared with the vendors' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.server.protocol import config
from bench.server.protocol.client_errors import invalid_choice
from bench.server.protocol.shapes.openai_beta import BetaShape

_SEMANTIC = frozenset({"azure_semantic_vad", "azure_semantic_vad_en", "azure_semantic_vad_multilingual"})
_RATES_HZ = (16_000, 24_000)
_NOT_PLAYED = frozenset(
    {
        "input_audio_echo_cancellation", "output_audio_timestamp_types", "animation", "avatar", "interim_response",
        "reasoning_effort", "parallel_tool_calls", "metadata",
    }
)  # fmt: skip
"""Keys of a Voice Live session that are told back and change nothing here,"""
_WITHIN = {
    "turn_detection": (
        "end_of_utterance_detection", "speech_duration_ms", "remove_filler_words", "languages", "auto_truncate",
    ),
    "input_audio_transcription": ("phrase_list", "custom_speech"),
}  # fmt: skip
"""and such keys of its blocks."""
_QWEN_RATES_HZ = (8_000, 16_000, 24_000, 48_000)
_NOISE = "input_audio_noise_reduction"


class VoiceLiveShape(BetaShape):
    """Azure Voice Live: a rate for the caller's PCM, detection by meaning under another name, and what only it has."""

    name = "azure-voice-live"
    paths = ("/voice-live/realtime", "/v1/realtime")
    secret_path = None
    own_voices = True

    def __init__(self) -> None:
        super().__init__()
        self._detects: str | None = None
        self._own: dict[str, Any] = {}
        """Values of keys that only this vendor has."""
        self._own_within: dict[str, dict[str, Any]] = {}
        """The same, by block."""

    def nested(self, asked: Mapping[str, Any], path: str, *, lasting: bool = True) -> dict[str, Any]:
        own = dict(asked)
        rate = own.pop("input_audio_sampling_rate", None)
        if rate is not None and rate not in _RATES_HZ:
            raise invalid_choice(f"{path}.input_audio_sampling_rate", rate, _RATES_HZ)
        kept = {key: own.pop(key) for key in _NOT_PLAYED & own.keys()}
        noise = own.get(_NOISE)
        if isinstance(noise, dict) and str(noise.get("type")).startswith("azure_"):
            kept[_NOISE] = own.pop(_NOISE)
        within: dict[str, dict[str, Any]] = {}
        for block, keys in _WITHIN.items():
            if isinstance(given := own.get(block), dict):
                within[block] = {key: given[key] for key in keys if key in given}
                own[block] = {key: value for key, value in given.items() if key not in keys}
        detection = own.get("turn_detection")
        kind = detection.get("type") if isinstance(detection, dict) else None
        if isinstance(kind, str) and kind in _SEMANTIC:
            own["turn_detection"] = {**own["turn_detection"], "type": "server_vad"}
        out = super().nested(own, path, lasting=lasting)
        if not lasting:
            return out
        if _NOISE in asked:
            self._own.pop(_NOISE, None)
        self._own |= kept
        self._own_within |= within
        if rate is not None:
            self.pcm_in_hz = int(rate)
        if "turn_detection" in own:
            self._detects = kind if isinstance(kind, str) and kind in _SEMANTIC else None
        return out

    def flat(self, session: Mapping[str, Any]) -> dict[str, Any]:
        out = super().flat(session) | self._own
        out["input_audio_sampling_rate"] = self.pcm_in_hz
        for block, keys in self._own_within.items():
            if isinstance(shown := out.get(block), dict):
                out[block] = {**shown, **keys}
        if self._detects is not None and out.get("turn_detection"):
            out["turn_detection"] = {**out["turn_detection"], "type": self._detects}
        return out


class QwenShape(BetaShape):
    """Qwen-Omni: the caller's PCM has 16 kHz, and PCM is called `pcm`; rates may be told; a session is finished."""

    name = "qwen-omni"
    paths = ("/api-ws/v1/realtime", "/v1/realtime")
    secret_path = None
    pcm_in_hz = 16_000
    own_voices = True

    def __init__(self) -> None:
        super().__init__()
        self._rate_out_hz = 24_000
        self._answers: list[Mapping[str, Any]] = []

    def settled(self, settings: config.Json) -> config.Json:
        settings["audio"]["output"]["format"] = {"type": "audio/pcm", "rate": self._rate_out_hz}
        return settings

    def incoming(self, message: object) -> Iterable[object]:
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "input_image_buffer.append":
            return ()
        if kind == "session.finish":
            self._answers.append({"type": "session.finished", "event_id": "event_finished"})
            return ()
        return super().incoming(message)

    def answers(self) -> Iterable[Mapping[str, Any]]:
        given, self._answers = self._answers, []
        return given

    def nested(self, asked: Mapping[str, Any], path: str, *, lasting: bool = True) -> dict[str, Any]:
        own = dict(asked)
        if isinstance(audio := own.pop("audio", None), dict) and lasting:
            for side in ("input", "output"):
                known = audio.get(side)
                wire = known.get("format") if isinstance(known, dict) else None
                if isinstance(wire, dict):
                    self._take_rate(side, wire, f"{path}.audio.{side}.format")
        return super().nested(own, path, lasting=lasting)

    def _take_rate(self, side: str, wire: Mapping[str, Any], path: str) -> None:
        if wire.get("type", "pcm") != "pcm":
            raise invalid_choice(f"{path}.type", wire["type"], ("pcm",))
        default_hz = QwenShape.pcm_in_hz if side == "input" else 24_000
        rate = wire.get("sample_rate", default_hz)
        if rate not in _QWEN_RATES_HZ:
            raise invalid_choice(f"{path}.sample_rate", rate, _QWEN_RATES_HZ)
        if side == "input":
            self.pcm_in_hz = int(rate)
        else:
            self._rate_out_hz = int(rate)

    def flat(self, session: Mapping[str, Any]) -> dict[str, Any]:
        rates = {"input": self.pcm_in_hz, "output": self._rate_out_hz}
        told = {side: {"format": {"type": "pcm", "sample_rate": rate}} for side, rate in rates.items()}
        return {**super().flat(session), "audio": told}

    def format_of(self, key: str, value: Any, param: str) -> dict[str, Any]:
        if value not in ("pcm", "pcm16", "pcm24"):
            raise invalid_choice(param, value, ("pcm", "pcm16", "pcm24"))
        return {"type": "audio/pcm", "rate": 24_000}

    def word_of(self, key: str, value: Mapping[str, Any]) -> str:
        return "pcm16" if key.startswith("input") else "pcm24"
