"""What of a call has no price, before it is made."""

from __future__ import annotations

from bench.pricing.book import Books


def unpriced(books: Books, model: str | None, transcription_model: str | None, *, answers: bool = True) -> list[str]:
    """In sentences; none where everything has one. `transcription_model` None: nothing is transcribed.

    `answers` false: a session that only writes down, in which the model that would answer has no part.
    """
    if not answers:
        known = books.transcription(model, transcription_model) is not None
        return [] if known or transcription_model is None else [books.why_transcription_unpriced(transcription_model)]
    why = books.why_unpriced(model)
    if why is not None:
        return [why]
    rates = books.rates(model)
    by_minute = rates is not None and rates.tokens_usd_per_million is None
    if transcription_model is None or by_minute or books.transcription(model, transcription_model) is not None:
        return []
    return [books.why_transcription_unpriced(transcription_model)]
