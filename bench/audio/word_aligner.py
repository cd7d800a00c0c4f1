"""Where the last word of a text ends in a recording: the text is laid along the sound.

In: samples without rumble, the words that are said, and the stretch in which there is sound. Out: a time in
milliseconds, or none. The model is the recogniser's of the reference server; the words are known, so this is alignment,
not recognition, and far more certain. Trap: it is the only witness that tells the caller's words from other speech, but
it is good to some 50 ms only, 100 in other languages than English, whose sounds become their English neighbours
(`foreign_words`). It never writes an annotation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import SpeechSpan
from bench.audio.foreign_words import foreign_words
from bench.audio.formats import resample_float, to_pcm16
from bench.audio.languages import language_of
from bench.audio.level import amplitude

MODEL_RATE_HZ = 16_000
BEFORE_MS, AFTER_MS = 150.0, 250.0  # of the recording, around the sound
SILENCE_AFTER_MS = 300.0
LONGEST_S = 60.0
STEP_MS = 10
BIAS_MS = 7.0  # [median over the shipped recordings, 10 over 160 of a human voice] by which it hears ends late
# The model expects some noise: in digital silence it takes a soft last vowel for noise. Over 160 clean human recordings
# the ends lie -22 to +37 ms (5 to 95 %) from those by level with this noise added, -118 to +29 ms without.
NOISE_UNDER_PEAK_DB = 60.0
MOST_UNKNOWN = 1 / 3  # of the words
_MARKS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SOUNDS = {
    "tion": "SH AH N", "sch": "SH", "igh": "AY", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "ck": "K", "ng": "NG",
    "qu": "K W", "ee": "IY", "oo": "UW", "ou": "AW", "ow": "OW", "ai": "EY", "ay": "EY", "ea": "IY", "oa": "OW",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K",
    "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V",
    "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip

_NUMBER = re.compile(r"\d(?:[\d.,\s-]*\d)+")
HISSES = frozenset(("S", "Z", "SH", "ZH", "F", "V", "TH", "HH"))
BURSTS = frozenset(("P", "B", "T", "D", "K", "G", "CH", "JH"))


@dataclass(frozen=True, slots=True)
class LastWord:
    """The last word that was found, and when it ends; `end_ms` is None when the text is not what is said."""

    word: str
    end_ms: float | None
    last_sound_score: float | None = None
    """How well the last sound fits what is heard there, by frame: mostly -20 to 0, under -60 where it is cut off."""
    foreign: bool = False
    """Whether its sounds are not in the model, so that all is less certain."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to say a text: names in the decoder's dictionary, and what the last one is called."""

    names: tuple[str, ...]
    last: str
    foreign: bool


def last_word(
    samples: NDArray[np.float64], rate_hz: int, text: str, sound: SpeechSpan, peak_db: float, language: str = ""
) -> LastWord | None:
    """Where the last word of `text` ends within the stretch `sound`; None when the text is not one to align.

    Of several ways to say it (a number digit by digit, or as one number) the one that fits best is taken.
    """
    if (sound.end_ms - sound.start_ms) / 1000 > LONGEST_S:
        return None
    found = [_found(samples, rate_hz, reading, sound, peak_db) for reading in _readings(text, language)]
    return max(found, key=lambda one: one[0], default=(0.0, None))[1]


def _found(
    samples: NDArray[np.float64], rate_hz: int, reading: _Reading, sound: SpeechSpan, peak_db: float
) -> tuple[float, LastWord]:
    """How well a reading fits, and where its last word ends."""
    words = list(reading.names)
    start = max(0, round((sound.start_ms - BEFORE_MS) * rate_hz / 1000))
    stop = round((sound.end_ms + AFTER_MS) * rate_hz / 1000)
    # without silence to end in, the model leaves out a soft last sound
    samples = np.concatenate((samples[start:stop], np.zeros(round(SILENCE_AFTER_MS * rate_hz / 1000))))
    noise = np.random.default_rng(1).standard_normal(len(samples)) * amplitude(peak_db - NOISE_UNDER_PEAK_DB)
    offset_ms = start * 1000 / rate_hz
    end_ms = _aligned(samples + noise, rate_hz, words)
    fit = -np.inf if end_ms is None else float(_decoder().hyp().best_score)
    score = None if end_ms is None else _last_sound_score(samples + noise, rate_hz)
    if end_ms is not None and abs(offset_ms + end_ms - BIAS_MS - sound.end_ms) <= 2 * STEP_MS:
        return fit, LastWord(reading.last, offset_ms + end_ms - BIAS_MS, score, reading.foreign)
    # a single alignment now and then goes astray: the one that lies nearer to the sound's end is believed
    plain_ms = _aligned(samples, rate_hz, words)
    ends = [offset_ms + found - BIAS_MS for found in (end_ms, plain_ms) if found is not None]
    nearest = min(ends, key=lambda at: abs(at - sound.end_ms), default=None)
    return fit, LastWord(reading.last, nearest, score, reading.foreign)


