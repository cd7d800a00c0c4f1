"""What a caller expects of the reply to a step. Trap: what is not expected is not looked at; a step without any has no
result, which is not a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bench.audio.languages import NAMES_ALLOWED, language_of
from bench.config.block import Block, Complaint, LongerMs, Text, refusal
from bench.dialects.tools import Wanted


def _texts(value: object) -> object:
    """A text is short for a list of one."""
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[Text, ...], BeforeValidator(_texts), Field(min_length=1)]


class NumberWanted(Block):
    """A number that the reply must name."""

    value: float = Field(description="The number.", examples=[246.1])
    tolerance: float = Field(default=0, description="How far another number may be from it.", ge=0, examples=[0.5])


class ToolWanted(Block):
    """A tool that the agent must call."""

    name: Text = Field(description="Of the tool.", examples=["lookup_order"])
    arguments: dict[str, Wanted] = Field(
        default_factory=dict,
        description="What its arguments must be: a value, {matches: REGEX} or {one_of: [...]} by name.",
        examples=[{"order_id": "45791"}],
    )


def _number(value: object) -> object:
    return value if isinstance(value, Mapping | NumberWanted) or value is None else {"value": value}


def _tools(value: object) -> object:
    """A name, a mapping, or a list of both."""
    found = list(value) if isinstance(value, list | tuple) else [value]
    return tuple({"name": each} if isinstance(each, str) else each for each in found)


def _language(value: object) -> object:
    if value is None:
        return value
    try:
        return language_of(str(value)).code
    except ValueError:
        raise refusal(f"found {value!r}; allowed: {NAMES_ALLOWED}") from None


def _or_scalar(*kinds: str) -> Any:
    def change(schema: dict[str, Any]) -> None:
        core = {key: schema.pop(key) for key in ("type", "items", "minItems") if key in schema}
        schema["anyOf"] = [*schema.get("anyOf", [core]), *({"type": kind} for kind in kinds)]

    return change


class Expect(Block):
    """Everything that must be true of the reply; absent keys are not looked at."""

    contains: Texts | None = Field(
        default=None,
        description="Words that the reply must say, all of them; case, punctuation and how numbers are written do not "
        "count.",
        examples=["on its way", ["order", "Thursday"]],
        json_schema_extra=_or_scalar("string"),
    )
    one_of: Texts | None = Field(
        default=None,
        description="Words of which the reply must say one.",
        examples=[["delivered", "on its way"]],
        json_schema_extra=_or_scalar("string"),
    )
    matches: Text | None = Field(
        default=None,
        description="A regular expression that must be found in the reply's text; case does not count.",
        examples=["arrives? on (thursday|friday)"],
    )
    number: Annotated[NumberWanted | None, BeforeValidator(_number)] = Field(
        default=None,
        description="A number that the reply must name, in digits or in words.",
        examples=[246.1, {"value": 246, "tolerance": 0.5}],
        json_schema_extra=_or_scalar("number"),
    )
    language: Annotated[Text | None, BeforeValidator(_language)] = Field(
        default=None, description="The language of the reply's text.", examples=["en"]
    )
    tool: Annotated[tuple[ToolWanted, ...], BeforeValidator(_tools)] = Field(
        default=(),
        description="A tool that the agent must call, by name or with its arguments; or a list of them.",
        examples=["lookup_order", {"name": "lookup_order", "arguments": {"order_id": "45791"}}],
        json_schema_extra=_or_scalar("string", "object"),
    )
    latency_ms: LongerMs | None = Field(
        default=None,
        alias="latency",
        description="The most from the end of the caller's speech to the first audible sample (to the first text, "
        "where replies are written).",
        examples=["1500ms"],
    )
    ends_within_ms: LongerMs | None = Field(
        default=None,
        alias="ends_within",
        description="The most from the end of the caller's speech until the reply is heard to its end.",
        examples=["12s"],
    )

    def complaints(self) -> Iterator[Complaint]:
        if not self.model_fields_set:
            yield Complaint((), f"nothing is expected; allowed: {', '.join(_KEYS)}")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                yield Complaint(("matches",), f"not a regular expression: {error}")

    @property
    def facts(self) -> dict[str, Any]:
        """What is stored with a turn, to be graded then and again later."""
        texts = {"latency_ms", "ends_within_ms"}
        shown = self.model_dump(mode="json", exclude_none=True, by_alias=False, exclude=texts)
        times = {"latency_ms": self.latency_ms, "ends_within_ms": self.ends_within_ms}
        return {key: each for key, each in (shown | times).items() if each not in (None, [])}


_KEYS = ("contains", "one_of", "matches", "number", "language", "tool", "latency", "ends_within")
