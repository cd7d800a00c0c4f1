"""Transcripts with a known number of word errors.

In: a fixture's text, how many substitutions, deletions and insertions, a seeded generator. Out: the text with exactly
that many. The counts are those of the errors that were put in; a transcript is used only if every shortest alignment
has them, so that any correct scorer must find them. The scorer of the harness has no part in it.
Trap: scorers normalise first ("four two seven" becomes digits, "I'd" two words), so errors go only to plain words that
stand beside plain words; everything else stays as it is written.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.audio.languages import language_of

# Words that no normaliser touches and no catalogue is likely to hold.
STRANGERS = ("zebra", "lantern", "pickle", "marble", "walnut", "trumpet", "cactus", "velvet", "meadow", "pepper")
# Words that a scorer may read as a part of a number, a time or an amount, or write in another way.
_NOT_PLAIN_WORDS = """
zero nought naught one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion first
second third fourth fifth sixth seventh eighth ninth tenth double triple half quarter past point percent and dollar
dollars cent cents pound pounds pence euro euros degrees degree minus plus dot dash slash underscore the not okay
alright gonna wanna gotta kinda yes cannot mister missus doctor street saint road avenue
cuatro cinco siete nueve uno quatre cinq sept neuf vier fünf sieben neun eins quattro cinque sette nove quatro sete um
sexta
零 一 二 三 四 五 六 七 八 九 〇 两 十 百 千 万 亿 半 点 分 年 月 日 号
"""
_NOT_PLAIN = frozenset(_NOT_PLAIN_WORDS.split())
STRANGE_CHARACTERS = ("鹿", "桥", "雪", "琴", "茶", "竹", "鱼", "灯", "伞", "梨")
_SHORTEST_PLAIN = 2
_ATTEMPTS = 12
_ERROR = 1000  # cost of an error in an alignment; a hit costs 1 or -1


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is reported as heard, and how it must score against the fixture's text."""

    text: str
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
    text: str, *, substitutions: float, deletions: float, insertions: float, rng: random.Random, language: str = "en"
) -> Transcript:
    """`text` with errors put in; where the text is too short for what was asked, with as many as fit.

    In a language without spaces between words each character counts as a word.
    """
    spaced = language_of(language).has_spaces
    words = text.split() if spaced else [char for char in text if not char.isspace()]
    between = " " if spaced else ""
    places = _places(words, shortest=_SHORTEST_PLAIN if spaced else 1)
    wanted = [count(asked, len(words), rng) for asked in (substitutions, deletions, insertions)]
    own = STRANGERS if spaced else STRANGE_CHARACTERS
    strangers = [word for word in own if word not in _plain(words)] or list(own)
    for attempt in range(_ATTEMPTS if any(wanted) else 0):
        fewer = attempt // 4  # a text that repeats itself gets less rather than something inexact
        fitted = _fitted(wanted, len(places) - fewer)
        made = _made(words, places, fitted, strangers, rng)
        if _is_exact(_plain(words), _plain(made), fitted):
            return Transcript(between.join(made), *fitted)
    return Transcript(text, 0, 0, 0)


def _plain(words: Sequence[str]) -> list[str]:
    """Words in lower case, without the punctuation round them; what is punctuation alone is no word."""
    return [word for each in words if (word := _bare(each))]


def _bare(word: str) -> str:
    return word.strip(".,;:!?\"'()¿¡，。？！、").lower()


def _places(words: Sequence[str], *, shortest: int) -> list[int]:
    """Where an error may go: every other one of the plain words between plain words."""
    plain = [len(word) >= shortest and word.isalpha() and word not in _NOT_PLAIN for word in map(_bare, words)]
    found: list[int] = []
    for place in range(len(words)):
        if all(plain[max(0, place - 1) : place + 2]) and (not found or place - found[-1] > 1):
            found.append(place)
    return found


def _fitted(wanted: Sequence[int], places: int) -> list[int]:
    """As many of each as there are places."""
    left, fitted = max(0, places), []
    for number in wanted:
        fitted.append(min(number, left))
        left -= fitted[-1]
    return fitted


def _made(
    words: Sequence[str], where: Sequence[int], numbers: Sequence[int], strangers: Sequence[str], rng: random.Random
) -> list[str]:
    """Errors at some places of `where`, never side by side: two operations could be read as one.

    Deletions come before insertions, because an insertion with a deletion behind it could be read as substitutions.
    """
    places = list(where)
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


def _is_exact(reference: Sequence[str], heard: Sequence[str], numbers: Sequence[int]) -> bool:
    """Whether every shortest alignment has that many errors and hits, which leaves one split of the errors by kind."""
    errors, hits = sum(numbers), len(reference) - numbers[0] - numbers[1]
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
