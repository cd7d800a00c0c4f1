"""From usage to money: what the responses of one turn, or of a call's rest, cost, by meter.

In: a `Bill` for each response, the transcription usage, the rates of both models. Out: a `Cost`.
Trap: cached tokens are a *part* of the input tokens, not an addition. A used meter without a known price or count makes
the total null and is named; the sum of the known meters is a separate value and is never shown as the price. A count
that cannot be (negative, or beyond all sense) is a count that is not known, so that no sum is ever negative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bench.facts.signals import ReplyStatus, TranscriptionUsage, Usage
from bench.pricing.book import Rates, SpeechMeters, TokenMeters, TokenPrices, TranscriptionMeters

Side = Literal["input", "cached", "output"]
SIDES: tuple[Side, ...] = ("input", "cached", "output")
_MODALITIES: tuple[Literal["text", "audio", "image"], ...] = ("text", "audio", "image")
_MILLION = 1_000_000
MOST_TOKENS = 1_000_000_000
"""More than any response can use: a count beyond it is an error of the server's."""
MOST_SECONDS = 86_400
ALL_TOKENS = "tokens"
"""The name for all token meters of a response together, where none is known."""
_FREE = TokenMeters.model_validate({kind: dict.fromkeys(SIDES, 0.0) for kind in _MODALITIES})
METER_WITHOUT_PRICE = "a used transcription meter has no price"
PRICED_BY_MINUTE = "the transcription was reported in tokens and is priced by the minute"
PRICED_BY_TOKENS = "the transcription was reported in seconds and is priced by tokens"
_PRICE_REASONS = ("no price", "the model is not known", METER_WITHOUT_PRICE, PRICED_BY_MINUTE, PRICED_BY_TOKENS)
UNCOUNTED_SPEECH = "what was spoken was not counted"
CACHE_TAKEN_AS_TEXT = "cached tokens were given as one total and taken as text"


def lacks_a_price(reason: str) -> bool:
    """Whether what a meter lacks is a price, which another book may have; else it lacks a count, which none can give.

    `reason` is that of an `Unknown`.
    """
    return reason.startswith(_PRICE_REASONS)


def no_price_for(meter: str) -> str:
    """Why a model meter such as `audio input` or `cached text input` has no sum, where its price is missing."""
    return f"no price for {meter.removesuffix(' input') if meter.startswith('cached ') else meter} tokens"


@dataclass(frozen=True, slots=True)
class Bill:
    """One response as it may be billed. `status` None: it never ended."""

    usage: Usage | None
    status: ReplyStatus | None = "completed"
    delivered: bool = True
    """It gave words or sound."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A meter that was used and has no sum: its name, such as `audio input` or `transcription`, and why."""

    meter: str
    reason: str

    def __str__(self) -> str:
        return f"{self.meter} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Cost:
    """USD of a turn. `total_usd` is null unless every used meter is known; `known_usd` sums those that are.

    `input_usd` is for input tokens outside the cache; a side is null when one of its meters is. `unknown` names the
    meters that are missing; `notes` says why, and what is doubtful besides.
    """

    total_usd: float | None = None
    known_usd: float | None = None
    input_usd: float | None = None
    cached_usd: float | None = None
    output_usd: float | None = None
    transcription_usd: float | None = None
    speech_usd: float | None = None
    """What was spoken by a service of its own."""
    unknown: tuple[Unknown, ...] = ()
    notes: tuple[str, ...] = ()


NO_COST = Cost()


@dataclass(frozen=True, slots=True)
class Speech:
    """What a service of its own was given to speak, and what came of it; None is "not known"."""

    model: str | None
    characters: float | None
    seconds: float | None


def with_speech(cost: Cost, speech: Speech | None, rates: SpeechMeters | None, unpriced: str) -> Cost:
    """`cost` and what was spoken; `unpriced` says why there are no rates."""
    if speech is None:
        return cost
    usd, why = _speech(speech, rates, unpriced)
    if usd is None:
        lack = Unknown("speech", why)
        return replace(cost, total_usd=None, unknown=(*cost.unknown, lack), notes=(*cost.notes, why))
    return replace(
        cost,
        total_usd=None if cost.total_usd is None else cost.total_usd + usd,
        known_usd=(cost.known_usd or 0.0) + usd,
        speech_usd=usd,
    )


