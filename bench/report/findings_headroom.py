"""Rate limits and headroom, as data of `summary.json`.

Trap: None is "not known" and shown as "-". A figure at 100 % of a limit is what that limit carries; the endpoint may
carry less.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.report.findings_parts import Figure, Part

Per = Literal["minute", "hour", "day", "at once", "unknown"]
"""What a limit is counted over; `at once` is a number of open calls."""


class MinuteUse(Part):
    """What a call uses in one of its minutes, per minute of calls."""

    minute: int
    """1 is the first."""
    calls: int
    """Calls that came so far."""
    in_tokens: float | None = None
    out_tokens: float | None = None
    tokens: Figure
    requests: Figure


class LimitRow(Part):
    """One limit that the server told of, and what it carries."""

    name: str
    source: str
    """`event`, `header`, or both."""
    told: int
    """How often."""
    per: Per
    limit: float | None = None
    lowest: float | None = None
    """The least that remained of it."""
    used_share: float | None = None
    """Of the limit, when the least remained: by whoever shares it."""
    longest_reset_s: float | None = None
    per_call_minute: Figure = Field(default_factory=Figure)
    """What a call uses of it a minute; None where that is not known of this limit."""
    calls_at_once: Figure = Field(default_factory=Figure)
    """Calls at 100 % of it that began at different times."""
    calls_together: float | None = None
    """Calls at 100 % of it that all began together, in their dearest minute."""
    calls_reserved: float | None = None
    """Calls at 100 % of it where every response counts with the most that it may say."""
    calls_begun: Figure = Field(default_factory=Figure)
    """Calls that may begin in the time that it is counted over."""
    peak_share: float | None = None
    """Part of it that the peak uses; above 1 it is not enough."""
    binding: bool = False
    """It is the first to be used up."""


class NeedRow(Part):
    """What the peak needs, and the limit to ask for."""

    name: Literal["tokens", "requests"]
    used: Figure
    """A minute, by calls that began at different times."""
    together: float | None = None
    """A minute, by calls that all began together, in their dearest minute; None for a rate of calls."""
    ask: float | None = None
    """The limit to ask for at the least: the higher end of both, rounded up to two digits."""
    ask_reserved: float | None = None
    """The same where every response counts with the most that it may say; None for requests."""
    limit: float | None = None
    """As the server told it."""


class Headroom(Part):
    """Limits and use of one target."""

    target: str | None = None
    """None in a run with one target."""
    calls: int
    """Calls that use is learned from; without one there are no figures of use."""
    whole: bool = True
    """Calls that came to their own end; False where there were too few, so that others are among them."""
    call_minutes: float | None = None
    """How long they were, on average."""
    tokens_per_call_minute: Figure = Field(default_factory=Figure)
    requests_per_call_minute: Figure = Field(default_factory=Figure)
    tokens_per_call: Figure = Field(default_factory=Figure)
    requests_per_call: Figure = Field(default_factory=Figure)
    minutes: list[MinuteUse] = Field(default_factory=list)
    limits: list[LimitRow] = Field(default_factory=list)
    """Empty where neither an event nor a header told of one."""
    needs: list[NeedRow] = Field(default_factory=list)
    peak: float
    """Calls at once, or calls that begin per minute."""
    peak_is_rate: bool = False
    peak_at_once: float | None = None
    """Calls that are open at the peak; of a rate, with calls as long as those of the run."""
    peak_planned: bool = False
    """Whether the scenario says so (`load.planned_peak`); else it is an example."""
    reserved_tokens: int
    """The most that a response may say."""
    reserved_assumed: bool = False
    """The scenario does not say it: it is the most that is documented."""
    run_peak: int | None = None
    """The most calls that the run itself had open at once."""
    without_usage: int = 0
    refused: int = 0
    retry_after_s: float | None = None
    """The longest that a refused handshake asked to wait."""
    cautions: list[str] = Field(default_factory=list)
    """What else a reader must know before relying on the figures."""

    @property
    def binding(self) -> LimitRow | None:
        """The limit that is used up first."""
        return next((each for each in self.limits if each.binding), None)
