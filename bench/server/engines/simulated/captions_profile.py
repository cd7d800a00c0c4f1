"""How words are sent while the caller still speaks: the block `captions` of a profile."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.config.block import Block, LongerMs
from bench.config.distributions import DelayField, constant


class CaptionsProfile(Block):
    """How words are sent while the caller speaks."""

    delay: DelayField = Field(default=constant(300), description="From the end of a word's sound to its piece.")
    style: Literal["delta", "updated"] = Field(
        default="delta", description="`delta`: pieces that are added; `updated`: the whole text so far, each time."
    )
    unstable: float = Field(default=0, description="Share of the words that are another word at first.", ge=0, le=1)
    revise: LongerMs = Field(
        default=400, description="After which such a word is put right; with `delta`, only the final text does that."
    )