def word_ends_ms(samples: NDArray[np.float64], rate_hz: int, text: str, language: str = "") -> list[float] | None:
    """Where each of `spoken_words(text)` ends in a whole recording; None when the text is not one to align."""
    words = spoken_words(text)
    if not words or len(samples) > LONGEST_S * rate_hz or not _is_english(language) or not _known(words):
        return None
    if _aligned(samples, rate_hz, words) is None:
        return None
    parts = [part for part in _decoder().seg() if re.match(r"[a-z]", part.word)]
    if len(parts) != len(words):
        return None
    return [(part.end_frame + 1) * STEP_MS - BIAS_MS for part in parts]


def spoken_words(text: str) -> list[str]:
    """The words of a text as a dictionary writes them; empty when it holds numbers that may be read in several ways."""
    plain = text.lower().translate(_MARKS)
    words: list[str] = []
    for token in re.findall(r"[^\W_]+(?:['.][^\W_]+)*", plain):
        if token.isdecimal() and len(token) == 1:
            words.append(_DIGITS[int(token)])
        elif re.fullmatch(r"[a-z]+(?:['.][a-z]+)*", token):
            words.append(token)
        else:
            return []
    return words


def sounds_at_end(text: str, language: str = "") -> tuple[str, ...] | None:
    """The last three sounds of a text, in the letters of the model; None where they are not known.

    A burst (`BURSTS`) may come after a gap of up to 100 ms and has no pitch, so it looks like a knock.
    """
    readings = _readings(text, language)
    if not readings:
        return None
    return tuple(" ".join(_decoder().lookup_word(name) for name in readings[0].names[-3:]).split()[-3:])


def _readings(text: str, language: str) -> list[_Reading]:
    """The ways to say a text, the likeliest first; none where it cannot be read."""
    if _is_english(language):
        words = spoken_words(text)
        if words and _known(words):
            return [_Reading(tuple(words), words[-1], foreign=False)]
    # numbers digit by digit, then as numbers
    readings = []
    for way in dict.fromkeys((_NUMBER.sub(_digit_by_digit, text), text)):
        try:
            words_sounds = foreign_words(way, language if language else "en")
        except ValueError:
            return []
        if words_sounds is None:
            return []
        written = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)
        last = written[-1] if written else text
        if not language_of(language).has_spaces:
            last = last[-2:]
        readings.append(_Reading(tuple(_added(sounds) for sounds in words_sounds), last, foreign=True))
    return readings


def _digit_by_digit(number: re.Match[str]) -> str:
    return f" {' '.join(digit for digit in number[0] if digit.isdecimal())} "


def _added(sounds: str) -> str:
    """The name of a word in the dictionary that sounds so."""
    name = f"x.{sounds.lower().replace(' ', '.')}"
    if _decoder().lookup_word(name) is None:
        _decoder().add_word(name, sounds, True)
    return name


def _is_english(language: str) -> bool:
    try:
        return language_of(language).code == "en"
    except ValueError:
        return False


def _known(words: list[str]) -> bool:
    """Whether most words are in the dictionary; the others are given a pronunciation by their letters."""
    decoder = _decoder()
    unknown = [word for word in dict.fromkeys(words) if decoder.lookup_word(word) is None]
    if len(unknown) > MOST_UNKNOWN * len(words):
        return False
    for word in unknown:
        decoder.add_word(word, pronunciation(word), True)
    return True


def pronunciation(word: str) -> str:
    """The sounds of a word that the dictionary lacks, roughly, letter by letter."""
    sounds, rest = [], re.sub(r"[^a-z]", "", word)
    while rest:
        size = next(size for size in (4, 3, 2, 1) if rest[:size] in _SOUNDS)
        sounds.append(_SOUNDS[rest[:size]])
        rest = rest[size:]
    return " ".join(sounds)


@cache
def _decoder() -> Any:
    from pocketsphinx import Decoder  # 30 MB and 0.3 s without a language model

    return Decoder(samprate=MODEL_RATE_HZ, loglevel="FATAL", lm=None, bestpath=False)


def _aligned(samples: NDArray[np.float64], rate_hz: int, words: list[str]) -> float | None:
    """When the last word ends, in milliseconds of `samples`; None when the words do not fit them."""
    decoder = _decoder()
    decoder.set_align_text(" ".join(words))
    _hear(decoder, samples, rate_hz)
    if decoder.hyp() is None:
        return None
    ends = [part.end_frame for part in decoder.seg() if re.match(r"[a-z]", part.word)]
    return float((ends[-1] + 1) * STEP_MS) if ends else None


def _last_sound_score(samples: NDArray[np.float64], rate_hz: int) -> float | None:
    """After `_aligned`: the sounds of the words are laid along the samples in a second pass.

    Trap: `hyp()` and `seg()` crash the process after it, until the next `set_align_text`.
    """
    decoder = _decoder()
    try:
        decoder.set_alignment()
        _hear(decoder, samples, rate_hz)
        sounds = [sound for word in decoder.get_alignment() if re.match(r"[a-z]", word.name) for sound in word]
    except RuntimeError:
        return None
    return float(sounds[-1].score / sounds[-1].duration) if sounds and sounds[-1].duration else None


def _hear(decoder: Any, samples: NDArray[np.float64], rate_hz: int) -> None:
    decoder.start_utt()
    pcm = to_pcm16(resample_float(samples, rate_hz, MODEL_RATE_HZ))[0].astype("<i2")
    decoder.process_raw(pcm.tobytes(), False, True)
    decoder.end_utt()
