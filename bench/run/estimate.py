"""What a run will cost, before it is made: low, expected and high, by meter, by turn, per call and minute.

In: a scenario with its target, recordings and price books. Out: an `Estimate`.
Trap: it is a simulation of what is stated under `assumed`, not a promise; a meter without a known price makes every sum
of money null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.audio.catalogue import Fixture
from bench.pricing.book import Books, Rates, TranscriptionMeters
from bench.pricing.estimate import Assumed
from bench.run.replies import Replies, nobody, of_embedded_agent, stated
from bench.run.server_process import EMBEDDED_MODEL
from bench.run.simulated_plan import Case, Plan
from bench.run.unpriced import unpriced
from bench.scenario.assumptions import EstimateConfig
from bench.scenario.books import books_of
from bench.scenario.model import Scenario

_MILLION = 1_000_000
EMBEDDED_WAIT_S = 0.3
"""From the end of the turn, as the embedded server says it, to the first audible sample."""
METERS = (
    ("text input", "Text input"),
    ("cached text input", "Text input, cached"),
    ("audio input", "Audio input"),
    ("cached audio input", "Audio input, cached"),
    ("text output", "Text output"),
    ("audio output", "Audio output"),
    ("transcription audio", "Transcription, audio"),
    ("transcription text", "Transcription, text"),
    ("transcription seconds", "Transcription"),
    ("session", "Calls, by the minute"),
)


@dataclass(frozen=True, slots=True)
class Range:
    """Low, expected, high."""

    low: float
    mid: float
    high: float

    @classmethod
    def of(cls, mid: float, others: list[float]) -> Range:
        return cls(min(mid, *others), mid, max(mid, *others))


@dataclass(frozen=True, slots=True)
class MeterLine:
    """One meter of the expected case: tokens, or minutes where `by_minute`. Prices are USD per million, or per minute.

    `usd_each` and `usd` are None where no price is known.
    """

    title: str
    quantity: float
    by_minute: bool
    usd_each: float | None
    usd: float | None


NO_CASCADES = "what a cascade costs is not estimated before the run; its rows have it by service"


@dataclass(frozen=True, slots=True)
class Assumption:
    """Where the figures come from that are not in the scenario."""

    replies: Replies
    assumed: Assumed
    cache_known: bool
    """Whether the low and the high case have the same cache; if not, all of it and nothing is cached in them."""
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the whole plan is expected to cost and to last."""

    model: str | None
    turns_per_call: int
    calls: Range
    minutes: Range
    """Of calls, from dialling to the end of each, added up."""
    usd: Range | None
    per_call_usd: Range | None
    per_minute_usd: Range | None
    meters: tuple[MeterLine, ...]
    turn_usd: tuple[float, ...]
    """Expected cost of each turn of a call, in order; of what has a price."""
    low_turn_usd: tuple[float, ...]
    """What each costs in the case that is the cheapest for it."""
    transcription_usd: tuple[float, ...]
    """The part of each that is for the transcript."""
    beside_usd: float
    """Expected cost of a call outside its turns, such as for a greeting."""
    unknown: tuple[str, ...]
    """Why there is no total."""
    assumed: tuple[str, ...]
    books: tuple[str, ...]
    example_prices: bool


