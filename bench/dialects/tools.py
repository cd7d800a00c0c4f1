"""The tools that a session offers to the agent, and what each of them answers when the agent calls it.

In: the entries of `session.tools`, in the shape of Chat Completions (`{type: function, function: {...}}`) or of the
Realtime protocol (flat). Out: definitions that a dialect sends, and answers that `bench.session.tools` gives.
Trap: an answer belongs to the harness and is never sent with the definition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from bench.config.block import Block, Complaint, LongerMs, ScenarioPath, Text, refusal
from bench.config.distributions import DelayField

_NAME = r"^[A-Za-z0-9_-]{1,64}$"
_FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
_KINDS = ("value", "file", "error", "call")
_ALLOWED = "allowed: one of value, file, error, call"
_TESTS = ("matches", "one_of")


def _name(value: object) -> object:
    if not isinstance(value, str) or re.fullmatch(_NAME, value) is None:
        raise refusal(f"found {value!r}; allowed: letters, digits, dash and underscore, 64 at most")
    return value


def _function(value: object) -> object:
    if not isinstance(value, str) or re.fullmatch(_FUNCTION, value) is None:
        raise refusal(f"found {value!r}; allowed: module:function, such as my_tools:lookup_order")
    return value


class Criterion(Block):
    """What one argument must be."""

    matches: Text | None = Field(default=None, description="A regular expression for the whole argument.")
    one_of: tuple[Any, ...] | None = Field(default=None, description="A list of values.")

    def complaints(self) -> Iterator[Complaint]:
        if (self.matches is None) == (self.one_of is None):
            yield Complaint((), "allowed: either matches or one_of")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                yield Complaint(("matches",), f"not a regular expression: {error}")

    def holds(self, argument: object) -> bool:
        """Whether an argument passes."""
        if self.matches is not None:
            return re.fullmatch(self.matches, as_text(argument)) is not None
        return any(same_value(argument, each) for each in self.one_of or ())


def as_text(value: object) -> str:
    """A value as it is compared: `4719` and `"4719"` are the same argument."""
    return value.strip() if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def same_value(argument: object, wanted: object) -> bool:
    """Whether two values are the same to a tool: upper and lower case do not count, nor does number or text."""
    return as_text(argument).casefold() == as_text(wanted).casefold()


def _wanted(value: object) -> object:
    if isinstance(value, Mapping) and value and set(value) <= set(_TESTS):
        return Criterion.model_validate(dict(value))
    return value


def _wanted_yaml(value: object) -> object:
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, Criterion) else value


Wanted = Annotated[Any, PlainValidator(_wanted), PlainSerializer(_wanted_yaml, when_used="json"), WithJsonSchema({})]
"""A value, or `{matches: ...}` or `{one_of: [...]}`."""


def fits(arguments: Mapping[str, Any], when: Mapping[str, Any]) -> bool:
    """Whether `arguments` are what `when` says of them; arguments that it does not name may be anything."""
    return all(
        name in arguments
        and (wanted.holds(arguments[name]) if isinstance(wanted, Criterion) else same_value(arguments[name], wanted))
        for name, wanted in when.items()
    )


class Answer(Block):
    """One answer: a value, the content of a file, an error, or what a function returns."""

    value: Any = Field(
        default=None,
        description="The answer; what is no text is sent as JSON.",
        examples=[{"status": "shipped", "arrives": "Thursday"}],
    )
    file: ScenarioPath | None = Field(
        default=None, description="A file whose text is the answer, relative to this file.", examples=["order.json"]
    )
    error: Text | None = Field(
        default=None,
        description='A failure of the tool, sent as {"error": ...}.',
        examples=["the order system is down"],
    )
    call: Annotated[Text | None, BeforeValidator(lambda value: value if value is None else _function(value))] = Field(
        default=None,
        description="A Python function, module:function, that is given the arguments by name and returns the answer.",
        examples=["my_tools:lookup_order"],
    )
    delay: DelayField | None = Field(
        default=None,
        description="How long the tool takes: a time or a distribution.",
        examples=["300ms", {"lognormal": {"median": "300ms", "sigma": 0.4}}],
    )

    @property
    def given(self) -> list[str]:
        """Which kinds of answer it holds."""
        return [key for key in _KINDS if key in self.model_fields_set and (key == "value" or getattr(self, key))]

    def complaints(self) -> Iterator[Complaint]:
        if len(self.given) > 1:
            yield Complaint((self.given[1],), f"found with {self.given[0]}; {_ALLOWED}")

    def read(self) -> Answer:
        """The same with the content of its file in the place of the path. Raises `OSError`, `UnicodeDecodeError`."""
        if self.file is None:
            return self
        text = Path(self.file).read_text(encoding="utf-8")
        return self.model_copy(update={"file": None, "value": text})

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the kinds of answer that it does not hold: one that is null would be an answer too."""
        shown: dict[str, Any] = dump(self)
        return {key: each for key, each in shown.items() if key not in _KINDS or key in self.given}


