"""What a server made of the session that it was asked for: the keys in which `session.updated` differs.

In: the session object that was sent and the one that came back, in the GA shape or the beta shape. Out: differences,
each with its key and both values. Trap: a key that the server leaves out says nothing; only a value can differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.dialects.openai_shapes import nested

_ABSENT = object()
_COMPARED: tuple[tuple[str, ...], ...] = (
    ("audio", "input", "format", "type"),
    ("audio", "input", "format", "rate"),
    ("audio", "output", "format", "type"),
    ("audio", "output", "format", "rate"),
    ("audio", "input", "turn_detection"),
    ("audio", "input", "turn_detection", "type"),
    ("audio", "input", "turn_detection", "threshold"),
    ("audio", "input", "turn_detection", "prefix_padding_ms"),
    ("audio", "input", "turn_detection", "silence_duration_ms"),
    ("audio", "input", "turn_detection", "idle_timeout_ms"),
    ("audio", "input", "turn_detection", "eagerness"),
    ("audio", "input", "turn_detection", "create_response"),
    ("audio", "input", "turn_detection", "interrupt_response"),
    ("audio", "input", "transcription"),
    ("audio", "input", "transcription", "model"),
    ("audio", "input", "noise_reduction", "type"),
    ("audio", "output", "voice"),
    ("output_modalities",),
    ("instructions",),
    ("max_output_tokens",),
)
"""Keys of the GA session that are compared."""
_PRESENCE = {"turn_detection", "transcription"}
"""Objects of which only this is compared: whether there is one. Their parts are compared by themselves."""
_DECISIVE = {
    ("audio", "input", "format", "type"),
    ("audio", "input", "format", "rate"),
    ("audio", "output", "format", "type"),
    ("audio", "output", "format", "rate"),
    ("audio", "input", "turn_detection"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that the server set otherwise. `decisive`: what was measured would be wrong."""

    key: str
    asked: str
    got: str
    decisive: bool

    def __str__(self) -> str:
        return f"the server set {self.key} to {self.got}, not to {self.asked} as asked"


def differences(asked: Mapping[str, Any], got: Mapping[str, Any]) -> list[Difference]:
    """The keys in which `got` differs from `asked`, those first that make measuring wrong."""
    asked, got = nested(asked), nested(got)
    found = []
    for path in _COMPARED:
        mine, theirs = _at(asked, path), _at(got, path)
        if mine is _ABSENT or theirs is _ABSENT:
            continue
        same = (mine is None) == (theirs is None) if path[-1] in _PRESENCE else _same(mine, theirs)
        if not same:
            key = ".".join(("session", *path))
            found.append(Difference(key, _shown(mine), _shown(theirs), path in _DECISIVE))
    return sorted(found, key=lambda difference: not difference.decisive)


def _same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, str) and isinstance(theirs, str):
        return mine.strip() == theirs.strip()
    if isinstance(mine, list) and isinstance(theirs, list):
        # `["text", "audio"]` was the beta's way of asking for speech with its transcript.
        return set(map(str, mine)) <= set(map(str, theirs))
    if theirs is None or isinstance(mine, dict) or isinstance(theirs, dict):
        # Null where a value was asked for: the server does not repeat it.
        return True
    return bool(mine == theirs)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return _ABSENT
        value = value[key]
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping) and isinstance(value.get("type"), str):
        return str(value["type"])[:60]
    return str(value)[:60]
