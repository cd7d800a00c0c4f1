"""The two shapes of the Realtime protocol: GA, with a nested session, and the beta of 2024, with a flat one.

In: a session object, or the name of an event. Out: the same in the other shape, or which shape it is.
Trap: some servers mix both. A session is of a shape only by keys that the other one never had; `voice` and
`turn_detection` at the top level say nothing, because xAI writes them there in an otherwise nested session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bench.dialects.openai_fields import mapping

Shape = Literal["ga", "beta"]

DIALECT_OF: dict[Shape, str] = {"ga": "openai", "beta": "openai-beta"}
SHAPE_TITLES: dict[Shape, str] = {"ga": "the GA shape", "beta": "the beta shape"}

BETA_NAMES = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
}
"""Events that the two shapes call by different names: GA to beta."""
_TELLING: dict[str, Shape] = {
    **{ga: "ga" for ga in BETA_NAMES if ga.endswith(".delta")},
    **{beta: "beta" for beta in BETA_NAMES.values() if beta.endswith(".delta")},
}
_BETA_KEYS = frozenset(
    {
        "modalities",
        "input_audio_format",
        "output_audio_format",
        "input_audio_transcription",
        "input_audio_noise_reduction",
        "max_response_output_tokens",
    }
)
_GA_KEYS = frozenset({"audio", "output_modalities"})
_BETA_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_GA_FORMATS = {beta: ga for ga, beta in _BETA_FORMATS.items()} | {"pcm": "audio/pcm", "pcm24": "audio/pcm"}
"""DashScope says `pcm`, or `pcm24` for 24 kHz."""
_INPUT_KEYS = {
    "turn_detection": "turn_detection",
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
}
_OUTPUT_KEYS = {"voice": "voice", "speed": "speed"}


def shape_of_event(kind: str) -> Shape | None:
    """The shape whose word for a piece of a reply `kind` is; None for an event that both call alike."""
    return _TELLING.get(kind)


def shape_of_session(session: Mapping[str, Any]) -> Shape | None:
    """The shape that a server's session object has, None where its keys do not tell."""
    if not _BETA_KEYS.isdisjoint(session):
        return "beta"
    return None if _GA_KEYS.isdisjoint(session) else "ga"


def dialect_of_session(session: Mapping[str, Any]) -> str | None:
    """The dialect whose server has such a session object; None where its keys do not tell.

    Variants are told by what none but they have: a rate of the caller's audio, formats that are called `pcm`, and keys
    of the beta's top level in a nested session.
    """
    shape = shape_of_session(session)
    if shape is None:
        return None
    if shape == "ga":
        return "openai" if "turn_detection" not in session else "xai"
    if "input_audio_sampling_rate" in session:
        return "azure-voice-live"
    formats = (session.get("input_audio_format"), session.get("output_audio_format"))
    return "qwen-omni" if any(each in ("pcm", "pcm24") for each in formats) else "openai-beta"


def flat(session: Mapping[str, Any]) -> dict[str, Any]:
    """A nested session as the beta writes it: keys of `audio` at the top level, no `type`."""
    out = {key: value for key, value in session.items() if key not in {"type", "audio", "output_modalities"}}
    if (asked := session.get("output_modalities")) is not None:
        # Speech without its transcript cannot be asked for in this shape.
        out["modalities"] = ["text"] if asked == ["text"] else ["text", "audio"]
    if (tokens := out.pop("max_output_tokens", None)) is not None:
        out["max_response_output_tokens"] = tokens
    audio = session.get("audio", {})
    for side, keys in (("input", _INPUT_KEYS), ("output", _OUTPUT_KEYS)):
        given = audio.get(side, {})
        if "format" in given:
            out[f"{side}_audio_format"] = _BETA_FORMATS[given["format"]["type"]]
        out |= {beta: given[ga] for beta, ga in keys.items() if ga in given}
    return out


def nested(session: Mapping[str, Any]) -> Mapping[str, Any]:
    """A session with flat keys as GA writes it, those over nested ones; one without them as it is."""
    moved = {*_BETA_KEYS, *_INPUT_KEYS, *_OUTPUT_KEYS}
    if moved.isdisjoint(session):
        return session
    moved.add("audio")
    out: dict[str, Any] = {key: value for key, value in session.items() if key not in moved}
    if "modalities" in session:
        out["output_modalities"] = session["modalities"]
    if "max_response_output_tokens" in session:
        out["max_output_tokens"] = session["max_response_output_tokens"]
    audio = mapping(session.get("audio"))
    sides: dict[str, dict[str, Any]] = {side: dict(mapping(audio.get(side))) for side in ("input", "output")}
    for side, keys in (("input", _INPUT_KEYS), ("output", _OUTPUT_KEYS)):
        if f"{side}_audio_format" in session:
            word = str(session[f"{side}_audio_format"])
            sides[side]["format"] = {"type": _GA_FORMATS.get(word, word)}
        sides[side] |= {ga: session[beta] for beta, ga in keys.items() if beta in session}
    return {**out, "audio": {side: keys for side, keys in sides.items() if keys}}
