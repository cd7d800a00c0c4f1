"""How a spoken sentence leaves the server: words a little ahead of their sound, faster than real time.

The first chunks go at once, so that a listener can start; the rest follows at a multiple of real time, by absolute
deadlines over the whole reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from bench.audio.formats import AudioFormat

CHUNK_MS = 200
LEAD_MS = 400  # of audio sent without waiting
SPEED = 4.0  # times real time afterwards


@dataclass(slots=True)
class ReplyPacer:
    """The delivery clock of one reply."""

    audio_format: AudioFormat
    started_at: float | None = None
    sent_ms: float = 0.0

    async def sentence(self, text: list[str], audio: bytes) -> AsyncGenerator[str | bytes, None]:
        """The pieces of one sentence at their times; `text` is what of its words was not sent before."""
        loop = asyncio.get_running_loop()
        bytes_per_ms = self.audio_format.rate_hz * self.audio_format.bytes_per_sample // 1000
        size = CHUNK_MS * bytes_per_ms
        chunks = [audio[start : start + size] for start in range(0, len(audio), size)]
        if self.started_at is None:
            self.started_at = loop.time()
        said = 0
        for index, chunk in enumerate(chunks):
            due = self.started_at + max(0.0, self.sent_ms - LEAD_MS) / 1000 / SPEED
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            upto = -(-len(text) * (index + 1) // len(chunks))
            if upto > said:
                yield "".join(text[said:upto])
                said = upto
            yield chunk
            self.sent_ms += len(chunk) / bytes_per_ms
        if said < len(text):
            yield "".join(text[said:])
