"""Captions of a run, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Figure, Part


class CaptionRow(Part):
    """The turns that have one value of a column, or all: delays of all their words together."""

    name: str
    turns: int
    words: int
    """Words whose ends are known."""
    shown_ms: list[Figure] = Field(default_factory=list)
    """Percentiles, of `Captions.percents`: the end of a word -> it is shown."""
    settled_ms: list[Figure] = Field(default_factory=list)
    changes: int = 0
    words_shown: int = 0


class Captions(Part):
    """Captions of the measured turns; empty in a run without sessions that only transcribe."""

    percents: list[float] = Field(default_factory=list)
    rows: list[CaptionRow] = Field(default_factory=list)
    """All turns first, then each target where there are several."""
    untimed_turns: int = 0
    """Turns with a final text of which no end of a word is known."""
    cost_usd: float | None = None
    """Of the calls whose cost is known."""
    audio_minutes: float | None = None
    """Minutes of audio that these calls sent, silence included."""
    speech_minutes: float | None = None
