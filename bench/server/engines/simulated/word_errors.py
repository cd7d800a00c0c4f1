"""Transcripts with a known number of word errors.

In: a fixture's text, how many substitutions, deletions and insertions, a seeded generator. Out: the text with exactly
that many. The counts are those of the errors that were put in; a transcript is used only if every shortest alignment
has them, so that any correct scorer must find them. The scorer of the harness has no part in it.
Trap: scorers normalise first ("four two seven" becomes one word, "I'd" two), so the errors go into normalised text.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

# Words that no normaliser touches and no catalogue is likely to hold.
STRANGERS = ("zebra", "lantern", "pickle", "marble", "walnut", "trumpet", "cactus", "velvet", "meadow", "pepper")
_ATTEMPTS = 12
_ERROR = 1000  # cost of an error in an alignment; a hit costs 1 or -1


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
    words = normalised(text, language)
    wanted = [count(asked, len(words), rng) for asked in (substitutions, deletions, insertions)]
    strangers = [word for word in STRANGERS if word not in words] or list(STRANGERS)
    for attempt in range(_ATTEMPTS if any(wanted) else 0):
        fewer = attempt // 4  # a text that normalises in its own way gets less rather than something inexact
        fitted = _fitted(wanted, len(words) - fewer)
        made = _made(words, fitted, strangers, rng)
        hits = len(words) - fitted[0] - fitted[1]
        if normalised(" ".join(made), language) == tuple(made) and _is_exact(words, made, sum(fitted), hits):
            return Transcript(" ".join(made), hits, *fitted)
    return Transcript(text, len(words), 0, 0, 0)


def _fitted(wanted: Sequence[int], words: int) -> list[int]:
    """As many of each as there are places; places are every other word."""
    places = max(0, (words + 1) // 2)
    fitted = []
    for number in wanted:
        fitted.append(min(number, places))
        places -= fitted[-1]
    return fitted


def _made(words: Sequence[str], numbers: Sequence[int], strangers: Sequence[str], rng: random.Random) -> list[str]:
    """Errors at every other word: two operations side by side could be read as one.

    Deletions come before insertions, because an insertion with a deletion behind it could be read as substitutions.
    """
    places = list(range(0, len(words), 2))
    rng.shuffle(places)
    others = sorted(places[numbers[0] : sum(numbers)])
    substitute, delete, insert = set(places[: numbers[0]]), others[: numbers[1]], others[numbers[1] :]
    made: list[str] = []
    for place, word in enumerate(words):
        if place in substitute:
            made.append(rng.choice(strangers))
        elif place not in delete:
            made.append(word)
        if place in insert:
            made.append(rng.choice(strangers))
    return made


def _is_exact(reference: Sequence[str], heard: Sequence[str], errors: int, hits: int) -> bool:
    """Whether every shortest alignment has that many errors and hits, which leaves one split of the errors by kind."""
    return all(_least_cost(reference, heard, hit) == errors * _ERROR + hits * hit for hit in (1, -1))


def _least_cost(reference: Sequence[str], heard: Sequence[str], hit: int) -> int:
    """The cheapest alignment of two texts, where a hit costs `hit`."""
    row = [_ERROR * place for place in range(len(heard) + 1)]
    for word in reference:
        before, row = row, [row[0] + _ERROR]
        for place, other in enumerate(heard):
            across = before[place] + (hit if word == other else _ERROR)
            row.append(min(across, before[place + 1] + _ERROR, row[place] + _ERROR))
    return row[-1]


@lru_cache(maxsize=4096)
def normalised(text: str, language: str) -> tuple[str, ...]:
    """The words of `text` as scorers of speech recognition see them."""
    english = language.replace("_", "-").split("-")[0].strip().lower() in ("en", "eng", "english", "unknown", "")
    kept = any(unicodedata.category(mark).startswith("M") for mark in unicodedata.normalize("NFKC", text))
    return tuple(_normaliser(english, keeps_marks=kept and not english)(text).split())


@cache
def _normaliser(english: bool, *, keeps_marks: bool) -> Callable[[str], str]:
    if english:
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()  # type: ignore[no-any-return]
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer(preserve_marks=keeps_marks)  # type: ignore[no-any-return]
