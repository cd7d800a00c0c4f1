"""Enough of JSON Schema (draft 2020-12) to check a scenario against ours; an unknown keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples"}
_TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}


def violations(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    """Why `value` is not what `schema` describes; nothing when it is."""
    for keyword, rule in schema.items():
        if keyword not in _ANNOTATIONS:
            yield from _CHECKS[keyword](value, rule, schema, root)


def _type(value: Any, rule: str, _schema: Any, _root: Any) -> Iterator[str]:
    number_as_bool = isinstance(value, bool) and rule in {"integer", "number"}
    if not isinstance(value, _TYPES[rule]) or number_as_bool:
        yield f"{value!r} is not of type {rule}"


def _ref(value: Any, rule: str, _schema: Any, root: Mapping[str, Any]) -> Iterator[str]:
    yield from violations(value, root["$defs"][rule.removeprefix("#/$defs/")], root)


def _some(value: Any, rule: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    matching = sum(not list(violations(value, each, root)) for each in rule)
    if matching == 0 or ("oneOf" in schema and matching > 1):
        yield f"{value!r} matches {matching} of {len(rule)} alternatives"


def _properties(value: Any, rule: Mapping[str, Any], _schema: Any, root: Mapping[str, Any]) -> Iterator[str]:
    for key in rule.keys() & value.keys() if isinstance(value, dict) else ():
        yield from violations(value[key], rule[key], root)


def _additional(value: Any, rule: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    patterns = schema.get("patternProperties", {})
    for key in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        if any(re.search(pattern, key) for pattern in patterns):
            continue
        if rule is False:
            yield f"{key} is not allowed"
        elif rule is not True:
            yield from violations(value[key], rule, root)


def _items(value: Any, rule: Mapping[str, Any], _schema: Any, root: Mapping[str, Any]) -> Iterator[str]:
    for item in value if isinstance(value, list) else ():
        yield from violations(item, rule, root)


def _bound(allowed: Any) -> Any:
    def check(value: Any, rule: Any, _schema: Any, _root: Any) -> Iterator[str]:
        if not allowed(value, rule):
            yield f"{value!r} is out of bounds ({rule})"

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Mapping[str, Any] = {
    "type": _type,
    "$ref": _ref,
    "anyOf": _some,
    "oneOf": _some,
    "properties": _properties,
    "additionalProperties": _additional,
    "patternProperties": lambda *_: iter(()),  # anything goes
    "items": _items,
    "required": _bound(lambda value, rule: not isinstance(value, dict) or set(rule) <= value.keys()),
    "enum": _bound(lambda value, rule: value in rule),
    "const": _bound(lambda value, rule: value == rule and type(value) is type(rule)),
    "pattern": _bound(lambda value, rule: not isinstance(value, str) or re.search(rule, value) is not None),
    "minimum": _bound(lambda value, rule: not _is_number(value) or value >= rule),
    "exclusiveMinimum": _bound(lambda value, rule: not _is_number(value) or value > rule),
    "exclusiveMaximum": _bound(lambda value, most: not _is_number(value) or value < most),
    "maximum": _bound(lambda value, rule: not _is_number(value) or value <= rule),
    "minLength": _bound(lambda value, rule: not isinstance(value, str) or len(value) >= rule),
    "minItems": _bound(lambda value, rule: not isinstance(value, list) or len(value) >= rule),
}
