"""The caller is silent."""

from __future__ import annotations

from pydantic import Field

from bench.config.block import LongerMs
from bench.scenario.steps.step import StepBlock


class Pause(StepBlock):
    """The caller is silent, microphone open, after the reply before has ended."""

    KIND = "pause"

    pause_ms: LongerMs = Field(
        alias="pause", description="How long the caller waits before the next step.", examples=["1s", "500ms"]
    )
