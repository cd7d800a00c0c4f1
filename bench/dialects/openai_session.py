"""What a server made of the session that it was asked for: the keys in which `session.updated` differs.

In: the session object that was sent and the one that came back, in the GA shape or the beta shape. Out: differences,
each with its key and both values. Trap: a key that the server leaves out says nothing; only a value can differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

from bench.dialects.openai_shapes import nested

_ABSENT = object()
_COMPARED: tuple[tuple[str, ...], ...] = (
    ("type",),
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
    ("audio", "input", "transcription", "language"),
    ("audio", "input", "transcription", "prompt"),
    ("audio", "input", "transcription", "delay"),
    ("audio", "input", "noise_reduction", "type"),
    ("audio", "output", "voice"),
    ("output_modalities",),
    ("instructions",),
    ("max_output_tokens",),
    ("tools",),
    ("tool_choice",),
)
"""Keys of the GA session that are compared, and after them each single value of `session.extra`."""
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


def differences(
    asked: Mapping[str, Any], got: Mapping[str, Any], extra: Mapping[str, Any] | None = None
) -> list[Difference]:
    """The keys in which `got` differs from `asked`, of which `extra` is a part; decisive ones first."""
    asked, got, extra = nested(asked), nested(got), nested(extra or {})
    found = []
    for path in dict.fromkeys((*_COMPARED, *_values(extra))):
        mine, theirs = _at(asked, path), _at(got, path)
        if mine is _ABSENT or theirs is _ABSENT:
            continue
        same = (mine is None) == (theirs is None) if path[-1] in _PRESENCE else _same(mine, theirs)
        if not same:
            key = ".".join(("session", *path))
            found.append(Difference(key, _shown(mine), _shown(theirs), path in _DECISIVE))
    return sorted(found, key=lambda difference: not difference.decisive)


def _values(value: Mapping[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    """The path of each single value in `value`."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _values(inner, *above, key)
        elif isinstance(inner, str | int | float):
            yield (*above, key)


def _same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, str) and isinstance(theirs, str):
        return mine.strip() == theirs.strip()
    if _is_number(mine) and (_is_number(theirs) or isinstance(theirs, str)):
        try:
            return isclose(mine, float(theirs), rel_tol=1e-5)  # servers keep some of these in 32 bits
        except ValueError:
            return False
    if isinstance(mine, list) and isinstance(theirs, list):
        if any(isinstance(each, Mapping) for each in mine):
            return {_name_in(each) for each in mine} == {_name_in(each) for each in theirs}
        # `["text", "audio"]` was the beta's way of asking for speech with its transcript.
        return set(map(str, mine)) <= set(map(str, theirs))
    if theirs is None or isinstance(mine, dict) or isinstance(theirs, dict):
        # Null where a value was asked for: the server does not repeat it.
        return True
    return bool(mine == theirs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name_in(tool: Any) -> str:
    """The name of a tool; some servers put it into `function`."""
    inner = tool.get("function", tool) if isinstance(tool, Mapping) else tool
    return str(inner.get("name")) if isinstance(inner, Mapping) else str(inner)


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
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        value = [_name_in(each) for each in value]
    return str(value)[:60]
