"""How fast a text is spoken, in syllables a second, roughly, in any script.

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
_ALPHABET = 2.7
_DIGIT_SYLLABLES = 1.2


def syllables_per_s(text: str, speech_ms: float) -> float | None:
    """About how many syllables of `text` fall on a second of speech."""
    count = 0.0
    for letter in text:
        if letter.isdigit():
            count += _DIGIT_SYLLABLES
        elif letter.isalpha():
            script = unicodedata.name(letter, "").split(" ")[0].split("-")[0]
            count += 1 / _PER_SYLLABLE.get(script, _ALPHABET)
    return count * 1000 / speech_ms if count and speech_ms > 0 else None
