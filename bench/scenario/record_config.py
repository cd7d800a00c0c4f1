"""The `record:` of a scenario: which calls are kept as sound.

In: a share of the calls, or a number of the slowest. Out: a frozen block, and whether call number n is kept.
Trap: the slowest are not known before the end, so for them every call is recorded and most are deleted again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from pydantic import Field

from bench.config.block import Block, Complaint, Count
from bench.scenario.share import ShareOrAll


class RecordConfig(Block):
    """Calls that are kept as stereo WAV files, the caller left and the agent, as heard, right."""

    share: ShareOrAll | None = Field(
        default=None, description="Share of the calls, drawn by the seed; for all of them: 100%.", examples=["5%"]
    )
    slowest: Count | None = Field(
        default=None, description="So many calls with the slowest or missing replies.", examples=[10]
    )

    def complaints(self) -> Iterator[Complaint]:
        """Exactly one of both."""
        if (self.share is None) == (self.slowest is None):
            found = "neither share nor slowest" if self.share is None else "share and slowest"
            yield Complaint((), f"found {found}; allowed: one of them, such as share: 5% or slowest: 10")

    def keeps(self, seed: int, index: int) -> bool:
        """Whether call number `index` is recorded."""
        return self.share is None or random.Random(f"record:{seed}:{index}").random() < self.share
