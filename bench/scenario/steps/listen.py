"""The caller waits for the agent to speak first. Trap: most services greet only when they are asked to (`ask`)."""

from __future__ import annotations

from pydantic import Field

from bench.config.block import LongerMs, Text
from bench.scenario.steps.step import StepBlock


class Listen(StepBlock):
    """The caller is silent until it has heard what the agent says of its own accord, such as a greeting."""

    KIND = "listen"
    HAS_REPLY = True

    listen_ms: LongerMs = Field(
        alias="listen",
        description="How long the caller waits for the agent to begin to speak; what was begun is heard to its end.",
        examples=["10s", "5s"],
    )
    ask: bool = Field(default=False, description="Ask the agent to speak, for servers that do not greet by themselves.")
    id: Text | None = Field(default=None, description="A name for this step in reports.", examples=["greeting"])
