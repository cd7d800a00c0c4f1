"""What a call will be billed: its exchanges played through the meters, without a server.

In: what is said in a call, in seconds and words, and stated assumptions. Out: the usage of each exchange as a server
would report it, and how long the call lasts. Prices come later, by the same arithmetic as for real usage (`price`).
Trap: every response sends the whole call so far as input again, so the input of exchange n is the sum of all before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.facts.signals import TranscriptionUsage, Usage


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a simulation has to assume of the server; each figure is printed with the estimate."""

    caller_tokens_per_s: float = 10.0
    agent_tokens_per_s: float = 20.0
    tokens_per_word: float = 1.33
    cache_from_tokens: int | None = 1024
    """What was input of the response before is served from the cache, if it is at least so long; None: never."""
    cached_share: float = 1.0
    """The part of it that is."""
    wait_s: float = 0.5
    """From the end of the caller's turn to the first audible sample of the reply."""
    connect_s: float = 0.5
    preamble_tokens: float | None = None
    """What every response reads before the conversation; None: the words of the instructions alone."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the caller says and the agent replies; without words of the caller it is a greeting."""

    heard_s: float
    """Audio that the server takes in as the caller's turn, with padding and the silence that ends it."""
    caller_s: float
    """From the start of the exchange to the end of the caller's turn, pauses before it included."""
    caller_words: float
    reply_s: float
    """Reply audio; 0 for a reply in text."""
    reply_words: float
    is_turn: bool = True
    heard_reply_s: float | None = None
    """How much of the reply is heard before the caller cuts in; it is billed whole, and only this much, without its
    words, stays in the call. None: all of it."""


@dataclass(frozen=True, slots=True)
class Billed:
    """One exchange as a server would report it."""

    usage: Usage
    spoken: TranscriptionUsage | None
    """None where nobody spoke."""
    is_turn: bool
    ends_s: float
    """From dialling until the reply has been heard."""


def simulate_call(exchanges: Sequence[Exchange], preamble_words: float, assumed: Assumed) -> Iterator[Billed]:
    """Each exchange in order; `preamble_words` are those of the instructions, which every response reads again."""
    preamble = assumed.preamble_tokens
    text, audio = preamble_words * assumed.tokens_per_word if preamble is None else preamble, 0.0
    before_text = before_audio = 0.0
    now_s = assumed.connect_s
    for each in exchanges:
        audio += each.heard_s * assumed.caller_tokens_per_s
        cached = assumed.cache_from_tokens is not None and before_text + before_audio >= assumed.cache_from_tokens
        share = assumed.cached_share if cached else 0.0
        out_text, out_audio = each.reply_words * assumed.tokens_per_word, each.reply_s * assumed.agent_tokens_per_s
        kept_s = each.reply_s if each.heard_reply_s is None else min(each.heard_reply_s, each.reply_s)
        now_s += each.caller_s + assumed.wait_s + kept_s
        yield Billed(
            Usage(
                in_text_tokens=round(text),
                in_audio_tokens=round(audio),
                in_cached_text_tokens=round(before_text * share),
                in_cached_audio_tokens=round(before_audio * share),
                out_text_tokens=round(out_text),
                out_audio_tokens=round(out_audio),
            ),
            _transcription(each, assumed) if each.heard_s else None,
            each.is_turn,
            now_s,
        )
        before_text, before_audio = text, audio
        text += out_text if each.heard_reply_s is None else 0.0
        audio += kept_s * assumed.agent_tokens_per_s


def _transcription(each: Exchange, assumed: Assumed) -> TranscriptionUsage:
    """In tokens and in seconds; `metered` leaves the one that the transcriber bills."""
    return TranscriptionUsage(
        seconds=each.heard_s,
        in_audio_tokens=round(each.heard_s * assumed.caller_tokens_per_s),
        out_text_tokens=round(each.caller_words * assumed.tokens_per_word),
    )


def in_tokens(model: str) -> bool:
    """Whether the transcriber `model` reports tokens, as those of the gpt-4o family do; every other reports seconds."""
    return model.startswith(("gpt-4o-transcribe", "gpt-4o-mini-transcribe"))


def metered(spoken: TranscriptionUsage, *, tokens: bool) -> TranscriptionUsage:
    """Tokens alone, or seconds alone."""
    if tokens:
        return replace(spoken, seconds=None)
    return replace(spoken, in_audio_tokens=None, out_text_tokens=None)
