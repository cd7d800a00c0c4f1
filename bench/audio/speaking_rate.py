"""How fast a text is spoken: in syllables a second in any script, roughly, or in words a minute.

In: the words and the length of the speech. Out: a rate, or None where the text cannot be counted. Trap: words a second
say nothing in Chinese, Japanese or Thai (no spaces) nor in Finnish or German (long words); syllables do.
"""

from __future__ import annotations

import unicodedata

# letters to a syllable, by the first word of a letter's Unicode name
_PER_SYLLABLE = {
    "CJK": 1.0, "HIRAGANA": 1.1, "KATAKANA": 1.1, "HANGUL": 1.0, "ETHIOPIC": 1.0, "THAI": 2.3, "LAO": 2.3, "KHMER": 2.3,
    "MYANMAR": 2.3, "DEVANAGARI": 1.3, "BENGALI": 1.3, "TAMIL": 1.4, "TELUGU": 1.3, "ARABIC": 2.0, "HEBREW": 2.0,
}  # fmt: skip
_WITHOUT_SPACES = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
_ALPHABET = 2.7
_DIGIT_SYLLABLES = 1.2


def syllables_per_s(text: str, speech_ms: float) -> float | None:
    """About how many syllables of `text` fall on a second of speech."""
    count = 0.0
    for letter in text:
        if letter.isdigit():
            count += _DIGIT_SYLLABLES
        elif letter.isalpha():
            count += 1 / _PER_SYLLABLE.get(_script(letter), _ALPHABET)
    return count * 1000 / speech_ms if count and speech_ms > 0 else None


def words_per_min(text: str, speech_ms: float) -> float | None:
    """Words of `text` in a minute of speech; a number in digits is one. None in a script without spaces."""
    if speech_ms <= 0 or any(letter.isalpha() and _script(letter) in _WITHOUT_SPACES for letter in text):
        return None
    count = sum(any(sign.isalnum() for sign in word) for word in text.split())
    return count * 60_000 / speech_ms if count else None


def _script(letter: str) -> str:
    """The first word of the letter's Unicode name."""
    return unicodedata.name(letter, "").split(" ")[0].split("-")[0]
