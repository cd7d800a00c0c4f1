"""What is wrong with a profile, as sentences: the key, what was found, what is allowed, the nearest match.

In: pydantic's error list, the marks of the YAML document, the class of the whole. Out: `Problem`s in that order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic_core import ErrorDetails

from bench.scenario.base import Block, nearest
from bench.scenario.source import Document, Problem

_ALLOWED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping (keys and values)",
    "model_attributes_type": "a mapping (keys and values)",
    "dict_type": "a mapping (keys and values)",
    "tuple_type": "a list",
    "string_too_short": "a text that is not empty",
}
_BOUNDS = {
    "greater_than": ("gt", "more than {:g}"),
    "greater_than_equal": ("ge", "{:g} or more"),
    "less_than": ("lt", "less than {:g}"),
    "less_than_equal": ("le", "{:g} or less"),
}


def problems_of(errors: Sequence[ErrorDetails], document: Document, root: type[Block]) -> list[Problem]:
    """One problem for each of pydantic's errors."""
    found = []
    for error in errors:
        loc = error["loc"]
        place = loc[:-1] if error["type"] == "missing" else loc
        found.append(Problem(document.mark_at(place), loc, _sentence(error, root)))
    return found


def _sentence(error: ErrorDetails, root: type[Block]) -> str:
    kind, context, found = error["type"], error.get("ctx", {}), _shown(error["input"])
    if kind == "sentence":
        return error["msg"]
    if kind == "extra_forbidden":
        block = _block_at(root, error["loc"][:-1])
        keys = list(block.model_fields) if block is not None else []
        return f"unknown key; allowed: {', '.join(keys)}{nearest(str(error['loc'][-1]), keys)}"
    if kind == "missing":
        return "required, but missing"
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"found {found}; allowed: {', '.join(words)}{nearest(str(error['input']), words)}"
    if kind in _BOUNDS:
        key, phrase = _BOUNDS[kind]
        return f"found {found}; allowed: {phrase.format(context[key])}"
    if kind in _ALLOWED:
        return f"found {found}; allowed: {_ALLOWED[kind]}"
    return f"found {found}; {error['msg'][:1].lower()}{error['msg'][1:]}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value) if len(str(value)) <= 60 else str(value)[:57] + "..."
    return f"'{text}'" if isinstance(value, str) else text


def _block_at(root: type[Block], loc: Sequence[str | int]) -> type[Block] | None:
    """The class of the mapping at `loc`, found by walking the annotations."""
    block: type[Block] | None = root
    inside = False  # of a dict or list whose values are blocks: its key or index names no field
    for part in loc:
        if inside or isinstance(part, int):
            inside = False
            continue
        field = block.model_fields.get(part) if block is not None else None
        if field is None:
            return None
        block, inside = _block_in(field.annotation), get_origin(field.annotation) is dict
    return block


def _block_in(annotation: Any) -> type[Block] | None:
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, Block):
        return annotation
    return next((block for argument in get_args(annotation) if (block := _block_in(argument)) is not None), None)
