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
from bench.measure.words import cjk, english, number_words
from bench.measure.words import written_forms as forms
from bench.measure.words.steps import (
    ORDINAL,
    Step,
    ascii_digits,
    digit_by_digit,
    joined_letters,
    letters_marks_and_digits,
    replaced_words,
    same_characters,
    single_spaces,
    substituted,
    turkic_i,
    without_reading_marks,
)
from bench.measure.words.times import times_of

VERSION = 4
_COUNTED = frozenset({"es", "fr", "de", "it", "pt", "nl"})
"""Languages besides English whose number words become digits."""
_SPOKEN_COMMA = {"es": "coma", "fr": "virgule", "de": "komma", "it": "virgola", "pt": "vírgula", "nl": "komma"}
_DEVANAGARI = (("ँ", "ं"), ("\u093c", ""))
_ONE_LETTER: dict[str, tuple[tuple[str, str], ...]] = {
    "ru": (("ё", "е"),), "hi": _DEVANAGARI, "mr": _DEVANAGARI, "ne": _DEVANAGARI,
}  # fmt: skip
"""Letters that writers use for each other, and the dot below that many leave out."""
_AND = {"es": "con|y", "fr": "et", "de": "und", "it": "e", "pt": "e", "nl": "en"}
"""The word between an amount and its small coins."""
_SMALL_COINS = {
    "es": "céntimos?|centavos?", "fr": "centimes?|cents?", "de": "cents?",
    "pt": "centavos?|cêntimos?", "nl": "cent",
}  # fmt: skip
_ORDINAL_ENDS = {
    "es": "er|ero|era|os?|as?|do|da|to|ta|mo|ma|vo|va|no|na", "fr": "er|re|ère|nd|nde|e|è|ème|eme|ième|ieme",
    "it": "o|a", "pt": "o|a",
}  # fmt: skip
"""What is written behind the figure of an ordinal; `º` is what all become."""
_FIRST_DAY = {
    "es": "de (?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre)",
    "fr": "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
    "it": "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre",
    "pt": "de (?:janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro)",
}
"""Months: before them an ordinal is a figure."""
_SHORT_FORMS = {"es": {"veintiún": "2 1", "veintiuna": "2 1"}}
"""Numbers in forms that `text2num` does not know."""
_CHARACTERS = frozenset({"zh", "yue", "wuu", "ja"})
"""Languages that write numbers in Chinese characters."""


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
    if code in {"tr", "az"}:
        first.insert(0, turkic_i)
    titles: list[Step] = [forms.addresses(code), forms.minus(code), forms.abbreviations(code)]
    written: list[Step] = [*titles, forms.sign_behind, forms.units(code)]
    spelled = joined_letters(forms.letters_that_are_words(code))
    last: list[Step] = [letters_marks_and_digits, digit_by_digit, forms.without_fillers(code), single_spaces, spelled]
    if code == "en":
        spoken: list[Step] = [
            english.without_accents, english.addresses, forms.abbreviations(code), english.abbreviations,
            english.contractions, english.symbols, english.feet_and_inches, forms.units(code), english.numbers,
        ]  # fmt: skip
        return [*first, *spoken, _no_apostrophe, *last, english.one_spelling, english.american_spelling, single_spaces]
    if code in _COUNTED:
        amounts: list[Step] = [forms.sign_behind, _amounts(code), forms.units(code), _numbers(code), _coins(code)]
        if code in _ORDINAL_ENDS:
            amounts.append(_ordinals(code))
        return [*first, *titles, *amounts, _apostrophe(code), *last, _one_of(code)]
    if code in _CHARACTERS:
        signs: list[Step] = [cjk.written(code), forms.sign_behind, forms.units(cjk.table(code))]
        return [*first, *signs, cjk.numbers, cjk.joined(code), *last]
    if code in _ONE_LETTER:
        first.append(substituted(*_ONE_LETTER[code]))
    written[-1] = forms.units(code, _spelling(code))
    if code == "tr":
        written.insert(0, substituted((r"%\s?(\d[\d.,]*)", r"yüzde \1"), (r"(\d[\d.,]*)\s?%", r"yüzde \1")))
    plain = [*first, without_reading_marks, *written, _plain_numerals, _no_apostrophe]
    if code == "ko":
        return [*plain, _korean_numbers, *last]
    if number_words.knows(code):
        return [*plain, letters_marks_and_digits, _number_words(code), _decimals(code), *last]
    return [*plain, _decimals(code), *last]


