"""The normaliser of each language: a row of steps, made once.

In: a text and its language; out: words with one space between them. `VERSION` names the rules: two word error rates may
be compared only where it is the same. Trap: raise it with every change of a rule, however small.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import metadata

from bench.audio.languages import Language, language_of
from bench.audio.references import without_notes
from bench.measure.words import english, number_words
from bench.measure.words.steps import (
    Step,
    ascii_digits,
    digit_by_digit,
    joined_letters,
    letters_marks_and_digits,
    replaced_words,
    same_characters,
    single_spaces,
    substituted,
    without_reading_marks,
)
from bench.measure.words.times import times_of

VERSION = 3
_COUNTED = frozenset({"es", "fr", "de", "it", "pt", "nl"})
"""Languages besides English whose number words become digits."""
_UNITS = {
    "es": ("por ciento", "dólar", "dólares", "euro", "euros"),
    "fr": ("pour cent", "dollar", "dollars", "euro", "euros"),
    "de": ("prozent", "dollar", "dollar", "euro", "euro"),
    "it": ("per cento", "dollaro", "dollari", "euro", "euro"),
    "pt": ("por cento", "dólar", "dólares", "euro", "euros"),
    "nl": ("procent", "dollar", "dollar", "euro", "euro"),
}
_SPOKEN_COMMA = {"es": "coma", "fr": "virgule", "de": "komma", "it": "virgola", "pt": "vírgula", "nl": "komma"}
_ONE_LETTER = {"ru": ("ё", "е"), "hi": ("ँ", "ं"), "mr": ("ँ", "ं"), "ne": ("ँ", "ं")}
"""Letters that writers use for each other."""
_SHORT_FORMS = {"es": {"veintiún": "2 1", "veintiuna": "2 1"}}
"""Numbers in forms that `text2num` does not know."""
_CHARACTERS = frozenset({"zh", "yue", "wuu", "ja"})
"""Languages that write numbers in Chinese characters."""
_CJK_DIGITS = dict(zip("零一二三四五六七八九〇○两兩幺", "012345678900221", strict=True))
_CJK_UNITS = {"十": 10, "百": 100, "千": 1000}
_CJK_NUMBER = re.compile(r"[零〇○一二三四五六七八九两兩幺十百千万萬亿億0-9]+")


@lru_cache(maxsize=4096)
def normalise(text: str, language: str) -> str:
    """`text` in the one spelling that both sides of a comparison get. Raises `ValueError` for an unknown language."""
    for step in steps_of(language_of(language)):
        text = step(text)
    return text


def normaliser_name(language: str) -> str:
    """Which rules `language` gets, with every version that they depend on; the value of the column `normaliser`."""
    return _name(language_of(language).code)


@cache
def steps_of(language: Language) -> Sequence[Step]:
    """The steps of `language`, in order."""
    code = language.code
    first: list[Step] = [same_characters, without_notes, ascii_digits]
    last: list[Step] = [letters_marks_and_digits, digit_by_digit, single_spaces, joined_letters]
    if code == "en":
        spoken: list[Step] = [
            english.without_accents, english.addresses, english.abbreviations, english.contractions,
            english.symbols, english.numbers,
        ]  # fmt: skip
        return [*first, *spoken, _no_apostrophe, *last, english.one_spelling, english.american_spelling, single_spaces]
    if code in _COUNTED:
        return [*first, _units(code), _numbers(code), _apostrophe(code), *last, _one_of(code)]
    if code in _CHARACTERS:
        return [*first, _cjk_numbers, *last]
    if code in _ONE_LETTER:
        first.append(substituted(_ONE_LETTER[code]))
    plain = [*first, without_reading_marks, _plain_numerals, _no_apostrophe]
    if code == "ko":
        return [*plain, _korean_numbers, *last]
    if number_words.knows(code):
        return [*plain, letters_marks_and_digits, _number_words(code), *last]
    return [*plain, *last]


_no_apostrophe = substituted((r"(?<=\w)'(?=\w)", ""))
_plain_numerals = substituted((r"(?<=\d)[.,](?=\d{3}\b)", ""), (r"(?<=\d)[.,](?=\d)", " point "))


def _apostrophe(code: str) -> Step:
    """An elision is a word (`l'eau`); elsewhere the apostrophe is a part of one."""
    return substituted((r"(?<=\w)'(?=\w)", " ")) if code in {"fr", "it"} else _no_apostrophe


def _units(code: str) -> Step:
    percent, dollar, dollars, euro, euros = _UNITS[code]
    return substituted(
        (r"r\$\s?(\d[\d.,]*)", r"\1 reais"),
        (r"([$€])\s?(\d[\d.,]*)", r"\2 \1"),
        # an amount is said with its currency in the midst: 12,50 € is zwölf Euro fünfzig
        (r"\b(\d+),(\d\d) ?([$€])", r"\1 \3 \2"),
        (rf"\b(\d+),(\d\d) ({dollar}|{dollars}|{euro}|{euros})\b", r"\1 \3 \2"),
        (r"%", f" {percent} "),
        (r"(?<!\d)1 \$", f"1 {dollar} "),
        (r"(?<!\d)1 €", f"1 {euro} "),
        (r"\$", f" {dollars} "),
        (r"€", f" {euros} "),
    )


def _numbers(code: str) -> Step:
    """Number words as digits, thousands without a dot, a decimal comma and a time as they are spoken."""
    comma = _SPOKEN_COMMA[code]
    thousands = substituted((r"(?<=\d)[.\u00a0\u202f ](?=\d{3}\b(?![.,]?\d))", ""))
    times = times_of(code)
    decimals = substituted((rf"(?<=\d),(?=\d{{1,2}}\b)|(?<=\d) {comma} (?=\d)", f" {comma} "))

    def step(text: str) -> str:
        from text_to_num import alpha2digit

        return decimals(times(str(alpha2digit(thousands(text), code, threshold=0.0))))

    return step


def _one_of(code: str) -> Step:
    """The article that is also the number one, which the number words do not settle alike everywhere."""
    ones = {
        "de": ("ein", "eine", "einen", "einem", "einer", "eines"), "fr": ("un", "une"), "es": ("un", "una", "uno"),
        "it": ("un", "una", "uno"), "pt": ("um", "uma"), "nl": ("een",),
    }  # fmt: skip
    return replaced_words(dict.fromkeys(ones[code], "1") | _SHORT_FORMS.get(code, {}))


def _cjk_numbers(text: str) -> str:
    """Numbers in Chinese characters as digits: `二十五` is 25, `五五五` is 555."""
    return _CJK_NUMBER.sub(lambda found: _cjk_number(found.group()), text)


def _cjk_number(text: str) -> str:
    digits = "".join(_CJK_DIGITS.get(c, c) for c in text)
    if digits.isdecimal() or not any(c.isdecimal() or c == "十" for c in digits) or len(digits) > 32:
        return digits
    total = part = 0
    figure = ""
    for c in digits:
        if c.isdecimal():
            figure += c
        elif c in _CJK_UNITS:
            part += int(figure or 1) * _CJK_UNITS[c]
            figure = ""
        else:
            total += (part + int(figure or 0)) * (10**4 if c in "万萬" else 10**8)
            part, figure = 0, ""
    return str(total + part + int(figure or 0))


_KOREAN = str.maketrans("영공일이삼사오육륙칠팔구십백천만", "001234566789十百千万")
_KOREAN_NUMBER = re.compile(
    r"(?<!\w)(?=[영공일이삼사오육륙칠팔구]{3}|\w*[이삼사오육칠팔구][십백천만]|십[일이삼사오육칠팔구])[영공일이삼사오육륙칠팔구십백천만]+"
)
"""A row of digits, or a number with its tens, hundreds or thousands; shorter rows are syllables of other words too."""


_KOREAN_HOURS = dict(
    zip("한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 열한 열두".split(), (str(hour) for hour in range(1, 13)), strict=True)  # noqa: SIM905
)
_KOREAN_HOUR = re.compile(rf"(?<!\w)({'|'.join(sorted(_KOREAN_HOURS, reverse=True))}) ?시(?!간)")


def _korean_numbers(text: str) -> str:
    """Numbers in Sino-Korean words as digits, with what follows them left: `이십오분` is `25분`; and hours: `세 시`."""
    text = _KOREAN_HOUR.sub(lambda found: f"{_KOREAN_HOURS[found.group(1)]}시", text)
    return _KOREAN_NUMBER.sub(lambda found: _cjk_number(found.group().translate(_KOREAN)), text)


def _number_words(code: str) -> Step:
    """The step of `number_words`, with names spelled as texts are by the steps before it."""
    return number_words.numbers_of(code, _plain_spelling(code))


@cache
def _plain_spelling(code: str) -> Step:
    swap = substituted(_ONE_LETTER[code]) if code in _ONE_LETTER else str

    def step(text: str) -> str:
        return letters_marks_and_digits(_no_apostrophe(without_reading_marks(swap(same_characters(text)))))

    return step


@cache
def _name(code: str) -> str:
    rules = "english" if code == "en" else code if code in _COUNTED | _CHARACTERS else "basic"
    libraries: tuple[str, ...] = {"english": ("whisper-normalizer", "text2num"), "basic": ()}.get(rules, ("text2num",))
    if rules == "basic" and number_words.knows(code):
        rules, libraries = code, (number_words.library(code),)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)
    return f"bench {VERSION} {rules}" + (f" ({versions})" if versions else "")
