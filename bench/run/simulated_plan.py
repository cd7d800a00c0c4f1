"""One way in which a planned run may go: every call played through the meters and added up.

In: a scenario with its prices, assumed replies. Out: a `Case`: calls, minutes, USD, quantities by meter, USD by turn.
Trap: calls that draw the same recordings cost the same, so each combination is played once and counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bench.audio.catalogue import Fixture
from bench.facts.signals import TranscriptionUsage, Usage
from bench.pricing.book import Rates, TranscriptionMeters
from bench.pricing.estimate import Assumed, Billed, in_tokens, metered, simulate_call
from bench.pricing.price import price_minutes, price_turn
from bench.run.planned_calls import Outline, exchanges, number_of_calls, outline
from bench.run.replies import Replies
from bench.scenario.model import Scenario

MOST_SAMPLED = 2_000
"""A plan of more calls is played by so many of them, evenly spread."""
FIRST_LOOK = 16
"""Calls whose mean length tells how large a plan without a number of calls is."""


@dataclass(slots=True)
class Case:
    """Sums over all calls of the plan. Money is what has a known price."""

    calls: float
    minutes: float = 0.0
    usd: float = 0.0
    quantities: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Tokens or seconds by meter."""
    turn_usd: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    spoken_usd: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    """The part of `turn_usd` that is for the transcript."""
    beside_usd: float = 0.0
    """Outside turns, such as for greetings."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What all cases have in common."""

    scenario: Scenario
    fixtures: Mapping[str, Fixture]
    rates: Rates | None
    transcription: TranscriptionMeters | None
    _outlines: dict[int, Outline] = field(default_factory=dict)
    """By call; what a call draws does not depend on what is assumed."""

    def case(self, replies: Replies, assumed: Assumed) -> Case:
        """The plan under these assumptions."""
        played: dict[Outline, list[Billed]] = {}
        words = float(len((self.scenario.session.instructions or "").split()))

        def drawn(index: int) -> Outline:
            if index not in self._outlines:
                self._outlines[index] = outline(self.scenario, self.fixtures, index)
            return self._outlines[index]

        def call(of: Outline) -> list[Billed]:
            if of not in played:
                said = exchanges(self.scenario, self.fixtures, of, replies)
                played[of] = list(simulate_call(said, words, assumed))
            return played[of]

        def length_s(index: int) -> float:
            return _length_s(call(drawn(index)))

        mean_s = sum(length_s(index) for index in range(FIRST_LOOK)) / FIRST_LOOK
        calls = number_of_calls(self.scenario.load, self.scenario.seed, length_s, mean_s)
        case = Case(calls)
        chosen = range(0, calls, max(1, -(-calls // MOST_SAMPLED)))
        for of, count in Counter(drawn(index) for index in chosen).items():
            self._add(case, call(of), count * calls / len(chosen))
        return case

    def _add(self, case: Case, billed: list[Billed], count: float) -> None:
        """A call that is made `count` times."""
        minutes, turn = _length_s(billed) / 60, 0
        case.minutes += count * minutes
        if self.rates is not None and self.rates.tokens_usd_per_million is None:
            case.usd += count * (price_minutes(self.rates, minutes) or 0.0)
            case.quantities["session"] += count * minutes * 60
            return
        answers = not self.scenario.session.transcribes
        for each in billed if answers else (replace(only, usage=Usage()) for only in billed):
            spoken = self._transcribed(each)
            cost = price_turn(each.usage, spoken, self.rates, self.transcription)
            usd = count * (cost.known_usd or 0.0)
            case.usd += usd
            for meter, quantity in _quantities(each, spoken):
                case.quantities[meter] += count * quantity
            if each.is_turn:
                case.turn_usd[turn] += usd
                case.spoken_usd[turn] += count * (cost.transcription_usd or 0.0)
                turn += 1
            else:
                case.beside_usd += usd

    def _transcribed(self, each: Billed) -> TranscriptionUsage | None:
        """What the transcriber reports: in the only unit that has a price, or in that of its model."""
        asked, meters = self.scenario.session.transcription, self.transcription
        if each.spoken is None or asked is None:
            return None
        by_tokens = in_tokens(asked.model)
        if meters is not None and (meters.tokens_usd_per_million is None or meters.audio_usd_per_minute is None):
            by_tokens = meters.tokens_usd_per_million is not None
        return metered(each.spoken, tokens=by_tokens)


def _length_s(billed: list[Billed]) -> float:
    return billed[-1].ends_s if billed else 0.0


def _quantities(each: Billed, spoken: TranscriptionUsage | None) -> Iterator[tuple[str, float]]:
    usage = each.usage
    for kind in ("text", "audio"):
        whole, cached = getattr(usage, f"in_{kind}_tokens") or 0, getattr(usage, f"in_cached_{kind}_tokens") or 0
        yield f"{kind} input", whole - cached
        yield f"cached {kind} input", cached
        yield f"{kind} output", getattr(usage, f"out_{kind}_tokens") or 0
    if spoken is not None:
        yield "transcription seconds", spoken.seconds or 0.0
        yield "transcription audio", spoken.in_audio_tokens or 0
        yield "transcription text", spoken.out_text_tokens or 0
