"""The caller presses keys of a telephone. Trap: what the agent answers to them is of no turn; `listen` hears it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from bench.config.block import DurationMs, Text, refusal
from bench.scenario.steps.step import StepBlock

KEYS = "0123456789*#ABCD"


def _keys(value: str) -> str:
    wrong = [key for key in value if key not in KEYS]
    if wrong:
        raise refusal(f"found '{wrong[0]}' in '{value}'; allowed: the keys 0 to 9, *, #, A, B, C and D, without spaces")
    return value


class Press(StepBlock):
    """The caller presses keys, one after the other; no turn."""

    KIND = "press"
    NEEDS_KEYPAD = True

    keys: Annotated[Text, AfterValidator(_keys)] = Field(
        alias="press",
        description="The keys, in this order; in quotes, so that they stay a text.",
        examples=["1#"],
    )
    apart_ms: DurationMs = Field(
        default=300, alias="apart", description="From one key to the next, and after the last.", examples=["300ms"]
    )