def estimate(
    scenario: Scenario, fixtures: Mapping[str, Fixture], books: Books, assumption: Assumption | None = None
) -> Estimate:
    """Play the plan of `scenario`; without a target it is the embedded server's.

    Interleaved targets are played one by one, each at its own prices, and added up.
    """
    if scenario.targets:
        parts = scenario.parts()
        return added_up({name: estimate(each, fixtures, books_of(each), assumption) for name, each in parts.items()})
    model = scenario.target.model if scenario.target is not None else EMBEDDED_MODEL
    transcription = scenario.session.transcription
    meters = books.transcription(model, transcription.model if transcription is not None else None)
    answers = not scenario.session.transcribes
    rates, assumption = books.rates(model) if answers else None, assumption or assumption_of(scenario)
    plan = Plan(scenario, fixtures, rates, meters)
    replies, cached = assumption.replies, assumption.assumed
    mid = plan.case(replies, cached)
    everything, nothing = (
        replace(cached, cache_from_tokens=0, cached_share=1.0),
        replace(cached, cache_from_tokens=None),
    )
    caches = (cached,) if assumption.cache_known else (everything, nothing)
    others = [plan.case(replies.scaled(scale), each) for scale in (replies.low, replies.high) for each in caches]
    asked = transcription.model if transcription is not None else None
    unknown = tuple(unpriced(books, model, asked, answers=answers))
    if scenario.target is not None and scenario.target.cascade is not None:
        unknown = (NO_CASCADES,)
    book = books.book_of(model)
    cases = [mid, *others]
    usd = None if unknown else _range([case.usd for case in cases])
    per_call = None if unknown else _range([_ratio(case.usd, case.calls) for case in cases])
    per_minute = None if unknown else _range([_ratio(case.usd, case.minutes) for case in cases])
    turns = range(scenario.turns) if rates is not None or not answers else range(0)
    each = max(mid.calls, 1)
    return Estimate(
        model=model,
        turns_per_call=scenario.turns,
        calls=_range([case.calls for case in cases]),
        minutes=_range([case.minutes for case in cases]),
        usd=usd,
        per_call_usd=per_call,
        per_minute_usd=per_minute,
        meters=tuple(_meters(mid, rates, meters)),
        turn_usd=tuple(mid.turn_usd[turn] / each for turn in turns),
        low_turn_usd=tuple(min(case.turn_usd[turn] / max(case.calls, 1) for case in cases) for turn in turns),
        transcription_usd=tuple(mid.spoken_usd[turn] / each for turn in turns),
        beside_usd=mid.beside_usd / each,
        unknown=unknown,
        assumed=assumption.sentences,
        books=() if book is None else (f"{book.book} of {book.date}",),
        example_prices=book is not None and book.label is not None,
    )


def added_up(parts: Mapping[str, Estimate]) -> Estimate:
    """Targets that share the calls of a run evenly, each estimated as if all calls were its own.

    With a number of calls that is a part of it for each. Where time bounds the run, slow calls to one target take from
    all: callers who would make 10 calls of one kind or 20 of another make 6.7 of each.
    """
    found = list(parts.values())
    each = 1 / sum(1 / part.calls.mid for part in found) if all(part.calls.mid > 0 for part in found) else 0.0
    shares = [each / part.calls.mid if part.calls.mid else 0.0 for part in found]
    calls, minutes, usd = (
        _sum([getattr(part, name) for part in found], shares) for name in ("calls", "minutes", "usd")
    )
    turns = range(found[0].turns_per_call if all(part.turn_usd for part in found) else 0)
    return Estimate(
        model=", ".join(dict.fromkeys(part.model or "-" for part in found)),
        turns_per_call=found[0].turns_per_call,
        calls=calls or Range(0.0, 0.0, 0.0),
        minutes=minutes or Range(0.0, 0.0, 0.0),
        usd=usd,
        per_call_usd=_per(usd, calls),
        per_minute_usd=_per(usd, minutes),
        meters=tuple(
            replace(
                line,
                title=f"{name}: {line.title}",
                quantity=line.quantity * share,
                usd=None if line.usd is None else line.usd * share,
            )
            for (name, part), share in zip(parts.items(), shares, strict=True)
            for line in part.meters
        ),
        turn_usd=tuple(_mean([part.turn_usd[turn] for part in found]) for turn in turns),
        low_turn_usd=tuple(_mean([part.low_turn_usd[turn] for part in found]) for turn in turns),
        transcription_usd=tuple(_mean([part.transcription_usd[turn] for part in found]) for turn in turns),
        beside_usd=_mean([part.beside_usd for part in found]),
        unknown=tuple(f"{name}: {line}" for name, part in parts.items() for line in part.unknown),
        assumed=tuple(dict.fromkeys(line for part in found for line in part.assumed)),
        books=tuple(dict.fromkeys(book for part in found for book in part.books)),
        example_prices=any(part.example_prices for part in found),
    )


def _sum(ranges: Sequence[Range | None], shares: Sequence[float]) -> Range | None:
    """So much of each, added up; None where one is not known."""
    known = [each for each in ranges if each is not None]
    if len(known) < len(ranges):
        return None
    low, mid, high = (
        sum(getattr(each, name) * share for each, share in zip(known, shares, strict=True))
        for name in ("low", "mid", "high")
    )
    return Range(low, mid, high)


