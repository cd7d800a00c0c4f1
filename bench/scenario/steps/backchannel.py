"""A sound that the caller makes while it listens. Trap: it is no turn; a server that stops for it is wrong."""

from __future__ import annotations

import random
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo

from bench.audio.catalogue import load_catalogue, shipped_sounds
from bench.config.block import LongerMs, Text
from bench.scenario.steps.say import AS_WRITTEN, CHOICE_SCHEMA, checked_ids, drawn
from bench.scenario.steps.step import StepBlock


def _sound_ids(value: object, info: ValidationInfo) -> tuple[str, ...]:
    return checked_ids(value, info, tuple(load_catalogue(shipped_sounds()).fixtures))


class Backchannel(StepBlock):
    """The caller says "mm-hm", coughs or shuts a door while the reply to the step before it is heard."""

    KIND = "backchannel"
    CUTS_IN = True
    HAS_REPLY = True
    NEEDS_OPEN_MICROPHONE = True

    backchannel: Annotated[tuple[str, ...], BeforeValidator(_sound_ids), AS_WRITTEN, CHOICE_SCHEMA] = Field(
        description="A shipped sound (mm-hm, uh-huh, okay, right, cough, door), a fixture id, or a list of which each "
        "session draws one by the seed.",
        examples=["mm-hm", ["mm-hm", "cough"]],
    )
    after_ms: LongerMs = Field(
        default=1000,
        alias="after",
        description="How much of the reply the caller has heard by then, from its first audible sample on.",
        examples=["1s"],
    )
    id: Text | None = Field(default=None, description="A name for this step in reports.", examples=["nod"])

    @property
    def sound_ids(self) -> tuple[str, ...]:
        return self.backchannel

    def draw(self, rng: random.Random) -> str:
        """The sound that a session makes; always takes one number from `rng`."""
        return drawn(self.backchannel, rng)
