"""Steps of normalisation that hold for every language: a text in, a text out, to be put in a row.

In and out: `str`. Each step is idempotent by itself, knows nothing of the others, and has a name that a table can cite.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

Step = Callable[[str], str]

ORDINAL = "\ue000"
"""In the place of the ordinal signs of Spanish, which compatibility would make the letters o and a."""
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u0060\u00b4\u2032\uff07", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u0640", ""),
        **dict.fromkeys("\u00ba\u00aa", ORDINAL),
        "\u00bd": " 1/2",
        "\u00bc": " 1/4",
        "\u00be": " 3/4",
        "\u0153": "oe",
        "\u0152": "oe",
        "\u00e6": "ae",
        "\u00c6": "ae",
    }
)
_LETTER = r"(?![\uac00-\ud7a3])[^\W\d_]"
"""A letter by which a word may be spelled; a Korean syllable is none."""
_SINGLE_LETTERS = re.compile(rf"(?<!\S){_LETTER}(?: {_LETTER})+(?!\S)")
"""Between spaces, and not between ends of words, since a vowel sign of an Indic script is none of either."""
_MARKS_OF_READERS = re.compile(r"[\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]")
_ARABIC = str.maketrans(
    {"\u0623": "\u0627", "\u0625": "\u0627", "\u0622": "\u0627", "\u0671": "\u0627", "\u0649": "\u064a"}
    | {"\u06cc": "\u064a", "\u06a9": "\u0643"}
)


def same_characters(text: str) -> str:
    """One code for each character: compatibility forms, quotes, dashes, small fractions; invisible ones go.

    Unicode's NFKC and case folding, which also writes the German sharp s as ss.
    """
    folded = unicodedata.normalize("NFKC", text.translate(_CHARACTERS)).casefold()
    return unicodedata.normalize("NFKC", folded.translate(_CHARACTERS)).replace("i\u0307", "i")


def turkic_i(text: str) -> str:
    """The two letters i of Turkish and Azerbaijani in small letters, of which folding knows one."""
    return text.replace("I", "\u0131").replace("\u0130", "i")


def ascii_digits(text: str) -> str:
    """Digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if unicodedata.decimal(c, None) is not None else c for c in text)


def without_reading_marks(text: str) -> str:
    """Arabic and Hebrew without the signs that only help a reader, and with one form of alef, ya and kaf."""
    return _MARKS_OF_READERS.sub("", text).translate(_ARABIC)


def letters_marks_and_digits(text: str) -> str:
    """Anything but letters, their combining marks and digits becomes a space: a vowel sign never cuts a word."""
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text)


def digit_by_digit(text: str) -> str:
    """Each digit as a word of its own, so that `555-2178`, `5 5 5 2 1 7 8` and `5552178` are one thing."""
    return re.sub(r"\d", r" \g<0> ", text)


def joined_letters(words: frozenset[str]) -> Step:
    """A step that makes spelled letters one word: `a b c` is `abc`. A row of nothing but `words` of one letter is left.

    It asks for words with one space between them.
    """

    def spelled(found: re.Match[str]) -> str:
        letters = found.group()
        return letters if words.issuperset(letters.split()) else letters.replace(" ", "")

    return lambda text: _SINGLE_LETTERS.sub(spelled, text)


def single_spaces(text: str) -> str:
    """Words with one space between them."""
    return " ".join(text.split())


def replaced_words(table: dict[str, str]) -> Step:
    """A step that replaces whole words by `table`; an empty replacement drops the word."""

    def step(text: str) -> str:
        return " ".join(new for word in text.split() if (new := table.get(word, word)))

    return step


Replacement = str | Callable[[re.Match[str]], str]


def substituted(*rules: tuple[str, Replacement]) -> Step:
    """A step of regular expressions and their replacements, in order."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def step(text: str) -> str:
        for pattern, replacement in compiled:
            text = pattern.sub(replacement, text)
        return text

    return step
