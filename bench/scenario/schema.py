"""The JSON Schema of a scenario, for editors that complete and check YAML while it is written.

In: the models. Out: a draft 2020-12 schema with the YAML names, units and examples; `scenarios/schema.json` is this.
Trap: an editor sees `${NAME}` and not its value, so every scalar may also be a text with a variable. The schema checks
one key at a time; `bench validate` checks combinations, fixture ids and `--target`.
"""

from __future__ import annotations

import json
from typing import Any

from bench.config.problems import REUSE
from bench.config.units import DURATION_HELP, DURATION_PATTERN, RATE_HELP, RATE_PATTERN, format_duration
from bench.scenario.model import Scenario
from bench.scenario.steps.step import KINDS, StepBlock

SCHEMA_FILE = "schema.json"
EDITOR_LINE = f"# yaml-language-server: $schema=./{SCHEMA_FILE}"
"""First line of a scenario with a copy of the schema in the same folder."""

_UNITS = {
    DURATION_PATTERN: ("Duration", DURATION_HELP, ["800ms", "1.5s", "2m", "1h30m"]),
    RATE_PATTERN: ("Rate", RATE_HELP, ["30/min", "2/s", "10/h"]),
}
_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_WORDS = ("string", "number", "boolean")
_SCALARS = {"integer", "number", "boolean"}


def json_schema() -> dict[str, Any]:
    """The schema of a scenario file, as a JSON-ready mapping; the same for the same version."""
    raw = Scenario.model_json_schema(by_alias=True, mode="validation")
    blocks = {name: block for name, block in raw["$defs"].items() if name != StepBlock.__name__}
    for kind in KINDS.values():  # pydantic knows one class of steps; which kinds there are is looked up
        block = kind.model_json_schema(by_alias=True, mode="validation")
        blocks |= {**block.pop("$defs", {}), kind.__name__: block}
    raw["properties"]["conversation"]["items"] = {
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in KINDS.values()]
    }
    units = {
        name: {
            "description": text,
            "examples": examples,
            "anyOf": [{"type": "string", "pattern": pattern}, _VARIABLE],
        }
        for pattern, (name, text, examples) in _UNITS.items()
    }
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario of realtime-voice-bench",
        **_block({key: value for key, value in raw.items() if key not in {"$defs", "title"}}),
        "patternProperties": {f"^{REUSE}": {"description": "Anything, to be reused with &name, *name and <<."}},
        "$defs": {name: _block(blocks[name]) for name in sorted(blocks)} | units,
    }
    # The loader keeps them as they are written; no other text is usually a number.
    schema["properties"]["tags"]["additionalProperties"] = {"anyOf": [{"type": kind} for kind in _WORDS]}
    return schema


def schema_text() -> str:
    """`json_schema` as the text of `schema.json`."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _block(block: dict[str, Any]) -> dict[str, Any]:
    """The schema of a mapping: each property without its generated title, its default as YAML has it."""
    properties = {name: _property(value) for name, value in block.get("properties", {}).items()}
    return {**{key: value for key, value in block.items() if key != "title"}, "properties": properties}


def _property(schema: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = _scalar({key: value for key, value in schema.items() if key != "title"})
    default = schema.get("default")
    if type(default) is int and "#/$defs/Duration" in json.dumps(result):
        result["default"] = format_duration(default)
    return result


def _scalar(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, with `${...}` allowed for a number, a word of a list or a pattern."""
    keep = {key: value for key, value in schema.items() if key in {"description", "default", "examples"}}
    core = {key: value for key, value in schema.items() if key not in keep}
    if core.get("pattern") in _UNITS:
        return {"$ref": f"#/$defs/{_UNITS[core['pattern']][0]}", **keep}
    for key in ("anyOf", "oneOf"):
        if key in core:
            return {**core, key: [_scalar(each) for each in core[key]], **keep}
    if isinstance(core.get("items"), dict):
        return {**core, "items": _scalar(core["items"]), **keep}
    if core.get("type") in _SCALARS or "enum" in core or "pattern" in core:
        return {"anyOf": [core, _VARIABLE], **keep}
    return {**core, **keep}
