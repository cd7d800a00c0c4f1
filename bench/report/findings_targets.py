"""Targets that were called in turn in one run, side by side, as data of `summary.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")


class Figure(_Part):
    """A value with its 95 % limits; None where it was not measured, or rests on too few calls for limits."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class TargetRow(_Part):
    """One target. Latencies are those of the run's headline, over answered turns after warm-up."""

    name: str
    rank: int
    """From 1, the fastest median first, turns without an answer counted as never."""
    url: str | None = None
    model: str | None = None
    calls: int
    """Calls after warm-up, of which `ready` were configured and acknowledged."""
    ready: int
    turns: int
    answered: int
    p50: Figure = Field(default_factory=Figure)
    p95: Figure = Field(default_factory=Figure)
    error_rate: Figure = Field(default_factory=Figure)
    errors: int = 0
    """Turns with an error, of `turns`."""
    wer: Figure = Field(default_factory=Figure)
    cost_per_minute_usd: Figure = Field(default_factory=Figure)


class TargetsReport(_Part):
    """Several targets of one run, the best first."""

    metric: str | None
    """The latency that they are ranked by; None where no turn was spoken."""
    title: str
    rows: list[TargetRow]
