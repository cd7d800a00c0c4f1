"""The `record:` of a scenario: which calls are kept as sound.

In: a share of the calls, or a number of the slowest. Out: a frozen block, and whether call number n is kept.
Trap: the slowest are not known before the end, so for them every call is recorded and most are deleted again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from pydantic import Field

from bench.config.block import Block, Complaint, Count
from bench.scenario.share import ShareOrAll

SHIPPED = "pocketsphinx"
"""The recogniser that comes with the package."""
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class RecordConfig(Block):
    """Calls that are kept as stereo WAV files, the caller left and the agent, as heard, right."""

    share: ShareOrAll | None = Field(
        default=None, description="Share of the calls, drawn by the seed; for all of them: 100%.", examples=["5%"]
    )
    slowest: Count | None = Field(
        default=None, description="So many calls with the slowest or missing replies.", examples=[10]
    )

    reply_words: str | None = Field(
        default=None,
        description="After the run, a recogniser listens to the replies of these calls, and what it hears is compared "
        "with their transcripts: pocketsphinx, or a Python function, module:function. Off unless it is given.",
        examples=["pocketsphinx", "my_recogniser:hear"],
    )

    def complaints(self) -> Iterator[Complaint]:
        """Exactly one of both."""
        if (self.share is None) == (self.slowest is None):
            found = "neither share nor slowest" if self.share is None else "share and slowest"
            yield Complaint((), f"found {found}; allowed: one of them, such as share: 5% or slowest: 10")
        if self.reply_words is not None and self.reply_words != SHIPPED and not _FUNCTION.fullmatch(self.reply_words):
            allowed = f"{SHIPPED}, or module:function, such as my_recogniser:hear"
            yield Complaint(("reply_words",), f"found {self.reply_words!r}; allowed: {allowed}")

    def keeps(self, seed: int, index: int) -> bool:
        """Whether call number `index` is recorded."""
        return self.share is None or random.Random(f"record:{seed}:{index}").random() < self.share
