"""What of a call has no price, before it is made."""

from __future__ import annotations

from bench.pricing.book import Books


def unpriced(books: Books, model: str | None, transcription_model: str | None) -> list[str]:
    """In sentences; none where everything has one. `transcription_model` None: nothing is transcribed."""
    why = books.why_unpriced(model)
    if why is not None:
        return [why]
    rates = books.rates(model)
    by_minute = rates is not None and rates.tokens_usd_per_million is None
    if transcription_model is None or by_minute or books.transcription(model, transcription_model) is not None:
        return []
    return [books.why_transcription_unpriced(transcription_model)]