def _speech(speech: Speech, rates: SpeechMeters | None, unpriced: str) -> tuple[float | None, str]:
    """USD, or why they are not known."""
    if rates is None:
        return None, unpriced
    if rates.characters_usd_per_million is not None:
        if speech.characters is None:
            return None, UNCOUNTED_SPEECH
        return speech.characters * rates.characters_usd_per_million / _MILLION, ""
    if speech.seconds is None or rates.audio_usd_per_minute is None:
        return None, UNCOUNTED_SPEECH
    return speech.seconds / 60 * rates.audio_usd_per_minute, ""


@dataclass(slots=True)
class _Sums:
    """Running sums by side, and what is missing from them."""

    usd: dict[Side, float] = field(default_factory=lambda: {"input": 0.0, "cached": 0.0, "output": 0.0})
    missing: dict[Side, bool] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    known: bool = False
    """Something was charged, or is known to be free."""

    def charge(self, side: Side, tokens: int, usd_per_million: float | None, meter: str, what: str) -> None:
        """Add `tokens` to `side`; none used cost nothing, whether or not they have a price."""
        if not 0 <= tokens <= MOST_TOKENS:
            self.lack(Unknown(meter, f"the server reported an impossible count of {what}"), side)
        elif tokens and usd_per_million is None:
            self.lack(Unknown(meter, f"no price for {what}"), side)
        else:
            self.usd[side] += tokens * (usd_per_million or 0.0) / _MILLION
            self.known = self.known or tokens > 0

    def lack(self, unknown: Unknown, *sides: Side) -> None:
        """`sides` have no sum, and why."""
        self.missing |= dict.fromkeys(sides, True)
        if unknown not in self.unknown:
            self.unknown.append(unknown)

    def side(self, side: Side) -> float | None:
        """The sum of a side, None when a part of it is missing."""
        return None if self.missing.get(side) else self.usd[side]


def price_turn(
    usage: Usage | Sequence[Bill] | None,
    transcription: TranscriptionUsage | None,
    rates: Rates | None,
    transcription_rates: TranscriptionMeters | None,
    *,
    transcribed: bool = False,
    unpriced: str = "no price for this model",
    unpriced_transcription: str = "no price for the transcription model",
) -> Cost:
    """Price one turn: sum over text, audio, image of (in - cached) * p_in + cached * p_cached + out * p_out.

    `usage` is that of one response that was delivered, or the bills of all. `transcribed` says that the caller was
    transcribed, so that a missing `transcription` usage is a missing meter and not nothing to pay, unless the whole
    session is billed by the minute. The two sentences say why there are no rates, where there are none.
    """
    bills = [Bill(usage)] if usage is None or isinstance(usage, Usage) else usage
    sums = _Sums()
    for bill in bills:
        _add(sums, bill, rates, unpriced, _silence(bills))
    unknown = list(sums.unknown)
    spoken: float | None = None
    by_minute = rates is not None and rates.tokens_usd_per_million is None
    if transcription is not None or (transcribed and not by_minute):
        spoken, why = _transcription(transcription, transcription_rates, unpriced_transcription)
        unknown += [Unknown("transcription", why)] if why else []
    parts = [] if not bills or by_minute else [sums.side(side) for side in SIDES]
    known_usd = sum(sums.usd.values()) + (spoken or 0.0)
    complete = not unknown and not by_minute and bool(bills or spoken is not None)
    input_usd, cached_usd, output_usd = parts or (None, None, None)
    return Cost(
        total_usd=known_usd if complete else None,
        known_usd=known_usd if complete or sums.known or spoken is not None else None,
        input_usd=input_usd,
        cached_usd=cached_usd,
        output_usd=output_usd,
        transcription_usd=spoken,
        unknown=tuple(unknown),
        notes=tuple(dict.fromkeys([*(each.reason for each in unknown), *sums.notes])),
    )


