"""The `estimate:` of a scenario: what an estimate of its cost assumes of the server.

In: how long replies are, and how many tokens a second and a word have. Out: one frozen block.
Trap: nothing here changes a run or its bill. It is for `bench cost`, and for what a budget cannot know yet.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bench.config.block import Block, DurationMs, LongerMs

Positive = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


class EstimateConfig(Block):
    """Figures of the server that are not in the scenario otherwise."""

    reply_ms: LongerMs | None = Field(
        default=None,
        alias="reply",
        description="Length of a reply; absent: what the embedded server says, and of any other server 6s (3s to 12s).",
        examples=["4s"],
    )
    wait_ms: DurationMs = Field(
        default=500,
        alias="wait",
        description="From the end of the caller's turn until the reply is heard; it lengthens calls.",
        examples=["500ms"],
    )
    words_per_s: Positive = Field(default=2.5, description="Words that the agent speaks in a second.", examples=[2.5])
    tokens_per_word: Positive = Field(default=1.33, description="Text tokens of a word.", examples=[1.33])
    caller_tokens_per_s: Positive = Field(
        default=10.0, description="Audio tokens of a second of the caller.", examples=[10]
    )
    agent_tokens_per_s: Positive = Field(
        default=20.0, description="Audio tokens of a second of the reply.", examples=[20]
    )
    cache_from: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        default=1024,
        description="Input that the response before had too is billed as cached from this many tokens on; null: never.",
        examples=[1024],
    )
