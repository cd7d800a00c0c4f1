"""The caller cuts into a reply. Trap: the moment is one of *heard* reply; audio arrives long before it is heard."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import Field

from bench.config.block import Block, Complaint, Count, LongerMs, Text
from bench.scenario.steps.expect import Expect
from bench.scenario.steps.say import FixtureChoice, drawn
from bench.scenario.steps.step import StepBlock


class CutIn(Block):
    """When the caller cuts in, and with what."""

    after_ms: LongerMs | None = Field(
        default=None,
        alias="after",
        description="How much of the reply the caller has heard by then, from its first audible sample on.",
        examples=["900ms"],
    )
    words: Count | None = Field(
        default=None, description="How many words of the reply the caller has heard by then.", examples=[4]
    )
    say: FixtureChoice = Field(
        description="Fixture id to speak, or a list of ids of which each session draws one by the seed.",
        examples=["no-wrong-kal16"],
    )
    by: Literal["server", "client"] | None = Field(
        default=None,
        description="Who stops the reply: the server when it hears the caller, or the client by asking for it. Absent: "
        "the client in push to talk and with interrupt_response: false, else the server.",
    )

    def complaints(self) -> Iterator[Complaint]:
        """No moment, or two."""
        if self.after_ms is None and self.words is None:
            yield Complaint((), "nothing says when; allowed: after (such as 900ms) or words (such as 4)")
        if self.after_ms is not None and self.words is not None:
            yield Complaint(("words",), "found with after; allowed: one of them")


class Interrupt(StepBlock):
    """The caller speaks into the reply to the step before it; that is one turn."""

    KIND = "interrupt"
    TURNS = 1
    CUTS_IN = True
    HAS_REPLY = True

    interrupt: CutIn = Field(
        description="The moment of the reply, and what is spoken into it.",
        examples=[{"after": "900ms", "say": "no-wrong-kal16"}],
    )
    id: Text | None = Field(default=None, description="A name for this step in reports.", examples=["cut-in"])
    expect: Expect | None = Field(
        default=None,
        description="What must be true of the reply; task success counts the turns in which all of it is.",
        examples=[{"contains": "on its way"}],
    )

    @property
    def all_expected(self) -> tuple[Expect, ...]:
        return (self.expect,) if self.expect else ()

    @property
    def fixture_ids(self) -> tuple[str, ...]:
        return self.interrupt.say

    def draw(self, rng: random.Random, known: Collection[str] | None = None) -> str:
        """The fixture id that a session speaks; always takes one number from `rng`."""
        return drawn(self.interrupt.say, rng, known)
