"""Wire protocols, one file each, sans-I/O. A new one is a new file and one line in `_SHIPPED`, or a call of `register`.

In: the name that a scenario gives. Out: the class that speaks it. Trap: modules are imported on first use, so that
checking a scenario does not load what only a call needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.dialects.dialect import Dialect

DEFAULT_DIALECT = "openai"
_SHIPPED = {
    "openai": "bench.dialects.openai:OpenAIDialect",
    "openai-beta": "bench.dialects.openai_beta:OpenAIBetaDialect",
    "azure-voice-live": "bench.dialects.azure_voice_live:AzureVoiceLiveDialect",
    "qwen-omni": "bench.dialects.qwen_omni:QwenOmniDialect",
    "elevenlabs-agents": "bench.dialects.elevenlabs_agents:ElevenLabsAgentsDialect",
    "openai-live": "bench.dialects.openai_live:OpenAILiveDialect",
    "gemini-live": "bench.dialects.gemini_live:GeminiLiveDialect",
    "twilio-media-streams": "bench.dialects.twilio_media_streams:TwilioDialect",
    "openai-transcriptions": "bench.dialects.openai_transcriptions:OpenAITranscriptionsDialect",
    "xai": "bench.dialects.xai:XaiDialect",
}
_known: dict[str, type[Dialect]] = {}


def register(dialect: type[Dialect]) -> type[Dialect]:
    """Make `dialect` known under its `name`; also a class decorator. Raises `ValueError` for a name that is taken."""
    if _known.get(dialect.name, dialect) is not dialect or dialect.name in _SHIPPED:
        raise ValueError(f"a dialect named {dialect.name!r} is known already")
    _known[dialect.name] = dialect
    return dialect


def dialect_names() -> tuple[str, ...]:
    """Every name that `target.dialect` may have."""
    return tuple(dict.fromkeys([*_SHIPPED, *_known]))


def dialect_of(name: str) -> type[Dialect]:
    """The class of dialect `name`. Raises `BenchError` for an unknown one."""
    if name not in _known:
        if name not in _SHIPPED:
            raise BenchError(f"unknown dialect {name!r}", hint=f"allowed: {', '.join(dialect_names())}")
        module, _, attribute = _SHIPPED[name].partition(":")
        _known[name] = getattr(import_module(module), attribute)
    return _known[name]


def vendor_of(name: str) -> str:
    """Whose protocol dialect `name` is, as telemetry names providers; its own name where there is no other."""
    known = name in _known or name in _SHIPPED
    return (dialect_of(name).vendor if known else None) or name


def voices_of(name: str) -> tuple[str, ...]:
    """Voices of dialect `name` that a scenario may give as a plain word; empty when it lists none."""
    return tuple(dialect_of(name).voices)


def formats_of(name: str) -> tuple[str, ...]:
    """Audio formats that a scenario may ask for in dialect `name`."""
    return tuple(dialect_of(name).formats)


def turn_detections_of(name: str) -> tuple[str, ...]:
    """Kinds of turn detection that a scenario may ask for in dialect `name`."""
    return tuple(dialect_of(name).turn_detections)


def outputs_of(name: str) -> tuple[str, ...]:
    """What a reply may be in dialect `name`."""
    return tuple(dialect_of(name).outputs)


def frame_of(name: str) -> int | None:
    """The one length of frames in dialect `name`, ms; None where a scenario chooses."""
    return dialect_of(name).frame_ms


def has_keypad(name: str) -> bool:
    """Whether a caller can press keys of a telephone in dialect `name`."""
    return dialect_of(name).has_keypad