class Rule(Answer):
    """An answer to some arguments."""

    when: dict[str, Wanted] = Field(
        default_factory=dict,
        description="What the arguments must be: a value, {matches: REGEX} or {one_of: [...]} by name.",
        examples=[{"order_id": "4719"}],
    )

    def complaints(self) -> Iterator[Complaint]:
        yield from super().complaints()
        if not self.given:
            yield Complaint((), f"no answer; {_ALLOWED}")


class ToolAnswer(Answer):
    """What a tool answers: the first rule that fits the arguments, else its own answer."""

    rules: tuple[Rule, ...] = Field(
        default=(),
        description="Answers by arguments; the first that fits counts. None fits and there is no other answer: an "
        "error is sent that says that nothing was found.",
    )
    timeout_ms: LongerMs = Field(
        default=10_000,
        alias="timeout",
        description="How long the tool may take; then the agent gets an error, and the turn is a tool_timeout.",
        examples=["5s"],
    )

    def complaints(self) -> Iterator[Complaint]:
        yield from super().complaints()
        if not self.given and not self.rules:
            yield Complaint((), f"no answer; {_ALLOWED}, or rules")

    def of(self, arguments: Mapping[str, Any]) -> Answer | None:
        """The answer to `arguments`; None when no rule fits and there is no other."""
        fitting = next((rule for rule in self.rules if fits(arguments, rule.when)), None)
        if fitting is not None:
            return fitting
        return self if self.given else None

    def read(self) -> ToolAnswer:
        own = super().read()
        assert isinstance(own, ToolAnswer)
        return own.model_copy(update={"rules": tuple(rule.read() for rule in self.rules)}) if self.rules else own


def _answer(value: object) -> object:
    """A text, a number or a list is short for `{value: ...}`."""
    return value if isinstance(value, Mapping | Answer) else {"value": value}


def _value_too(schema: dict[str, Any]) -> None:
    """For editors: a plain value is allowed as well as a mapping."""
    plain = [{"type": kind} for kind in ("string", "number", "boolean", "array", "null")]
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, *plain] if "$ref" in schema else plain


def _flat(value: object) -> object:
    """The flat shape for the nested one of Chat Completions."""
    if not isinstance(value, Mapping):
        raise refusal(f"found {value!r}; allowed: a mapping such as {{type: function, name: ..., parameters: ...}}")
    if not isinstance(value.get("function"), Mapping):
        return value
    outer = {key: each for key, each in value.items() if key != "function"}
    inner = dict(value["function"])
    inner.pop("strict", None)  # a promise of Chat Completions, which the Realtime protocol does not know
    return {**outer, **inner}


def _schema(value: object) -> object:
    if not isinstance(value, Mapping):
        raise refusal(f"found {value!r}; allowed: a JSON schema, such as {{type: object, properties: ...}}")
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(value)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise refusal(f"not a JSON schema{f' at {where}' if where else ''}: {error.message[:200]}") from None
    return dict(value)


class Tool(Block):
    """A function that the agent may call, as Chat Completions or the Realtime protocol describe it."""

    type: Literal["function"] = Field(default="function", description="Always function.")
    name: Annotated[str, BeforeValidator(_name)] = Field(
        description="What the agent calls it.", examples=["lookup_order"], json_schema_extra={"pattern": _NAME}
    )
    description: Text | None = Field(default=None, description="What it is for; the agent reads this.")
    parameters: Annotated[dict[str, Any], BeforeValidator(_schema)] = Field(
        default_factory=lambda: {"type": "object", "properties": {}},
        description="JSON schema of its arguments; a call that breaks it is bad_arguments.",
        examples=[{"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}],
    )
    answer: Annotated[ToolAnswer, BeforeValidator(_answer)] = Field(
        description="What it answers; a plain value, or a mapping.",
        examples=["It arrives on Thursday.", {"value": {"status": "shipped"}, "delay": "300ms"}],
        json_schema_extra=_value_too,
    )

    @property
    def wire(self) -> dict[str, Any]:
        """The definition in the flat shape, without the answer."""
        shown: dict[str, Any] = {"type": "function", "name": self.name, "parameters": self.parameters}
        return shown if self.description is None else shown | {"description": self.description}


def _nested_too(schema: dict[str, Any]) -> None:
    """For editors: the shape of Chat Completions is allowed as well."""
    schema["items"] = {"anyOf": [schema["items"], {"type": "object", "required": ["function", "answer"]}]}


Tools = Annotated[tuple[Annotated[Tool, BeforeValidator(_flat)], ...], Field(json_schema_extra=_nested_too)]


def _choice(value: object) -> object:
    if value is None or (isinstance(value, str) and value in {"auto", "none", "required"}):
        return value
    named = value.get("function", value) if isinstance(value, Mapping) else None
    if isinstance(named, Mapping) and isinstance(named.get("name"), str):
        return {"type": "function", "name": named["name"]}
    raise refusal(f"found {value!r}; allowed: auto, none, required, or {{type: function, name: ...}}")


ToolChoice = Annotated[
    Any,
    PlainValidator(_choice),
    WithJsonSchema({"anyOf": [{"enum": ["auto", "none", "required"]}, {"type": "object"}, {"type": "null"}]}),
]
