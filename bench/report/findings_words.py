"""What the words of the turns say, as data of `summary.json`: what the server understood, and what it replied."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.report.findings_parts import Interval, Part


class WordRow(Part):
    """A pooled word error rate: (substitutions + deletions + insertions) / reference words."""

    name: str
    turns: int
    reference_words: int
    substitutions: int
    deletions: int
    insertions: int
    wer: float | None = None
    interval: Interval | None = None
    wer_raw: float | None = None
    wer_whisper: float | None = None
    """The same on the texts as they are, pooled by the words of each reference."""
    cer: float | None = None
    """Pooled character error rate, for languages that put no spaces between words."""


class AlignedWords(Part):
    op: Literal["equal", "substitute", "delete", "insert"]
    reference: str
    hypothesis: str


class Confusion(Part):
    """A word that was taken for another: `heard` is empty for a word that was lost, `said` for one that was added."""

    said: str
    heard: str
    times: int
    turns: int


class BadlyHeard(Part):
    """A turn with many word errors and how its two texts line up; `turns` were heard in exactly this way."""

    session_id: str
    turn: int
    turns: int
    fixture: str
    voice: str
    accent: str
    errors: int
    wer: float | None
    alignment: list[AlignedWords]


class Words(Part):
    """Recognition of the caller's words. `expected` turns could have been transcribed, `scored` were."""

    expected: int
    scored: int
    failed: int
    """Turns whose transcription the server reported as failed."""
    empty: int = 0
    """Turns whose transcription came without a word; all their words count as lost. Those without any are missing."""
    normalisers: list[str] = Field(default_factory=list)
    incomparable: str | None = None
    """Why no rate is given though turns have one: their texts were normalised by different rules."""
    overall: WordRow | None = None
    method: str | None = None
    cuts: dict[str, list[WordRow]] = Field(default_factory=dict)
    """By target, accent, voice, fixture, language, condition and calls open: cuts with more than one value, and accent
    and voice."""
    not_shown: dict[str, int] = Field(default_factory=dict)
    """By cut: how many better rows were left out of a long table."""
    worst: list[BadlyHeard] = Field(default_factory=list)
    confusions: list[Confusion] = Field(default_factory=list)


class MisheardReply(Part):
    """A reply in which the recogniser heard other words than its transcript has."""

    session_id: str
    turn: int
    written: str
    heard: str
    errors: int


class ReplyWordsReport(Part):
    """What a recogniser heard of the replies, and how well it hears at all."""

    recogniser: str
    listened: int
    skipped: dict[str, int] = Field(default_factory=dict)
    wer: float | None
    interval: Interval | None = None
    reference_words: int
    substitutions: int
    deletions: int
    insertions: int
    floor: float | None = None
    """Its rate on the embedded voice, whose words are known."""
    floor_words: int | None = None
    other: float | None = None
    """The rate of the same replies against the transcripts of other replies."""
    seconds: float = 0.0
    worst: list[MisheardReply] = Field(default_factory=list)
