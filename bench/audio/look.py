"""What every sign against an annotation is judged from, and what a sign says.

In: nothing by itself; `evidence.judge` makes a `Look`. Out: levels and shares between two times. Trap: levels are of
10 ms, their middle 40 ms wide, so an edge is blurred by 20 ms; what must be sharp is taken from the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import HeardLevel, SpeechSpan
from bench.audio.voicing import HOP_MS, Voicing

Gravity = Literal["refusal", "doubt"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason not to believe an annotation, in words and numbers."""

    gravity: Gravity
    message: str


@dataclass(frozen=True, slots=True)
class Look:
    """What every sign is judged from."""

    pcm: NDArray[np.int16]
    rate_hz: int
    duration_ms: float
    heard: HeardLevel
    model: SpeechSpan | None
    voice: Voicing
    text: str
    language: str
    samples: NDArray[np.float64]
    """Full scale at 1.0, without what lies under 75 Hz."""
    live: bool = False
    """From a microphone that a person opened and closed, and no file of a catalogue: messages call its end so."""

    @property
    def span(self) -> SpeechSpan:
        return self.heard.span

    @property
    def background_db(self) -> float | None:
        """The level outside the speech; None when the recording holds nothing but speech."""
        levels = self.voice.level_db
        first, last = int(self.span.start_ms // HOP_MS), int(self.span.end_ms // HOP_MS)
        outside = np.concatenate((levels[: max(0, first - 3)], levels[last + 4 :]))
        # of a recording that is cut tight, the most is a voice that dies away
        return float(np.percentile(outside, 75 if len(outside) >= 20 else 25)) if len(outside) >= 5 else None

    def part(self, values: NDArray[np.bool_], start_ms: float, end_ms: float) -> float:
        inside = values[self.voice.within(start_ms, end_ms)]
        return float(inside.mean()) if len(inside) else 0.0

    def loudest_db(self, start_ms: float, end_ms: float) -> float:
        return float(self.voice.level_db[self.voice.within(start_ms, end_ms)].max(initial=-120.0))
