"""How well the server heard the caller: reference text and its transcription in, word counts and rates out.

`bench.measure.words` removes differences that are no mishearing ("four two seven" and "427", "I'd" and "I would");
jiwer aligns. The counts are the product: a run's WER is pooled from them (all errors / all reference words).
Trap: the mean of per-turn WERs is another, noisier number, and a missing transcription is not an empty one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

from bench.audio.languages import Language, language_of
from bench.measure.words.compounds import as_in_reference
from bench.measure.words.normaliser import normalise, normaliser_name

Operation = Literal["equal", "substitute", "delete", "insert"]

MOST_CHARACTERS = 20_000
"""The longest text that is scored, some twenty minutes of speech: a longer one has no word error rate."""

# Scripts whose vowel signs are combining marks: whisper's basic normaliser would cut words at each of them.
_COMBINING_MARKS = frozenset(
    {"hi", "mr", "ne", "sa", "bn", "as", "ta", "te", "kn", "ml", "gu", "pa", "or", "si", "th", "lo", "km", "my", "bo"}
)


@dataclass(frozen=True, slots=True)
class WordScore:
    """Counts and rates of one transcription against its reference, and what normalised both.

    `wer` is None when nothing is left of the reference; `cer` and its counts are set only for languages without
    word spaces, where they are the figure to read. `wer_raw` is of the texts as they are, `wer_whisper` of the texts
    through whisper's own normaliser, for who wants to compare.
    """

    hits: int
    substitutions: int
    deletions: int
    insertions: int
    wer: float | None
    wer_raw: float | None
    wer_whisper: float | None
    cer: float | None
    char_errors: int | None
    reference_chars: int | None
    normaliser: str

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


def too_long(reference: str, hypothesis: str | None) -> bool:
    """Whether a text is over `MOST_CHARACTERS`: then nothing is scored."""
    return max(len(reference), len(hypothesis or "")) > MOST_CHARACTERS


def score_words(reference: str, hypothesis: str | None, language: str) -> WordScore | None:
    """Score `hypothesis` against `reference`; None when there was no transcription at all, or a text is too long.

    `language` is what `language_of` understands. Raises `ValueError` for another.
    """
    if hypothesis is None or too_long(reference, hypothesis):
        return None
    spoken = language_of(language)
    clean_reference, clean_hypothesis = _pair(reference, hypothesis, language)
    words = _align(clean_reference, clean_hypothesis)
    chars = None if spoken.has_spaces else _align(_spell(clean_reference), _spell(clean_hypothesis))
    whisper = _whisper(spoken)
    return WordScore(
        hits=words.hits,
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        wer=_rate(words),
        wer_raw=_rate(_align(reference, hypothesis)),
        wer_whisper=_rate(_align(whisper(reference).strip(), whisper(hypothesis).strip())),
        cer=None if chars is None else _rate(chars),
        char_errors=None if chars is None else chars.substitutions + chars.deletions + chars.insertions,
        reference_chars=None if chars is None else chars.hits + chars.substitutions + chars.deletions,
        normaliser=normaliser_name(language),
    )


def alignment(reference: str, hypothesis: str, language: str = "en") -> list[AlignedChunk]:
    """The alignment of the normalised texts, word by word (character by character where words have no spaces)."""
    return [] if too_long(reference, hypothesis) else list(_chunks(reference, hypothesis, language))


@lru_cache(maxsize=256)
def _chunks(reference: str, hypothesis: str, language: str) -> tuple[AlignedChunk, ...]:
    """Kept for a while: a report shows the worst turns and counts the confused words of the same ones."""
    spell: Callable[[str], str] = str if language_of(language).has_spaces else _spell
    output = _align(*map(spell, _pair(reference, hypothesis, language)))
    left, right = output.references[0], output.hypotheses[0]
    return tuple(
        AlignedChunk(
            op=chunk.type,
            reference=tuple(left[chunk.ref_start_idx : chunk.ref_end_idx]),
            hypothesis=tuple(right[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in output.alignments[0]
    )


def prepare(language: str = "en") -> None:
    """Import the scorer and build the normaliser now, so that no turn of a running call waits for it."""
    score_words("ready", "ready", language)


def comparable(normalisers: set[str]) -> bool:
    """Whether word error rates of rows with these normalisers may be pooled or compared: they have one version.

    Languages have rules of their own; the version and the libraries behind them must be the same.
    """
    return len({_rules_version(name) for name in normalisers}) <= 1


def _rules_version(name: str) -> str:
    words = name.split(" ")
    return " ".join(words[:2]) if words[0] == "bench" else name


def _pair(reference: str, hypothesis: str, language: str) -> tuple[str, str]:
    """Both sides in one spelling, the hypothesis with its compounds as the reference has them."""
    clean = normalise(reference, language)
    heard = as_in_reference(clean.split(), normalise(hypothesis, language).split())
    return clean, " ".join(heard)


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
def _whisper(language: Language) -> Callable[[str], str]:
    """Whisper's own normaliser, built once per process: the English one reads a spelling table."""
    if language.code == "en":
        from whisper_normalizer.english import EnglishTextNormalizer

        english: Callable[[str], str] = EnglishTextNormalizer()
        return english
    from whisper_normalizer.basic import BasicTextNormalizer

    basic: Callable[[str], str] = BasicTextNormalizer(preserve_marks=language.code in _COMBINING_MARKS)
    return basic
