"""The words of a text in any language that espeak-ng reads, in the sounds of the aligner's English model.

In: a text and its language. Out: for each word its sounds, or None where espeak-ng cannot read the text. Trap: a sound
that English lacks becomes its neighbour (a nasal vowel a vowel and /n/, a uvular /r/ an /r/): near enough to find when
a word ends, not to recognise it. The C library keeps one global state: one call at a time.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from functools import cache

from bench.audio.espeak import espeak
from bench.audio.languages import language_of

_IPA, _UTF8 = 0x02, 1
_VOICES = {
    "en": "en-us",
    "zh": "cmn",
    "no": "nb",
    "tl": "",
    "wuu": "",
}  # where espeak-ng's name is not the ISO code; "" is none

# The longest match wins. Length, stress, tone and the marks of palatal or dental sounds are taken off before.
_SOUNDS = {
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "ɔɪ": "OY", "oʊ": "OW", "əʊ": "OW", "tʃ": "CH", "dʒ": "JH",
    "tɕ": "CH", "dʑ": "JH", "tʂ": "CH", "ɑ̃": "AA N", "ɛ̃": "AE N", "ɔ̃": "OW N", "œ̃": "AH N", "ã": "AA N",
    "ẽ": "EY N", "ĩ": "IY N", "õ": "OW N", "ũ": "UW N", "ɐ̃": "AH N", "i": "IY", "ɪ": "IH", "ɨ": "IH",
    "y": "UW", "ʏ": "UH", "e": "EY", "ɛ": "EH", "ø": "ER", "œ": "ER", "ɘ": "EH", "æ": "AE", "a": "AA",
    "ɑ": "AA", "ɒ": "AA", "ɐ": "AH", "ʌ": "AH", "ə": "AH", "ɚ": "ER", "ɜ": "ER", "ɝ": "ER", "ɔ": "AO",
    "o": "OW", "ɵ": "UH", "ɤ": "AH", "u": "UW", "ʊ": "UH", "ʉ": "UW", "ɯ": "UW", "p": "P", "b": "B", "t": "T",
    "d": "D", "k": "K", "ɡ": "G", "g": "G", "c": "K", "ɟ": "G", "q": "K", "ɢ": "G", "ʈ": "T", "ɖ": "D",
    "m": "M", "ɱ": "M", "n": "N", "ɳ": "N", "ɲ": "N Y", "ŋ": "NG", "ɴ": "NG", "f": "F", "ɸ": "F", "v": "V",
    "β": "V", "ʋ": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "ʂ": "SH", "ʐ": "ZH",
    "ɕ": "SH", "ʑ": "ZH", "ɬ": "L", "ç": "SH", "x": "HH", "χ": "HH", "ɣ": "G", "ʁ": "R", "h": "HH", "ħ": "HH",
    "ɦ": "HH", "r": "R", "ɾ": "R", "ɹ": "R", "ɻ": "R", "ɽ": "R", "ʀ": "R", "l": "L", "ɫ": "L", "ɭ": "L",
    "ʎ": "L Y", "j": "Y", "ʝ": "Y", "ɥ": "W", "w": "W", "ɰ": "W",
}  # fmt: skip
_LONGEST = max(map(len, _SOUNDS))


@cache
def foreign_words(text: str, language: str) -> tuple[str, ...] | None:
    """The sounds of each word of `text`, as `"K W AA T R OW"`; None when they are not known.

    A number in digits is read as one number.
    """
    code = language_of(language).code
    voice = _VOICES.get(code, code)
    read = _ipa(text, voice) if voice else None
    if read is None or "(" in read:  # it spells what it cannot read, in another language, which it names in brackets
        return None
    words = [sounds for word in read.split() if (sounds := english_sounds(word))]
    return tuple(words) or None


def english_sounds(ipa: str) -> str:
    """One word in the model's alphabet, from the International Phonetic Alphabet; unknown signs are left out."""
    plain = re.sub(r"[ˈˌː.\d‖|'-]", "", unicodedata.normalize("NFC", ipa))
    found, at = [], 0
    while at < len(plain):
        size = next((size for size in range(_LONGEST, 0, -1) if plain[at : at + size] in _SOUNDS), 0)
        if size:
            found.append(_SOUNDS[plain[at : at + size]])
        at += max(1, size)
    return " ".join(found)


def _ipa(text: str, voice: str) -> str | None:
    """`text` as espeak-ng would say it; None when it has no such voice."""
    library, _ = espeak()
    if library.espeak_SetVoiceByName(voice.encode()):
        return None
    held = ctypes.create_string_buffer(text.encode())
    place = ctypes.c_void_p(ctypes.addressof(held))
    clauses = []
    while place.value:
        clauses.append(library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, _IPA) or b"")
    return b" ".join(clauses).decode(errors="replace")
