"""Transcripts with a known number of word errors.

In: a fixture's text, how many substitutions, deletions and insertions, a seeded generator. Out: the text with exactly
that many - exact by construction, since the words put in occur nowhere else and the words touched are kept apart,
so no shorter alignment exists.
Trap: the scorer normalises first ("four two seven" becomes one word, "I'd" two). Operations are placed in the
*normalised* text, and every result is scored once, when it is made, with the scorer that will judge it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.measure.wer import normalise, score_words

# Words that no normaliser touches and no catalogue is likely to hold.
STRANGERS = ("zebra", "lantern", "pickle", "marble", "walnut", "trumpet", "cactus", "velvet", "meadow", "pepper")
_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is reported as heard, and how it must score against the fixture's text."""

    text: str
    hits: int
    substitutions: int
    deletions: int
    insertions: int


def count(asked: float, words: int, rng: random.Random) -> int:
    """A number per turn as it is; a share below 1 as a number of `words` whose mean is that share."""
    if asked >= 1 or not asked:
        return int(asked)
    exact = asked * words
    return int(exact) + (rng.random() < exact - int(exact))


def with_errors(
    text: str, language: str, *, substitutions: float, deletions: float, insertions: float, rng: random.Random
) -> Transcript:
    """`text` with errors put in; where the text is too short for what was asked, with as many as fit."""
    words = _normalised(text, language)
    wanted = [count(asked, len(words), rng) for asked in (substitutions, deletions, insertions)]
    if not any(wanted):
        return _scored(text, text, language)
    strangers = [word for word in STRANGERS if word not in words] or list(STRANGERS)
    for attempt in range(_ATTEMPTS):
        fewer = attempt // 4  # a text that normalises in its own way gets less rather than something inexact
        fitted = _fitted(wanted, len(words) - fewer)
        made = _made(words, fitted, strangers, rng)
        scored = _scored(text, made, language)
        if [scored.substitutions, scored.deletions, scored.insertions] == fitted:
            return scored
    return _scored(text, text, language)


def _fitted(wanted: Sequence[int], words: int) -> list[int]:
    """As many of each as there are places; places are every other word."""
    places = max(0, (words + 1) // 2)
    fitted = []
    for number in wanted:
        fitted.append(min(number, places))
        places -= fitted[-1]
    return fitted


def _made(words: Sequence[str], numbers: Sequence[int], strangers: Sequence[str], rng: random.Random) -> str:
    """Errors at every other word: two operations side by side could be read as one."""
    places = list(range(0, len(words), 2))
    rng.shuffle(places)
    substitute, delete, insert = (
        set(places[: numbers[0]]),
        set(places[numbers[0] : numbers[0] + numbers[1]]),
        set(places[numbers[0] + numbers[1] : sum(numbers)]),
    )
    made: list[str] = []
    for place, word in enumerate(words):
        if place in substitute:
            made.append(rng.choice(strangers))
        elif place not in delete:
            made.append(word)
        if place in insert:
            made.append(rng.choice(strangers))
    return " ".join(made)


@lru_cache(maxsize=4096)
def _scored(reference: str, text: str, language: str) -> Transcript:
    score = score_words(reference, text, language)
    assert score is not None
    return Transcript(text, score.hits, score.substitutions, score.deletions, score.insertions)


@lru_cache(maxsize=4096)
def _normalised(text: str, language: str) -> tuple[str, ...]:
    return tuple(normalise(text, language).split())
