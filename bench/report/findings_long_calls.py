"""Calls that outlived a session, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Part, Rate


class LongCalls(Part):
    """Of the measured calls; empty where none was renewed and none was ended by its age."""

    calls: int = 0
    renewed: int = 0
    """Calls that went on in at least one new session."""
    renewals: int = 0
    failed: int = 0
    """Renewals that led to no session; each ended its call."""
    by: dict[str, int] = Field(default_factory=dict)
    """Renewals by what made them due: `after`, `expiry`, `notice`."""
    resumed: int = 0
    """Renewals in which the server went on with the context."""
    retold: int = 0
    """Texts of earlier turns that new sessions were told."""
    expired: Rate | None = None
    lifetime_s: float | None = None
    """The median of what the server told when calls began."""
    notice_ms: float | None = None
