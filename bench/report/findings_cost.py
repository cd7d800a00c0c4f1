"""What a run cost, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Interval, Part
from bench.store.manifest import BudgetUsed, EstimatedCost


class Meter(Part):
    name: str
    title: str
    usd: float | None
    tokens: int | None = None


class UnknownMeter(Part):
    """A meter that was used and could not be summed, why, and in how many turns, or calls outside their turns."""

    meter: str
    reason: str
    turns: int = 0
    calls: int = 0


class CostReport(Part):
    """Money. Totals are of everything that was sent, warm-up too; the unit prices are of measured rows."""

    total_usd: float | None
    at_least: bool = False
    """Some meter is unknown: the total is a lower bound."""
    unknown: list[UnknownMeter] = Field(default_factory=list)
    failed_turns: int = 0
    failed_usd: float | None = None
    """Known cost of the turns that nobody answered; part of the total."""
    other_responses: int = 0
    other_usd: float | None = None
    """Known cost of the responses that belong to no turn; part of the total and of what a call costs."""
    warmup_usd: float | None
    priced_turns: int
    unpriced_turns: int
    unpriced_answered: int
    """Turns with an answer and no known price: while there are any, the total is a lower bound."""
    notes: dict[str, int]
    """Why turns could not be priced in full, with how many of them."""
    meters: list[Meter]
    usage: dict[str, float]
    """Sum of each usage column that was reported at all."""
    per_turn_usd: float | None
    per_session_usd: float | None
    per_conversation_minute_usd: float | None
    per_conversation_minute_interval: Interval | None = None
    per_1000_sessions_usd: float | None
    conversation_minutes: float
    books: list[str]
    example_prices: bool
    estimate: EstimatedCost | None = None
    """What the plan was expected to cost before the run."""
    budget: BudgetUsed | None = None
    """The limits of the run and what was used of them; None without a budget."""
