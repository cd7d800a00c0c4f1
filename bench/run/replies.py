"""How long replies are assumed to be, for an estimate: as stated, as the embedded agent answers, or as in a stored run.

In: what the caller says, by step. Out: seconds and words of the reply, and the range around them.
Trap: the embedded agent remembers the call, so its replies are asked for in order, with a fresh agent for each call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.scenario.assumptions import EstimateConfig
from bench.server.engines.agent import Agent

DEFAULT_REPLY_S = 6.0
CHARACTERS_PER_S = 16.1
"""Of the embedded server's voice, measured on its replies: within 11 % for each of nine, 1 % for all together."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply as it is assumed."""

    seconds: float
    words: float


Answer = Callable[[int, str | None], Reply]
"""(place of the step in the conversation, what the caller says or None for a greeting) -> the reply."""


@dataclass(frozen=True, slots=True)
class Replies:
    """Where replies come from. `low` and `high` scale them to the ends of the range."""

    sentence: str
    """What is assumed, for the reader."""
    begin: Callable[[], Answer] = field(repr=False)
    """A fresh memory for each call."""
    low: float
    high: float

    def scaled(self, factor: float) -> Replies:
        """The same, each reply longer or shorter by `factor`."""

        def begin() -> Answer:
            answer = self.begin()

            def longer(place: int, text: str | None) -> Reply:
                reply = answer(place, text)
                return Reply(reply.seconds * factor, reply.words * factor)

            return longer

        return Replies(self.sentence, begin, self.low, self.high)


def stated(config: EstimateConfig) -> Replies:
    """All equally long: as the scenario says, or 6 s."""
    seconds = DEFAULT_REPLY_S if config.reply_ms is None else config.reply_ms / 1000
    reply = Reply(seconds, seconds * config.words_per_s)
    low, high = (0.5, 2.0) if config.reply_ms is None else (0.75, 1.25)
    limits = f"{seconds * low:g} to {seconds * high:g} s"
    said = f"a reply lasts {seconds:g} s ({limits}), {config.words_per_s:g} words a second"
    return Replies(said, lambda: lambda _place, _text: reply, low, high)


def nobody() -> Replies:
    """No replies at all, of a session that only writes down; the range is that of the wait for a text."""
    none = Reply(0.0, 0.0)
    return Replies("nothing is answered", lambda: lambda _place, _text: none, 1.0, 1.0)


def of_embedded_agent() -> Replies:
    """What the embedded agent answers to the very words of the fixtures."""

    def begin() -> Answer:
        agent, heard = Agent(), 0

        def answer(place: int, text: str | None) -> Reply:
            nonlocal heard
            heard += 1
            said = agent.greeting() if text is None else agent.answer(str(heard), text)
            return Reply(len(said) / CHARACTERS_PER_S, len(said.split()))

        return answer

    said = f"replies are those of the embedded agent, spoken at {CHARACTERS_PER_S:g} characters a second (±15 %)"
    return Replies(said, begin, 0.85, 1.15)
