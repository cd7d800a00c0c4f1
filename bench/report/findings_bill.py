"""The bill of a run, as data of `summary.json`.

Trap: None is "not known" and shown as "-". A meter whose price is missing has no `usd`, and `lacking` says why.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.report.findings_parts import Part


class BillMeter(Part):
    """One meter over the whole run, warm-up and what belongs to no turn included."""

    name: str
    unit: Literal["tokens", "minutes", "characters"]
    quantity: float
    rate_usd: float | None = None
    """USD per million tokens, or per minute; None where it is not known, or models with several rates were called."""
    usd: float | None = None


class UnitPrice(Part):
    """What one of something costs, over measured rows that have a price, with 95 % limits."""

    name: Literal["turn", "call", "talk_minute", "1000_calls"]
    title: str
    usd: float | None = None
    low_usd: float | None = None
    high_usd: float | None = None
    n: int = 0
    """Turns or calls that it stands on."""


class GrowthRow(Part):
    """The turns with the same number in their call: means over those that were answered."""

    turn: int
    """1 is the first."""
    n: int
    input_tokens: float | None = None
    cached_tokens: float | None = None
    output_tokens: float | None = None
    usd: float | None = None
    low_usd: float | None = None
    high_usd: float | None = None


class CacheSaving(Part):
    """What the cache saved: its tokens at the price of fresh ones, less what was paid for them."""

    input_tokens: int
    cached_tokens: int
    paid_usd: float | None = None
    fresh_usd: float | None = None
    saved_usd: float | None = None


class PricePoint(Part):
    """What the run's use of the model cost at the prices of one dated book; None: a rate is missing, see `lacking`."""

    date: str
    book: str
    usd: float | None = None
    lacking: list[str] = Field(default_factory=list)


class PriceLine(Part):
    """The same traffic as one model, by date. The transcription of callers is left out: it has prices of its own."""

    model: str
    of_run: bool = True
    """The run called this model; else it is the successor that the newest book names."""
    points: list[PricePoint] = Field(default_factory=list)


class Bill(Part):
    """Where the money went. `meters` is empty where the rows do not hold what the run's cost was made of."""

    meters: list[BillMeter] = Field(default_factory=list)
    lacking: list[str] = Field(default_factory=list)
    """Meters without a price or a count, and in how many rows; while there are any, sums are lower bounds."""
    units: list[UnitPrice] = Field(default_factory=list)
    growth: list[GrowthRow] = Field(default_factory=list)
    cache: CacheSaving | None = None
    """None where no input came from a cache."""
    history: list[PriceLine] = Field(default_factory=list)
    """Models with two dated prices or more."""
    priced_again: str | None = None
    """The book that these prices are of, where it is not what the run was priced with."""


class Projected(Part):
    """A projected mean with its 95 % limits; limits are None where the run has too few calls for them."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Projection(Part):
    """A launch with the traffic of a run. Of `own_*` are the calls of the run, of the others those to expect."""

    target: str | None = None
    minutes: float
    calls: int
    """Calls that it is learned from."""
    own_minutes: float
    own_turns: float
    own_call_usd: float | None = None
    longest_turns: int
    """Turns of the run's longest call."""
    extrapolated: bool = False
    """The calls to expect have more turns than any of the run."""
    by_minute: bool = False
    """The model is billed by the minute, so that cost grows with length alone."""
    calls_per_day: float | None = None
    days: int = 30
    peak_share: float | None = None
    turns: Projected
    call_usd: Projected
    minute_usd: Projected
    call_tokens: Projected
    """Input and output of all responses of a call, cached tokens too."""
    last_input_tokens: float | None = None
    """Input of the last response of a call."""
    day_usd: Projected | None = None
    month_usd: Projected | None = None
    peak_calls_per_hour: float | None = None
    peak_calls_at_once: float | None = None
    peak_lines: int | None = None
    """So many lines that at most 1 % of calls find none free (Erlang B)."""
    peak_tokens_per_min: Projected | None = None
    peak_responses_per_min: Projected | None = None
    peak_hour_usd: Projected | None = None


class ModelBill(Part):
    """The traffic of the run as one model; None where a rate is missing, which `lacking` names."""

    model: str
    as_run: bool = False
    """What the run itself was priced as."""
    usd: float | None = None
    known_usd: float | None = None
    """The part that could be priced."""
    minute: UnitPrice
    per_1000: UnitPrice
    month_usd: Projected | None = None
    books: list[str] = Field(default_factory=list)
    lacking: list[str] = Field(default_factory=list)
