"""The price books that a scenario asks for."""

from __future__ import annotations

from bench.pricing.book import Books, books_for
from bench.scenario.model import Scenario


def books_of(scenario: Scenario) -> Books:
    """Its own before the shipped ones. Raises `BenchError` for a book or a model that is not there."""
    pricing = scenario.pricing
    return books_for(pricing.book, pricing.model, transcription_model=pricing.transcription_model, base=scenario.base)
