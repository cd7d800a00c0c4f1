"""How well the server heard the caller: reference text and its transcription in, word counts and rates out.

jiwer aligns; whisper-normalizer removes differences that are no mishearing ("four two seven" and "427", "I'd" and
"I would"). The counts are the product: a run's WER is pooled from them (all errors / all reference words).
Trap: the mean of per-turn WERs is another, noisier number, and a missing transcription is not an empty one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from typing import Any, Literal

Operation = Literal["equal", "substitute", "delete", "insert"]

# Written without spaces between words: a "word" error rate would score whole sentences.
_NO_WORD_SPACES = frozenset({"zh", "cmn", "yue", "wuu", "ja", "th", "lo", "km", "my", "bo"})
# Scripts whose vowel signs are combining marks: the basic normaliser would cut words at each of them.
_COMBINING_MARKS = frozenset(
    {"hi", "mr", "ne", "sa", "bn", "as", "ta", "te", "kn", "ml", "gu", "pa", "or", "si", "th", "lo", "km", "my", "bo"}
)
_ENGLISH = frozenset({"en", "eng", "english", "unknown", ""})


@dataclass(frozen=True, slots=True)
class WordScore:
    """Counts and rates of one transcription against its reference, and what normalised both.

    `wer` is None when nothing is left of the reference; `cer` and its counts are set only for languages without
    word spaces, where they are the figure to read.
    """

    hits: int
    substitutions: int
    deletions: int
    insertions: int
    wer: float | None
    wer_raw: float | None
    cer: float | None
    char_errors: int | None
    reference_chars: int | None
    normaliser: str
    normaliser_version: str

    @property
    def reference_words(self) -> int:
        """Words of the normalised reference, the denominator of a pooled WER."""
        return self.hits + self.substitutions + self.deletions


@dataclass(frozen=True, slots=True)
class AlignedChunk:
    """A run of one operation in the alignment, with the words of each side (empty for insert or delete)."""

    op: Operation
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


def score_words(reference: str, hypothesis: str | None, language: str) -> WordScore | None:
    """Score `hypothesis` against `reference`; None when there was no transcription at all.

    `language` is a tag such as `en-GB`; "unknown" is read as English.
    """
    if hypothesis is None:
        return None
    name = normaliser_name(language)
    clean_reference, clean_hypothesis = normalise(reference, language), normalise(hypothesis, language)
    words = _align(clean_reference, clean_hypothesis)
    chars = None if words_have_spaces(language) else _align(_spell(clean_reference), _spell(clean_hypothesis))
    return WordScore(
        hits=words.hits,
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        wer=_rate(words),
        wer_raw=_rate(_align(reference, hypothesis)),
        cer=None if chars is None else _rate(chars),
        char_errors=None if chars is None else chars.substitutions + chars.deletions + chars.insertions,
        reference_chars=None if chars is None else chars.hits + chars.substitutions + chars.deletions,
        normaliser=name,
        normaliser_version=_normaliser_version(),
    )


def alignment(reference: str, hypothesis: str, language: str = "en") -> list[AlignedChunk]:
    """The alignment of the normalised texts, word by word (character by character where words have no spaces)."""
    spell: Callable[[str], str] = str if words_have_spaces(language) else _spell
    output = _align(spell(normalise(reference, language)), spell(normalise(hypothesis, language)))
    left, right = output.references[0], output.hypotheses[0]
    return [
        AlignedChunk(
            op=chunk.type,
            reference=tuple(left[chunk.ref_start_idx : chunk.ref_end_idx]),
            hypothesis=tuple(right[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in output.alignments[0]
    ]


def prepare(language: str = "en") -> None:
    """Import the scorer and build the normaliser now, so that no turn of a running call waits for it."""
    score_words("ready", "ready", language)


@lru_cache(maxsize=4096)
def normalise(text: str, language: str) -> str:
    """`text` as the normaliser of `language` sees it: lower case, no punctuation, numbers and spellings unified."""
    return _normaliser(normaliser_name(language))(text).strip()


def normaliser_name(language: str) -> str:
    """Which normaliser `language` gets: `whisper-english`, `whisper-basic`, or the latter keeping vowel signs."""
    tag = _primary_tag(language)
    if tag in _ENGLISH:
        return "whisper-english"
    return "whisper-basic+marks" if tag in _COMBINING_MARKS else "whisper-basic"


def words_have_spaces(language: str) -> bool:
    """Whether WER is the figure to read for `language` (else CER)."""
    return _primary_tag(language) not in _NO_WORD_SPACES


def _primary_tag(language: str) -> str:
    return language.strip().lower().replace("_", "-").split("-")[0]


def _spell(text: str) -> str:
    """`text` with each character as a word of its own, white space dropped."""
    return " ".join(character for character in text if not character.isspace())


def _align(reference: str, hypothesis: str) -> Any:
    """jiwer with its own defaults, so that its numbers are ours; the result is untyped and read by attribute."""
    import jiwer

    return jiwer.process_words(reference, hypothesis)


def _rate(output: Any) -> float | None:
    total = output.hits + output.substitutions + output.deletions
    return None if total == 0 else float(output.substitutions + output.deletions + output.insertions) / total


@cache
def _normaliser(name: str) -> Callable[[str], str]:
    """Built once per process: the English one reads a spelling table."""
    if name == "whisper-english":
        from whisper_normalizer.english import EnglishTextNormalizer

        english: Callable[[str], str] = EnglishTextNormalizer()
        return english
    from whisper_normalizer.basic import BasicTextNormalizer

    basic: Callable[[str], str] = BasicTextNormalizer(preserve_marks=name.endswith("+marks"))
    return basic


@cache
def _normaliser_version() -> str:
    return metadata.version("whisper-normalizer")
