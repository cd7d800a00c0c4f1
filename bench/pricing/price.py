"""From usage to money: what one turn cost, by meter.

In: the tokens a server billed, the transcription usage, the rates of both models. Out: a `Cost`.
Trap: cached tokens are a *part* of the input tokens, not an addition. A used meter without a known price or count makes
the total null; the sum of the known meters is a separate value and is never shown as the price.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bench.facts.signals import TranscriptionUsage, Usage
from bench.pricing.book import Rates, TokenMeters, TokenPrices, TranscriptionMeters

Side = Literal["input", "cached", "output"]
_MODALITIES: tuple[Literal["text", "audio", "image"], ...] = ("text", "audio", "image")
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """USD of one turn. `total_usd` is null unless every used meter is known; `known_usd` sums those that are.

    `input_usd` is for input tokens outside the cache. `notes` says why something is null or doubtful.
    """

    total_usd: float | None = None
    known_usd: float | None = None
    input_usd: float | None = None
    cached_usd: float | None = None
    output_usd: float | None = None
    transcription_usd: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Bill:
    """Running sums by side; a side becomes unknown (None) for good as soon as one part of it is."""

    usd: dict[Side, float | None] = field(default_factory=lambda: {"input": 0.0, "cached": 0.0, "output": 0.0})
    notes: list[str] = field(default_factory=list)

    def charge(self, side: Side, tokens: int, usd_per_million: float | None, what: str) -> None:
        """Add `tokens` to `side`; none used cost nothing, whether or not they have a price."""
        if not tokens:
            return
        if usd_per_million is None:
            self.unknown(f"no price for {what}", side)
        elif (sum_so_far := self.usd[side]) is not None:
            self.usd[side] = sum_so_far + tokens * usd_per_million / _MILLION

    def unknown(self, note: str, *sides: Side) -> None:
        """Say why `sides` have no sum."""
        for side in sides:
            self.usd[side] = None
        self.notes.append(note)


def price_turn(
    usage: Usage | None,
    transcription: TranscriptionUsage | None,
    rates: Rates | None,
    transcription_rates: TranscriptionMeters | None,
    *,
    transcribed: bool = False,
) -> Cost:
    """Price one turn: sum over text, audio, image of (in - cached) * p_in + cached * p_cached + out * p_out.

    `transcribed` says that the caller was transcribed, so that a missing `transcription` usage is a missing meter
    and not nothing to pay.
    """
    bill = _tokens(usage, rates)
    notes = list(bill.notes)
    spoken: float | None = None
    if transcription is not None or transcribed:
        spoken, note = _transcription(transcription, transcription_rates)
        notes += [note] if note else []
    parts = list(bill.usd.values())
    if transcription is not None or transcribed:
        parts.append(spoken)
    known = [part for part in parts if part is not None]
    return Cost(
        total_usd=sum(known) if len(known) == len(parts) else None,
        known_usd=sum(known) if known else None,
        input_usd=bill.usd["input"],
        cached_usd=bill.usd["cached"],
        output_usd=bill.usd["output"],
        transcription_usd=spoken,
        notes=tuple(notes),
    )


def price_minutes(rates: Rates | None, minutes: float | None) -> float | None:
    """The price of a session that is billed by its length; None when the model is not, or anything is unknown."""
    if rates is None or rates.session_usd_per_minute is None or minutes is None or minutes < 0:
        return None
    return rates.session_usd_per_minute * minutes


def _tokens(usage: Usage | None, rates: Rates | None) -> _Bill:
    bill = _Bill()
    if rates is None:
        bill.unknown("no price for this model", "input", "cached", "output")
    elif rates.tokens_usd_per_million is None:
        bill.unknown("billed by the minute of the session, not by the turn", "input", "cached", "output")
    elif usage is None:
        bill.unknown("the server reported no usage", "input", "cached", "output")
    elif _all_zero(usage):
        bill.unknown("the server reported a usage of zero tokens", "input", "cached", "output")
    else:
        _add_input(bill, usage, rates.tokens_usd_per_million)
        _add_output(bill, usage, rates.tokens_usd_per_million)
    return bill


def _all_zero(usage: Usage) -> bool:
    """Whether nothing was counted: a response always has input, so zeros are how some servers fill the form."""
    counts = [getattr(usage, f"{side}_{kind}_tokens", None) for side in ("in", "out") for kind in _MODALITIES]
    return not any(counts) and any(count is not None for count in counts)


def _add_input(bill: _Bill, usage: Usage, meters: TokenMeters) -> None:
    if all(getattr(usage, f"in_{kind}_tokens") is None for kind in _MODALITIES):
        bill.unknown("input tokens were not reported by modality", "input", "cached")
        return
    if usage.cached_split_assumed:
        bill.notes.append("cached tokens were given as one total and taken as text")
    for kind in _MODALITIES:
        prices: TokenPrices = getattr(meters, kind)
        tokens: int = getattr(usage, f"in_{kind}_tokens") or 0
        cached: int = getattr(usage, f"in_cached_{kind}_tokens") or 0
        if cached > tokens:
            bill.notes.append(f"{cached} cached {kind} tokens exceed the {tokens} {kind} input tokens")
            cached = tokens
        bill.charge("input", tokens - cached, prices.input, f"{kind} input tokens")
        bill.charge("cached", cached, prices.cached, f"cached {kind} tokens")


def _add_output(bill: _Bill, usage: Usage, meters: TokenMeters) -> None:
    if usage.out_text_tokens is None and usage.out_audio_tokens is None:
        bill.unknown("output tokens were not reported by modality", "output")
        return
    bill.charge("output", usage.out_text_tokens or 0, meters.text.output, "text output tokens")
    bill.charge("output", usage.out_audio_tokens or 0, meters.audio.output, "audio output tokens")


def _transcription(
    usage: TranscriptionUsage | None, rates: TranscriptionMeters | None
) -> tuple[float | None, str | None]:
    """USD of a transcription and, when it is None, why."""
    if usage is None:
        return None, "the server reported no usage for the transcription"
    if rates is None:
        return None, "no price for the transcription model"
    counts = (usage.in_text_tokens, usage.in_audio_tokens, usage.out_text_tokens)
    if any(counts):
        return _transcription_tokens(counts, rates.tokens_usd_per_million)
    if usage.seconds is None:
        return None, "the server reported no usage for the transcription"
    if rates.audio_usd_per_minute is None:
        return None, "the transcription was reported in seconds and is priced by tokens"
    return usage.seconds / 60 * rates.audio_usd_per_minute, None


def _transcription_tokens(
    counts: tuple[int | None, int | None, int | None], meters: TokenMeters | None
) -> tuple[float | None, str | None]:
    if meters is None:
        return None, "the transcription was reported in tokens and is priced by the minute"
    usd = 0.0
    for tokens, price in zip(counts, (meters.text.input, meters.audio.input, meters.text.output), strict=True):
        if tokens and price is None:
            return None, "a used transcription meter has no price"
        usd += (tokens or 0) * (price or 0.0) / _MILLION
    return usd, None