def price_minutes(rates: Rates | None, minutes: float | None) -> float | None:
    """The price of a session that is billed by its length; None when the model is not, or anything is unknown."""
    if rates is None or rates.session_usd_per_minute is None or minutes is None or not 0 <= minutes < math.inf:
        return None
    return rates.session_usd_per_minute * minutes


def _silence(bills: Sequence[Bill]) -> str:
    """That the server gave no usage, and for how many responses of a turn with several."""
    silent = sum(bill.usage is None and not _is_free(bill) for bill in bills)
    return (
        f"{silent} of {len(bills)} responses came without usage" if len(bills) > 1 else "the server reported no usage"
    )


def _add(sums: _Sums, bill: Bill, rates: Rates | None, unpriced: str, silence: str) -> None:
    usage = bill.usage
    if rates is not None and rates.tokens_usd_per_million is None:
        sums.notes.append("billed by the minute of the session, not by the turn")
        return
    if _is_free(bill):
        sums.known = True
        return
    if rates is None:
        sums.lack(Unknown(ALL_TOKENS, unpriced), *SIDES)
    if bill.status is None and usage is None:
        sums.lack(Unknown(ALL_TOKENS, "a response never ended, so its usage was not reported"), *SIDES)
    elif usage is None:
        sums.lack(Unknown(ALL_TOKENS, silence), *SIDES)
    elif _all_zero(usage):
        sums.lack(Unknown(ALL_TOKENS, "the server reported a usage of zero tokens"), *SIDES)
    elif rates is None or rates.tokens_usd_per_million is None:
        _name_uncounted(sums, usage)
    else:
        _add_input(sums, usage, rates.tokens_usd_per_million)
        _add_output(sums, usage, rates.tokens_usd_per_million)


def _name_uncounted(sums: _Sums, usage: Usage) -> None:
    """What has no count stays without a sum when a price becomes known, so it is named beside the missing price."""
    counted = _Sums()
    _add_input(counted, usage, _FREE)
    _add_output(counted, usage, _FREE)
    for each in counted.unknown:
        sums.lack(each)
    sums.notes += counted.notes


def _is_free(bill: Bill) -> bool:
    """Whether the response has nothing to bill.

    A response that failed is billed at what its usage says, and zeros are zero. One that failed, was cancelled or
    never ended, gave nothing, and for which nothing was counted, costs nothing: vendors leave the usage of a response
    that was refused (a rate limit, an overload) null. A completed response always has input: zeros are how some
    servers fill the form.
    """
    zero = bill.usage is not None and _all_zero(bill.usage)
    if bill.status == "failed" and zero:
        return True
    counted = bill.usage is not None and not zero
    if bill.delivered or counted:
        return False
    return bill.status in {"failed", "cancelled", None} or (bill.status == "incomplete" and zero)


def _all_zero(usage: Usage) -> bool:
    """Whether nothing was counted, though counts were given."""
    names = [f"{side}_{kind}_tokens" for side in ("in", "out") for kind in (*_MODALITIES, "total")]
    counts = [getattr(usage, name, None) for name in names]
    return not any(counts) and any(count is not None for count in counts)


def _add_input(sums: _Sums, usage: Usage, meters: TokenMeters) -> None:
    said = [getattr(usage, f"in_{kind}_tokens") for kind in _MODALITIES]
    if all(tokens is None for tokens in said):
        sums.lack(Unknown("input", "input tokens were not reported by modality"), "input", "cached")
        return
    if _unsplit(usage.in_total_tokens, said):
        sums.lack(Unknown("input", "input tokens were not all reported by modality"), "input", "cached")
    cached_of = _cached(sums, usage)
    for kind in _MODALITIES:
        prices: TokenPrices = getattr(meters, kind)
        tokens: int = getattr(usage, f"in_{kind}_tokens") or 0
        cached = cached_of[kind]
        if cached > tokens:
            sums.notes.append(f"{cached} cached {kind} tokens exceed the {tokens} {kind} input tokens")
            cached = tokens
        sums.charge("cached", cached, prices.cached, f"cached {kind} input", f"cached {kind} tokens")
        sums.charge("input", tokens - max(0, cached), prices.input, f"{kind} input", f"{kind} input tokens")


