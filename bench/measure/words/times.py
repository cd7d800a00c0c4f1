"""Times of day in languages besides English: `halb vier`, `3:30 Uhr` and `drei Uhr dreißig` are one thing.

In: a text whose number words are digits already; out: hour, the word that the language has for it, minutes. Trap: a
quarter and a half stand in other phrases too (`dos y media tazas`), so each rule asks for what makes it a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bench.measure.words.steps import Step

_HOUR = r"(?P<hour>1?\d|2[0-4]|eine?|une|una|uma)"
_COLON = r"(?P<hour>[01]?\d|2[0-4]):(?P<minutes>[0-5]\d)"
_DOT = r"(?P<hour>[01]?\d|2[0-4])[:.h] ?(?P<minutes>[0-5]\d)"
_H = r"(?P<hour>[01]?\d|2[0-4])(?: ?h ?|:)(?P<minutes>[0-5]\d)"
_WORD = {"de": "uhr", "nl": "uur", "fr": "heures", "es": "", "it": "", "pt": ""}
"""What stands between hour and minutes."""

# A pattern with the group `hour`; whether the hour before is meant; what follows it, or None for the group `minutes`.
_RULES: dict[str, tuple[tuple[str, bool, str | None], ...]] = {
    "de": (
        (rf"\bhalb {_HOUR}\b(?: uhr\b)?", True, "30"),
        (rf"\b(?:viertel|15) nach {_HOUR}\b(?: uhr\b)?", False, "15"),
        (rf"\b(?:viertel|15) vor {_HOUR}\b(?: uhr\b)?", True, "45"),
        (rf"\b{_DOT} uhr\b", False, None),
        (rf"\b{_COLON}\b(?! uhr)", False, None),
        (rf"\b{_HOUR} uhr (?P<minutes>0\d)\b", False, None),
    ),
    "nl": (
        (rf"\bhalf {_HOUR}\b(?: uur\b)?", True, "30"),
        (rf"\bkwart over {_HOUR}\b(?: uur\b)?", False, "15"),
        (rf"\bkwart voor {_HOUR}\b(?: uur\b)?", True, "45"),
        (rf"\b{_DOT} uur\b", False, None),
        (rf"\b{_COLON}\b(?! uur)", False, None),
    ),
    "fr": (
        (rf"\b{_HOUR} heures? et demie?\b", False, "30"),
        (rf"\b{_HOUR} heures? et quart\b", False, "15"),
        (rf"\b{_HOUR} heures? moins le quart\b", True, "45"),
        (rf"\b{_H}\b", False, None),
        (rf"\b{_HOUR} ?h\b", False, "00"),
    ),
    "es": (
        (rf"\b(?P<before>las? ){_HOUR} y media\b", False, "30"),
        (rf"\b(?P<before>las? ){_HOUR} y (?:cuarto\b|4 ?º)", False, "15"),
        (rf"\b(?P<before>las? ){_HOUR} menos (?:cuarto\b|4 ?º)", True, "45"),
        (rf"\b(?P<before>las? ){_HOUR} y (?P<minutes>[0-5]?\d)\b", False, None),
        (rf"\b{_COLON}(?: ?h\b)?", False, None),
    ),
    "it": (
        (rf"\b(?P<before>l[ea] |all[ea] |dall[ea] |all'|l'){_HOUR} e mezz[ao]\b", False, "30"),
        (rf"\b(?P<before>l[ea] |all[ea] |dall[ea] |all'|l'){_HOUR} e (?:un|1) (?:quarto\b|4 ?º)", False, "15"),
        (rf"\b(?P<before>l[ea] |all[ea] |dall[ea] |all'|l'){_HOUR} meno (?:un|1) (?:quarto\b|4 ?º)", True, "45"),
        (rf"\b(?P<before>l[ea] |all[ea] |dall[ea] |all'|l'){_HOUR} e (?P<minutes>[0-5]?\d)\b", False, None),
        (rf"\b{_COLON}\b", False, None),
    ),
    "pt": (
        (rf"\b(?P<before>às |as |à |a |das |dás |pelas ){_HOUR} e meia\b", False, "30"),
        (rf"\b(?P<before>às |as |à |a |das |pelas ){_HOUR} e (?P<minutes>[0-5]\d)\b", False, None),
        (rf"\b{_H}\b", False, None),
        (rf"\b{_HOUR} ?h\b", False, "horas"),
    ),
}  # fmt: skip


def times_of(code: str) -> Step:
    """The step of a language that has rules."""
    rules = [(re.compile(pattern), _writer(code, before, minutes)) for pattern, before, minutes in _RULES[code]]

    def step(text: str) -> str:
        for pattern, written in rules:
            text = pattern.sub(written, text)
        return text

    return step


def _writer(code: str, before: bool, minutes: str | None) -> Callable[[re.Match[str]], str]:
    def written(found: re.Match[str]) -> str:
        groups = found.groupdict()
        hour = int(groups["hour"]) if groups["hour"].isdecimal() else 1  # also the article, which stays a word
        if before:
            hour = hour - 1 or 12
        past = groups["minutes"] if minutes is None else minutes
        words = ((groups.get("before") or "").strip(), str(hour), _WORD[code], past.lstrip("0"))
        return " ".join(word for word in words if word)

    return written
