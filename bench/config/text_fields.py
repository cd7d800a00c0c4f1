"""Which keys of a file want a text: there, what looks like a number or a truth value is taken as it is written.

In: the class of the whole file and a key's path. Out: what the schema takes at that place. `1.0` of a tag stays "1.0",
`1e5` of a commit stays "1e5". Trap: the schema decides, not the value; a field that takes a number or a text
(`max_output_tokens: 5`) gets the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter

from bench.config.block import Block
from bench.config.units import DURATION_PATTERN, RATE_PATTERN
from bench.config.yaml_reader import Document, Loc

_Schema = Mapping[str, Any]
_QUANTITIES = {DURATION_PATTERN, RATE_PATTERN}
"""Of texts that are numbers with a unit; a number alone has its own complaint."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may stand at a key: `text` and nothing that YAML would read as another scalar; null; a list or mapping."""

    text: bool
    null: bool = False
    nested: bool = False


NOT_TEXT = Wanted(text=False)


def wanted_at(root: type[Block], loc: Loc) -> Wanted:
    """What the schema of `root` takes at `loc`; no text where it has no such key."""
    kinds: set[str] = set()
    for schema, definitions in _schemas(root, loc):
        kinds |= _kinds(schema, definitions)
    text = "string" in kinds and not kinds & {"integer", "number", "boolean", "any"}
    return Wanted(text, null="null" in kinds, nested=bool(kinds & {"array", "object"}))


def keep_texts(document: Document, root: type[Block]) -> None:
    """Put the words as they were written where `root` wants a text and YAML had read something else."""
    for loc, words in document.written.items():
        if not wanted_at(root, loc).text:
            continue
        holder = document.data
        for part in loc[:-1]:
            holder = holder[part]
        holder[loc[-1]] = words
        document.problems = [problem for problem in document.problems if problem.loc != loc]


def _schemas(block: type[Block], loc: Loc) -> Iterator[tuple[_Schema, _Schema]]:
    """The JSON schemas of what may stand at `loc` in a mapping of `block`, each with its definitions."""
    if not loc:
        return
    name = next((name for name, field in block.model_fields.items() if (field.alias or name) == loc[0]), None)
    if name is None:
        return
    field = block.model_fields[name]
    annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    inner = list(_blocks(annotation))
    depth = 1 + _containers(annotation)
    for kind in inner if len(loc) > depth else ():
        yield from _schemas(kind, loc[depth:])
    if not inner:
        schema = _field_schema(block, name)
        definitions = schema.get("$defs", {})
        yield from ((found, definitions) for found in _inside(schema, definitions, loc[1:]))


@lru_cache(maxsize=1024)
def _field_schema(block: type[Block], name: str) -> _Schema:
    field = block.model_fields[name]
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    schema: _Schema = TypeAdapter(annotation).json_schema(mode="validation")
    return schema


def _blocks(annotation: Any) -> Iterator[type[Block]]:
    """The blocks that may stand somewhere in a value of this type."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, Block):
            yield annotation
        return
    first, *more = get_args(annotation) or (None,)
    if first is None:
        return
    if get_origin(annotation) is Annotated:
        looked_up = [extra.blocks() for extra in more if hasattr(extra, "blocks")]
        yield from looked_up[0].values() if looked_up else _blocks(first)
        return
    for argument in (first, *more):
        yield from _blocks(argument)


def _containers(annotation: Any) -> int:
    """How many keys or indices lie between a field and the block inside of it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return 0
    if origin is Annotated:
        return _containers(arguments[0])
    if origin is dict:
        return 1 + _containers(arguments[1])
    if origin in (list, tuple):
        return 1 + _containers(arguments[0])
    return max(map(_containers, arguments), default=0)


def _inside(schema: _Schema, definitions: _Schema, loc: Loc) -> Iterator[_Schema]:
    """The schemas at `loc` within `schema`."""
    for each in _alternatives(schema, definitions):
        if not loc:
            yield each
        elif isinstance(loc[0], int):
            if isinstance(items := each.get("items"), dict):
                yield from _inside(items, definitions, loc[1:])
        else:
            below = each.get("properties", {}).get(loc[0], each.get("additionalProperties"))
            if isinstance(below, dict):
                yield from _inside(below, definitions, loc[1:])


def _alternatives(schema: _Schema, definitions: _Schema) -> Iterator[_Schema]:
    if "$ref" in schema:
        yield from _alternatives(definitions[str(schema["$ref"]).rpartition("/")[2]], definitions)
        return
    several = [each for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())]
    if several:
        for each in several:
            yield from _alternatives(each, definitions)
    else:
        yield schema


def _kinds(schema: _Schema, definitions: _Schema) -> set[str]:
    """JSON's names of the types that `schema` takes; "any" where it takes everything."""
    kinds = set()
    for each in _alternatives(schema, definitions):
        values = each.get("enum", [each["const"]] if "const" in each else [])
        if each.get("pattern") in _QUANTITIES:
            kinds.add("number")
        elif values:
            kinds |= {"string" if isinstance(value, str) else "number" for value in values}
        else:
            kinds.add(str(each.get("type", "any")))
    return kinds
