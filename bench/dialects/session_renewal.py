"""When a long call gets a new session, before the server ends the one that it has.

In: `session.renew`, a word or a mapping. Out: a `Renew`, or None for never. Trap: a session is renewed at a turn
boundary only, so what a scenario says is when that is due, not when it happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from bench.config.block import Block, Complaint, DurationMs, LongerMs, nearest, refusal
from bench.dialects import DEFAULT_DIALECT, dialect_names, dialect_of

DEFAULT_MARGIN_MS = 60_000
SHORTEST_MS = 1_000
_WORD = "before_expiry"


class Renew(Block):
    """A call goes on in a new session of the same server; it stays one call."""

    after_ms: LongerMs | None = Field(
        default=None,
        alias="after",
        description="Age of a session at which it is renewed; null: whatever its age.",
        examples=["25m"],
    )
    before_expiry_ms: DurationMs | None = Field(
        default=DEFAULT_MARGIN_MS,
        alias="before_expiry",
        description="How long before the end that the server told of it is renewed; null: the server's word is not "
        "waited for.",
        examples=["1m"],
    )
    context: Literal["none", "text"] = Field(
        default="none",
        description="What a session that the server does not resume is told of the turns before: nothing, or their "
        "words as text.",
    )

    def complaints(self) -> Iterator[Complaint]:
        """A renewal that is never due, or all the time."""
        if self.after_ms is not None and self.after_ms < SHORTEST_MS:
            yield Complaint(("after",), f"found {self.after_ms}ms; allowed: 1s or more")
        if self.after_ms is None and self.before_expiry_ms is None:
            yield Complaint(("before_expiry",), "found null without after: never; allowed: one of the two, or no renew")


def _renew(value: object, info: ValidationInfo) -> object:
    if value is None:
        return None
    if value == _WORD:
        value = {}
    elif not isinstance(value, Mapping | Renew):
        allowed = f"allowed: {_WORD}, a mapping such as {{after: 25m}}, or null for never"
        raise refusal(f"found {value!r}; {allowed}{nearest(str(value), [_WORD])}")
    name = (info.context or {}).get("dialect", DEFAULT_DIALECT)
    if name in dialect_names() and not dialect_of(name).renews:
        able = ", ".join(each for each in dialect_names() if dialect_of(each).renews)
        raise refusal(f"a session of dialect {name} cannot be renewed; allowed with: {able}")
    return value


def _word_too(schema: dict[str, Any]) -> None:
    """For editors: the plain word is allowed as well as the mapping."""
    schema["anyOf"] = [{"const": _WORD}, *schema["anyOf"]]


RenewField = Annotated[Renew | None, BeforeValidator(_renew)]


def renew_field() -> Any:
    """The field `renew` of a session."""
    return Field(
        default=None,
        description="When a long call gets a new session, at a turn boundary, before the server ends the one it has; "
        "absent: never, and the call then ends as session_expired.",
        examples=["before_expiry", {"after": "25m"}],
        json_schema_extra=_word_too,
    )