def _cached(sums: _Sums, usage: Usage) -> dict[str, int]:
    """Cached tokens by modality; a total alone is taken as text (the dearer reading) as far as there is text."""
    cached: dict[str, int] = {kind: getattr(usage, f"in_cached_{kind}_tokens") or 0 for kind in _MODALITIES}
    if not usage.cached_split_assumed:
        return cached
    sums.notes.append(CACHE_TAKEN_AS_TEXT)
    rest = cached["text"]
    for kind in _MODALITIES:
        cached[kind] = min(rest, getattr(usage, f"in_{kind}_tokens") or 0)
        rest -= cached[kind]
    return cached


def _add_output(sums: _Sums, usage: Usage, meters: TokenMeters) -> None:
    if usage.out_text_tokens is None and usage.out_audio_tokens is None:
        sums.lack(Unknown("output", "output tokens were not reported by modality"), "output")
        return
    if _unsplit(usage.out_total_tokens, [usage.out_text_tokens, usage.out_audio_tokens]):
        sums.lack(Unknown("output", "output tokens were not all reported by modality"), "output")
    text = (usage.out_text_tokens or 0) + reasoning_apart(usage)
    sums.charge("output", text, meters.text.output, "text output", "text output tokens")
    sums.charge("output", usage.out_audio_tokens or 0, meters.audio.output, "audio output", "audio output tokens")


def reasoning_apart(usage: Usage) -> int:
    """Reasoning tokens that were counted beside the text tokens and not among them, as the total shows.

    They are billed as text all the same.
    """
    reasoning, total = usage.out_reasoning_tokens or 0, usage.out_total_tokens
    beside = (usage.out_text_tokens or 0) + (usage.out_audio_tokens or 0) + reasoning
    return reasoning if total is not None and total >= beside else 0


def _unsplit(total: int | None, parts: Sequence[int | None]) -> bool:
    """Whether a total holds tokens of which the modality was not said."""
    return total is not None and None in parts and total > sum(part or 0 for part in parts)


def _transcription(
    usage: TranscriptionUsage | None, rates: TranscriptionMeters | None, unpriced: str
) -> tuple[float | None, str | None]:
    """USD of a transcription and, when it is None, why."""
    counts = () if usage is None else (usage.in_text_tokens, usage.in_audio_tokens, usage.out_text_tokens)
    if usage is None or not (any(counts) or usage.seconds is not None):
        return None, "the server reported no usage for the transcription"
    if usage.seconds == 0 and not any(counts):
        return 0.0, None
    if rates is None:
        return None, _uncounted_transcription(usage) or unpriced
    if any(counts) and rates.tokens_usd_per_million is not None:
        return _transcription_tokens(usage, rates.tokens_usd_per_million)
    if usage.seconds is not None and not 0 <= usage.seconds <= MOST_SECONDS:
        return None, "the server reported an impossible length of the transcription"
    if usage.seconds is not None and rates.audio_usd_per_minute is not None:
        return usage.seconds / 60 * rates.audio_usd_per_minute, None
    return None, PRICED_BY_MINUTE if any(counts) else PRICED_BY_TOKENS


def _transcription_tokens(usage: TranscriptionUsage, meters: TokenMeters) -> tuple[float | None, str | None]:
    if (why := _uncounted_transcription(usage)) is not None:
        return None, why
    counts = (usage.in_text_tokens, usage.in_audio_tokens, usage.out_text_tokens)
    usd = 0.0
    for tokens, price in zip(counts, (meters.text.input, meters.audio.input, meters.text.output), strict=True):
        if tokens and price is None:
            return None, METER_WITHOUT_PRICE
        usd += (tokens or 0) * (price or 0.0) / _MILLION
    return usd, None


def _uncounted_transcription(usage: TranscriptionUsage) -> str | None:
    """Why the tokens of a transcription are not known, whatever their price."""
    counts = (usage.in_text_tokens, usage.in_audio_tokens, usage.out_text_tokens)
    if any(tokens is not None and not 0 <= tokens <= MOST_TOKENS for tokens in counts):
        return "the server reported an impossible count of transcription tokens"
    if _unsplit(usage.in_total_tokens, counts[:2]):
        return "input tokens of the transcription were not reported by modality"
    return None
