"""The search that every other one is measured by: plain halving that is told the truth at each level."""

from __future__ import annotations

from bench.scenario.ceiling_search import Bracket, SearchBounds, narrow


def perfect_calls(bounds: SearchBounds, ceiling: int) -> int:
    """Callers that it would start between 0 and `most`, all levels together."""
    low, high, calls = 0, int(bounds.most), 0
    if ceiling >= high:
        return high
    while not narrow(bounds, Bracket(low, high, low, high)):
        level = (low + high) // 2
        calls += level
        low, high = (level, high) if level <= ceiling else (low, level)
    return calls