_no_apostrophe = substituted((r"(?<=\w)'(?=\w)", ""))
_plain_numerals = substituted((r"(?<=\d)[.,](?=\d{3}\b)", ""), (r"(?<=\d)[.,](?=\d)", " point "))


def _apostrophe(code: str) -> Step:
    """An elision is a word (`l'eau`); elsewhere the apostrophe is a part of one."""
    return substituted((r"(?<=\w)'(?=\w)", " ")) if code in {"fr", "it"} else _no_apostrophe


def _amounts(code: str) -> Step:
    """An amount with its currency in the midst, as it is said: 12,50 € is zwölf Euro fünfzig."""
    signs = rf"[$€£]|r\$|us\$|{forms.words_of(code, '$', '€', '£', 'r$')}"

    def said(found: re.Match[str]) -> str:
        coins = int(found[2])
        return f"{found[1]} {found[3]} {coins}" if coins else f"{found[1]} {found[3]}"

    pattern = re.compile(rf"\b(\d+),(\d\d) ?({signs}|dólares|dollars|dollari|reais|euros)(?!\w)")
    # The word for a hundredth of a euro is an ordinal in Italian, which the number words would make a figure.
    coins = re.compile(r"\b(euro|dollar[oi]|€) ((?:e )?\w+(?: \w+)?) centesim[oi]\b")
    return lambda text: coins.sub(r"\1 \2", pattern.sub(said, text))


def _coins(code: str) -> Step:
    """`12 euro 50` for `12 euro und 50 cent`."""
    currencies = forms.words_of(code, "€", "$", "£", "r$")
    coins = _SMALL_COINS.get(code, "(?!)")
    pattern = re.compile(rf"(\d ?(?:{currencies})) (?:(?:{_AND[code]}) )?(\d{{1,2}})\b(?: (?:{coins})\b)?")
    return lambda text: pattern.sub(r"\1 \2", text)


def _ordinals(code: str) -> Step:
    """The figure of an ordinal with one sign behind it, and with none before a month."""
    return substituted(
        (rf"(?<=\d)\.?(?:[º{ORDINAL}]|(?:{_ORDINAL_ENDS[code]})(?!\w))", " º"),
        (rf"(?<=\d) º(?= (?:{_FIRST_DAY[code]})\b)", ""),
    )


def _decimals(code: str) -> Step:
    word = forms.decimal_word(code)
    return substituted((rf"(?<=\d) {_spelling(code)(word)} (?=\d)", " point ")) if word else str


@cache
def _spelling(code: str) -> Step:
    """What is done to the letters of a text before its words are looked at."""
    swap = substituted(*_ONE_LETTER[code]) if code in _ONE_LETTER else str
    return lambda text: without_reading_marks(swap(same_characters(text)))


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
    return _KOREAN_NUMBER.sub(lambda found: cjk.number(found.group().translate(_KOREAN)), text)


def _number_words(code: str) -> Step:
    """The step of `number_words`, with names spelled as texts are by the steps before it."""
    return number_words.numbers_of(code, _plain_spelling(code))


@cache
def _plain_spelling(code: str) -> Step:
    spelling = _spelling(code)
    return lambda text: letters_marks_and_digits(_no_apostrophe(spelling(text)))


@cache
def _name(code: str) -> str:
    rules = "english" if code == "en" else code if code in _COUNTED | _CHARACTERS else "basic"
    libraries: tuple[str, ...] = {"english": ("whisper-normalizer", "text2num"), "basic": ()}.get(rules, ("text2num",))
    if rules == "basic" and number_words.knows(code):
        rules, libraries = code, (number_words.library(code),)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)
    return f"bench {VERSION} {rules}" + (f" ({versions})" if versions else "")
