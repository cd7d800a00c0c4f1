"""Whether a turn did what its step expected, and if not, why.

In: the row of a turn, with its expectations as JSON. Out: `expect_pass` and the reasons against it. Trap: a reply is
compared as it is *said*: case, punctuation and the spelling of numbers are no difference, as with word errors; and a
turn that was not answered has not met anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bench.audio.languages import language_of
from bench.measure.outcome import ANSWERED, STOPPED
from bench.measure.records import TurnRecord
from bench.measure.words.normaliser import normalise

MOST_SHOWN = 120
_FIGURES = re.compile(r"(?<![\w.,-])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])", re.ASCII)


def graded(row: TurnRecord) -> TurnRecord:
    """`row` with its expectations graded; as it is without any, and where the end of the run cut the turn off."""
    if row.expectations is None or row.stage == STOPPED:
        return row
    reasons = list(reasons_against(row, json.loads(row.expectations)))
    return replace(row, expect_pass=not reasons, expect_failed="; ".join(reasons) or None)


def prepare() -> None:
    """Read the model of languages: later, in mid-run, that would hold up the loop."""
    _language("ready")


def reasons_against(row: TurnRecord, wanted: Mapping[str, Any]) -> Iterator[str]:
    """What of `wanted` the turn did not do, a clause each."""
    if row.status not in ANSWERED:
        yield f"not answered ({row.error_code or row.status})"
        return
    said = row.reply_text or ""
    language = row.language
    if any(key in wanted for key in ("contains", "one_of", "matches", "number", "language")) and not said.strip():
        yield "the reply has no text"
    else:
        yield from _of_text(said, wanted, language)
    for each in wanted.get("tool") or ():
        yield from _of_tool(each, json.loads(row.tools_called or "[]"))
    first_ms = row.first_audible_ms if row.first_audible_ms is not None else row.ttft_ms
    yield from _of_time("latency", first_ms, wanted.get("latency_ms"))
    last_ms = row.reply_heard_ms if row.reply_heard_ms is not None else row.response_done_ms
    yield from _of_time("ends_within", last_ms, wanted.get("ends_within_ms"))


def _of_text(said: str, wanted: Mapping[str, Any], language: str) -> Iterator[str]:
    for phrase in wanted.get("contains") or ():
        if not says(said, phrase, language):
            yield f"contains: '{phrase}' is not in {_shown(said)}"
    choices = wanted.get("one_of") or ()
    if choices and not any(says(said, phrase, language) for phrase in choices):
        yield f"one_of: none of {', '.join(repr(each) for each in choices)} is in {_shown(said)}"
    pattern = wanted.get("matches")
    if pattern is not None and re.search(pattern, said, re.IGNORECASE) is None:
        yield f"matches: '{pattern}' is not found in {_shown(said)}"
    number = wanted.get("number")
    if number is not None and not names_number(said, number["value"], number.get("tolerance", 0.0), language):
        found = ", ".join(f"{each:g}" for each in numbers_in(said, language)) or "no number"
        yield f"number: {number['value']:g} is not among {found}"
    code = wanted.get("language")
    if code is not None and (found_code := _language(said)) != code:
        yield f"language: {found_code}, not {code}: {_shown(said)}"


def says(text: str, phrase: str, language: str) -> bool:
    """Whether `phrase` is said in `text`, by whole words where the language has spaces between them."""
    said, wanted = _normal(text, language), _normal(phrase, language)
    if not language_of(language).has_spaces:
        return wanted.replace(" ", "") in said.replace(" ", "")
    return f" {wanted} " in f" {said} "


def names_number(text: str, value: float, tolerance: float, language: str) -> bool:
    """Whether a number within `tolerance` of `value` is named in `text`."""
    return any(abs(each - value) <= tolerance + 1e-9 for each in numbers_in(text, language))


def numbers_in(text: str, language: str) -> list[float]:
    """The numbers that are named in `text`, in digits or in words, those that are spoken digit by digit too.

    A sum of money in digits counts as it is written, and in its parts.
    """
    figures = _FIGURES.findall(text) if language_of(language).code == "en" else []
    written = [float(each.replace(",", "")) for each in figures]
    return list(dict.fromkeys([*written, *_spoken_numbers(text, language)]))


def _spoken_numbers(text: str, language: str) -> list[float]:
    found: list[float] = []
    tokens = [*_normal(text, language).split(), ""]
    digits, negative, before = "", False, ""
    for token in tokens:
        if token.isdecimal():
            negative = negative or (not digits and before in {"minus", "negative"})
            digits += token
        elif token == "point" and digits and "." not in digits:
            digits += "."
        elif digits:
            found.append(-float(digits.rstrip(".")) if negative else float(digits.rstrip(".")))
            digits, negative = "", False
        before = token
    return found


def _of_tool(wanted: Mapping[str, Any], called: list[dict[str, Any]]) -> Iterator[str]:
    same = [each for each in called if each["name"] == wanted["name"]]
    if not same:
        names = ", ".join(dict.fromkeys(each["name"] for each in called)) or "none"
        yield f"tool: '{wanted['name']}' was not called (called: {names})"
    elif not any(_has_arguments(each["arguments"], wanted.get("arguments") or {}) for each in same):
        yield f"tool: '{wanted['name']}' was called with {_shown(same[-1]['arguments'])}"


def _has_arguments(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        arguments = json.loads(text)
    except ValueError:
        return False
    if not isinstance(arguments, dict):
        return False
    return all(name in arguments and _fits(arguments[name], each) for name, each in wanted.items())


def _fits(argument: object, wanted: object) -> bool:
    if isinstance(wanted, dict) and len(wanted) == 1:
        if isinstance(wanted.get("matches"), str):
            return re.fullmatch(wanted["matches"], _plain(argument)) is not None
        if isinstance(wanted.get("one_of"), list):
            return any(_fits(argument, each) for each in wanted["one_of"])
    return _plain(argument).casefold() == _plain(wanted).casefold()


def _plain(value: object) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _of_time(name: str, found_ms: float | None, bound_ms: float | None) -> Iterator[str]:
    if bound_ms is None:
        return
    if found_ms is None:
        yield f"{name}: not measured"
    elif found_ms > bound_ms:
        yield f"{name}: {found_ms:,.0f} ms, more than {bound_ms:,.0f} ms"


def _normal(text: str, language: str) -> str:
    try:
        return normalise(text, language)
    except ValueError:
        return " ".join(re.findall(r"\w+", text.casefold()))


def _language(text: str) -> str:
    import py3langid

    return str(py3langid.classify(text)[0])


def _shown(text: str) -> str:
    short = text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
    return f"'{short}'"
