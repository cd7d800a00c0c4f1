"""When each word of a recording ends: what the delay of a caption counts from.

In: a fixture. Out: its words as they are written, each with the end of its sound. The text is laid along the sound by
`word_aligner`, so times are good to some 50 ms. Trap: numbers in digits may be read in several ways, and the model
knows English only: then there are no times, which is unknown and not zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from bench.audio.catalogue import Fixture
from bench.audio.formats import FULL_SCALE
from bench.audio.word_aligner import MODEL_RATE_HZ, word_ends_ms

_LETTERS = re.compile(r"[^\W_]+(?:['.][^\W_]+)*")
_MARKS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})


@dataclass(frozen=True, slots=True)
class WordTimes:
    """Words in order, each with the end of its sound in ms from the first sample of the file."""

    words: tuple[str, ...]
    ends_ms: tuple[float, ...]

    def scaled(self, factor: float) -> WordTimes:
        """As they are in a recording that is played in `factor` of the time."""
        return WordTimes(self.words, tuple(end * factor for end in self.ends_ms))


def plain_words(text: str) -> list[str]:
    """The words of a text without what may be written in several ways: case and punctuation."""
    return [plain for word in text.split() if (plain := plain_word(word))]


def plain_word(word: str) -> str:
    """One word as it is compared; empty for punctuation alone."""
    return " ".join(_LETTERS.findall(word.lower().translate(_MARKS)))


@cache
def word_times(fixture: Fixture) -> WordTimes | None:
    """The words of `fixture` with their ends; None where the text cannot be laid along its sound."""
    written = [word for word in fixture.text.split() if plain_word(word)]
    parts = [len(_LETTERS.findall(word.translate(_MARKS))) for word in written]
    samples = fixture.load_pcm(MODEL_RATE_HZ) / FULL_SCALE
    found = word_ends_ms(samples, MODEL_RATE_HZ, fixture.text, fixture.language)
    if found is None or len(found) != sum(parts):
        return None
    ends, at = [], 0
    for count in parts:
        at += count
        ends.append(found[at - 1])
    # The annotated end of speech is more certain than the model's.
    return WordTimes(tuple(written), (*ends[:-1], fixture.speech_end_ms))
