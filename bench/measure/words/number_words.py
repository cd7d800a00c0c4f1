"""Number words of many languages as digits: `двадцать пять` is 25, `yirmi beş` and `yirmibeş` too.

In: words with spaces between them, in small letters; out: the same with digits. A table of names, made once for each
language from the libraries that write numbers out, is read backwards: the longest row of words that is a name is
taken. Spaces inside of a name do not count, since writers differ. Trap: the tables hold the basic form (`пять`), so a
number in another case (`пяти`) stays a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from bench.measure.words.steps import Step

_BY_NUM2WORDS = dict.fromkeys(
    "ar az be ca cs cy da fa fi he hu id is lt lv no pl ro ru sk sl sr sv tr uk vi".split()  # noqa: SIM905
) | {"nb": "no", "nn": "no", "kk": "kz"}
"""The codes of languages of `num2words`, and its own code where that is another."""
_BY_INDIC = frozenset({"as", "bn", "gu", "hi", "ml", "mr", "ne", "or", "pa", "ta", "te", "ur"})
"""Languages of `indic_numtowords`. Without Kannada, of which it gives 82 and 83 one name."""
_ALSO = {
    "be": {"адна": 1, "адно": 1, "дзве": 2, "тысяча": 1000},
    "ca": {"una": 1, "dues": 2},
    "cs": {"jeden": 1, "jedno": 1, "dvě": 2},
    "da": {"en": 1, "to": 2, "hundrede": 100, "hundred": 100, "tusind": 1000, "tusinde": 1000},
    "hi": {"पांच": 5, "छह": 6, "छः": 6, "छे": 6, "ज़ीरो": 0, "जीरो": 0},
    "nb": {"ett": 1, "ei": 1, "sju": 7, "syv": 7, "tyve": 20, "tredve": 30, "hundre": 100, "tusen": 1000},
    "no": {"ett": 1, "ei": 1, "sju": 7, "syv": 7, "tyve": 20, "tredve": 30, "hundre": 100, "tusen": 1000},
    "pl": {"jedna": 1, "jedno": 1, "dwie": 2},
    "ro": {"un": 1, "una": 1, "două": 2},
    "ru": {"одна": 1, "одно": 1, "две": 2, "нуль": 0, "тысяча": 1000},
    "sk": {"jedna": 1, "jedno": 1, "dve": 2},
    "sr": {"jedna": 1, "jedno": 1, "dve": 2},
    "sv": {"en": 1, "nio": 9, "tjugo": 20, "hundra": 100, "tusen": 1000},
    "tr": {"bir": 1},
    "uk": {"одна": 1, "одне": 1, "дві": 2, "тисяча": 1000},
}
"""Forms that are as usual as those of the libraries."""
_AND = {**dict.fromkeys(("da", "is", "nb", "nn", "no"), "og"), **dict.fromkeys(("ar", "fa"), "و"), "vi": "lẻ"}
"""The word between thousands and the rest."""
_LAST_YEAR = 2099
"""Up to here a name that is written in one word is in the tables whole."""
_MOST_WORDS = 10
"""The most words of one name in the tables."""


def knows(code: str) -> bool:
    """Whether there is a table for the language with this code."""
    return code in _BY_NUM2WORDS or code in _BY_INDIC


def library(code: str) -> str:
    """The library that writes numbers out in this language."""
    return "indic-numtowords" if code in _BY_INDIC else "num2words"


def numbers_of(code: str, spelling: Callable[[str], str]) -> Step:
    """The step for a language that is known; `spelling` brings the names into the spelling of the texts."""

    def step(text: str) -> str:
        return " ".join(_read(text.split(), *_tables(code, spelling), _AND.get(code)))

    return step


def _read(
    words: list[str], names: dict[str, int], thousands: frozenset[str], joint: str | None = None
) -> Iterator[str]:
    at = 0
    while at < len(words):
        value, after = _number(words, at, names, thousands)
        if value is None:
            yield words[at]
            at += 1
            continue
        at = after
        if value and value % 1000 == 0:
            rest, after = _number(words, at + (words[at : at + 1] == [joint]), names, thousands)
            if rest is not None and 0 < rest < 1000:
                value, at = value + rest, after
        yield str(value)


def _number(words: list[str], at: int, names: dict[str, int], thousands: frozenset[str]) -> tuple[int | None, int]:
    """The number whose name, or whose figure and the word thousand, begins at `at`, and where it ends."""
    if words[at : at + 1] and words[at].isdecimal() and words[at][0] != "0" and len(words[at]) <= 3:
        return (int(words[at]) * 1000, at + 2) if thousands.intersection(words[at + 1 : at + 2]) else (None, at)
    for count in range(min(_MOST_WORDS, len(words) - at), 0, -1):
        value = names.get("".join(words[at : at + count]))
        if value is not None:
            return value, at + count
    return None, at


@cache
def _tables(code: str, spelling: Callable[[str], str]) -> tuple[dict[str, int], frozenset[str]]:
    """Names, without their spaces, of 0 to 999 and of the thousands up to 999,000; and words for thousand."""
    names: dict[str, int] = {}
    thousands: set[str] = set()
    for value in (*range(_LAST_YEAR + 1), *range(3000, 1_000_000, 1000)):
        for name in _names(value, code):
            words = spelling(name).split()
            if value < 1000 or value % 1000 == 0 or len(words) == 1:
                names.setdefault("".join(words), value)
    for name, value in _ALSO.get(code, {}).items():
        names["".join(spelling(name).split())] = value
    for value in range(1, 21):
        here = [spelling(name).split() for name in _names(value, code)]
        for name in _names(value * 1000, code):
            words = spelling(name).split()
            thousands.update(words[len(each)] for each in here if words[:-1] == each)
    return names, frozenset(thousands)


def _names(value: int, code: str) -> list[str]:
    if code in _BY_INDIC:
        from indic_numtowords import num2words as indic

        return list(indic(value, lang=code, variations=True))
    from num2words import num2words

    return [num2words(value, lang=_BY_NUM2WORDS[code] or code)]
