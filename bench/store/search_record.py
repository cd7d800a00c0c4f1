"""What a search for a ceiling was asked for, and the levels that it played: part of `run.json`.

In: nothing. Out: types. Trap: what decided a level is stored as it was decided while the run went on; the figures of a
level are computed from its rows.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.store.certificate import StoredPart

LimitKind = Literal[
    "sessions",
    "handshake",
    "tokens",
    "requests",
    "rate_limit",
    "closed",
    "latency",
    "stalls",
    "words",
    "tasks",
    "turn_taking",
    "errors",
    "silence",
    "generator",
]
LIMITS: dict[LimitKind, str] = {
    "sessions": "calls open at the same time",
    "handshake": "refused handshakes",
    "tokens": "tokens per minute",
    "requests": "requests per minute",
    "rate_limit": "a rate limit that the server does not name",
    "closed": "calls that the server closed",
    "latency": "latency",
    "stalls": "stalls in replies",
    "words": "word errors",
    "tasks": "task success",
    "turn_taking": "turn taking",
    "errors": "errors",
    "silence": "silence",
    "generator": "this machine, not the target",
}
"""What ended the rise of load, in words."""


class LevelNeed(StoredPart):
    """What a level needs of one limit, by what was learned of whole calls."""

    name: str
    """`tokens` or `requests`."""
    per_min: float
    low_per_min: float | None = None
    high_per_min: float | None = None
    limit_per_min: float
    """As the server reported it."""


class LevelPlayed(StoredPart):
    """One look at one level of a search; `held` is null while it is under way, and where it was cut off."""

    phase: str
    """As its rows have it; a level that is looked at twice has the same in both."""
    level: float
    aim: Literal["double", "halve", "confirm"]
    started_at: float
    """Wall-clock seconds (Unix), when its first call was due."""
    settled_at: float
    """When its turns began to count."""
    ended_at: float | None = None
    held: bool | None = None
    sure: bool = False
    """The interval of the share of good turns lay on one side of what was asked."""
    reason: LimitKind | None = None
    """What decided against it; null for a level that was carried."""
    sentence: str | None = None
    good: int = 0
    """Good turns of those that count, both looks at a level together."""
    turns: int = 0
    goodput_low: float | None = None
    goodput_high: float | None = None
    """95 % limits of the share of good turns, which count turns of one call as less than independent ones."""
    causes: dict[str, int] = Field(default_factory=dict)
    """Why turns were not good, most frequent first."""
    calls: int = 0
    """Calls that began."""
    needs: list[LevelNeed] = Field(default_factory=list)
    waited_s: float = 0.0
    """How long was waited before it, for a rate limit to pass."""
    frame_late_p99_ms: float | None = None
    cpu_share_peak: float | None = None
    """Of one core, the busiest worker."""


class SearchRecord(StoredPart):
    """What a search was asked for and the levels that it played, in order."""

    of: Literal["callers", "rate"]
    first: float
    most: float
    precision: float
    goodput: float
    confidence: float
    objectives: list[str]
    default_objectives: bool = False
    """The scenario names none: they are the program's own."""
    planned_peak: float | None = None
    levels: list[LevelPlayed] = Field(default_factory=list)
    finished: bool = False
    """Nothing was left to find out; false for a search that was cut off."""
