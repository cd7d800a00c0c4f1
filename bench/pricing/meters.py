"""What is counted and charged, meter by meter: names, units, and the rate of each in a price book's entry.

In: the `Rates` of a model and those of its transcription. Out: USD for one unit of each meter, or None.
What a cascade spoke has a meter of characters and one of minutes, of which a model has the price of one.
Trap: input meters are of tokens *outside* the cache; cached tokens have meters of their own. A transcription has meters
of tokens and one of minutes, and a server reports one or the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.pricing.book import Rates, SpeechMeters, TranscriptionMeters
from bench.pricing.price import Side

Kind = Literal["text", "audio", "image"]
Of = Literal["model", "transcription", "speech", "session"]
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Meter:
    """`name` is as `Unknown` names it. `side` and `kind` are None for a meter of minutes."""

    name: str
    of: Of
    unit: Literal["tokens", "minutes", "characters"] = "tokens"
    kind: Kind | None = None
    side: Side | None = None

    @property
    def per(self) -> str:
        """What its rate is for."""
        return "minute" if self.unit == "minutes" else f"1M {self.unit}"

    @property
    def rate_scale(self) -> int:
        """Units that a printed rate is for."""
        return 1 if self.unit == "minutes" else _MILLION


MODEL_METERS = (
    Meter("text input", "model", kind="text", side="input"),
    Meter("audio input", "model", kind="audio", side="input"),
    Meter("image input", "model", kind="image", side="input"),
    Meter("cached text input", "model", kind="text", side="cached"),
    Meter("cached audio input", "model", kind="audio", side="cached"),
    Meter("cached image input", "model", kind="image", side="cached"),
    Meter("text output", "model", kind="text", side="output"),
    Meter("audio output", "model", kind="audio", side="output"),
)
TRANSCRIPTION_METERS = (
    Meter("transcription text input", "transcription", kind="text", side="input"),
    Meter("transcription audio input", "transcription", kind="audio", side="input"),
    Meter("transcription text output", "transcription", kind="text", side="output"),
    Meter("transcription minutes", "transcription", unit="minutes"),
)
SPEECH_METERS = (
    Meter("speech characters", "speech", unit="characters"),
    Meter("speech minutes", "speech", unit="minutes"),
)
SESSION_METER = Meter("session minutes", "session", unit="minutes")
METERS = (*MODEL_METERS, *TRANSCRIPTION_METERS, *SPEECH_METERS, SESSION_METER)
"""In the order of a bill."""


def usd_per_unit(
    meter: Meter, rates: Rates | None, spoken: TranscriptionMeters | None, speech: SpeechMeters | None = None
) -> float | None:
    """USD for one token, character or minute of `meter`; None when the book does not say."""
    if meter.of == "speech":
        per_million = None if speech is None else speech.characters_usd_per_million
        per_minute = None if speech is None else speech.audio_usd_per_minute
        by_characters = None if per_million is None else per_million / _MILLION
        return by_characters if meter.unit == "characters" else per_minute
    if meter.of == "session":
        return None if rates is None else rates.session_usd_per_minute
    if meter.of == "transcription" and meter.unit == "minutes":
        return None if spoken is None else spoken.audio_usd_per_minute
    source = rates if meter.of == "model" else spoken
    tokens = None if source is None else source.tokens_usd_per_million
    if tokens is None or meter.kind is None or meter.side is None:
        return None
    price: float | None = getattr(getattr(tokens, meter.kind), meter.side)
    return None if price is None else price / _MILLION