def _per(usd: Range | None, whole: Range | None) -> Range | None:
    if usd is None or whole is None:
        return None
    return Range(*(_ratio(getattr(usd, name), whole.mid) for name in ("low", "mid", "high")))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def assumption_of(scenario: Scenario) -> Assumption:
    """What is assumed without a run: the scenario's own figures, and what is known of the embedded server."""
    config, embedded = scenario.estimate, scenario.target is None
    if scenario.session.transcribes:
        return _of_transcribing(config)
    replies = of_embedded_agent() if embedded and config.reply_ms is None else stated(config)
    own_cache = "cache_from" in config.model_fields_set
    cache_from = 0 if embedded and not own_cache else config.cache_from
    wait_s = EMBEDDED_WAIT_S if embedded and "wait_ms" not in config.model_fields_set else config.wait_ms / 1000
    assumed = Assumed(
        caller_tokens_per_s=config.caller_tokens_per_s,
        agent_tokens_per_s=config.agent_tokens_per_s,
        tokens_per_word=config.tokens_per_word,
        cache_from_tokens=cache_from,
        wait_s=wait_s,
    )
    return Assumption(replies, assumed, embedded or own_cache, sentences(replies, assumed, known=embedded or own_cache))


def _of_transcribing(config: EstimateConfig) -> Assumption:
    """Nobody answers: only what is said is billed."""
    assumed = Assumed(
        caller_tokens_per_s=config.caller_tokens_per_s,
        agent_tokens_per_s=config.agent_tokens_per_s,
        tokens_per_word=config.tokens_per_word,
        cache_from_tokens=None,
        wait_s=config.wait_ms / 1000,
    )
    audio, words = config.caller_tokens_per_s, config.tokens_per_word
    said = f"{audio:.3g} audio tokens a second of speech, {words:g} text tokens a word"
    return Assumption(nobody(), assumed, True, (said, f"a final text comes {assumed.wait_s:.2g} s after its speech"))


def sentences(replies: Replies, assumed: Assumed, *, known: bool) -> tuple[str, ...]:
    """What is assumed, for the reader."""
    if assumed.cache_from_tokens is None:
        cache = "nothing is cached"
    else:
        least = f", if it is at least {assumed.cache_from_tokens:,} tokens" if assumed.cache_from_tokens else ""
        share = "" if assumed.cached_share == 1 else f" {100 * assumed.cached_share:.0f} % of"
        cache = f"{share} the input of the response before is cached{least}".strip()
    return (
        f"{replies.sentence}; it begins {assumed.wait_s:.2g} s after the caller's turn",
        f"{assumed.caller_tokens_per_s:.3g} audio tokens a second of the caller, {assumed.agent_tokens_per_s:.3g} of "
        f"the reply, {assumed.tokens_per_word:g} text tokens a word",
        f"every response sends the call so far again as input; {cache}"
        + ("" if known else " (low: all of it at any length; high: nothing)"),
    )


def _ratio(whole: float, parts: float) -> float:
    return whole / parts if parts else 0.0


def _range(values: list[float]) -> Range:
    """Of the expected value, which comes first, and those of the other cases."""
    return Range.of(values[0], values[1:])


def _meters(case: Case, rates: Rates | None, transcription: TranscriptionMeters | None) -> list[MeterLine]:
    lines = []
    for name, title in METERS:
        quantity = case.quantities.get(name, 0.0)
        if quantity:
            by_minute = name in {"session", "transcription seconds"}
            price = _price(name, rates, transcription)
            quantity = quantity / 60 if by_minute else quantity
            usd = None if price is None else quantity * price / (1 if by_minute else _MILLION)
            lines.append(MeterLine(title, quantity, by_minute, price, usd))
    return lines


def _price(name: str, rates: Rates | None, transcription: TranscriptionMeters | None) -> float | None:
    if name == "session":
        return rates.session_usd_per_minute if rates is not None else None
    if name == "transcription seconds":
        return transcription.audio_usd_per_minute if transcription is not None else None
    if name.startswith("transcription"):
        meters = transcription.tokens_usd_per_million if transcription is not None else None
        if meters is None:
            return None
        return meters.audio.input if name.endswith("audio") else meters.text.output
    meters = rates.tokens_usd_per_million if rates is not None else None
    if meters is None:
        return None
    prices = meters.audio if "audio" in name else meters.text
    if name.startswith("cached"):
        return prices.cached
    return prices.input if name.endswith("input") else prices.output
