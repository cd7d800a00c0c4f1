"""Words of one call in another: a transcription or a reply that belongs to somebody else.

In: what was said, heard and answered in each turn, with its place in time. Out: the turns that hold words of another
call that was open at the same time.
A transcription is another's when it is far from what was said here and is, nearly word by word, what was said there and
in no turn of this call. A
reply is another's when it names a number that was said there and never here, such as the order number of that caller.
Trap: two callers who say the same cannot be told apart; and a number that many replies name, such as the telephone
number of the shop, is nobody's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

from bench.measure.wer import score_words
from bench.measure.words.normaliser import normalise

FAR, NEAR, APART = 0.5, 0.34, 0.4
"""Word error rates: at least so far from what was said here, at most so far from what was said there, and at least so
much nearer to that: two words of six may be misheard as well."""
LEAST_WORDS = 3
"""A shorter transcription, such as "yes", is nobody's."""
LEAST_DIGITS = 3
COMMON = 0.25
"""A number in more than this part of the replies, and in `COMMON_LEAST` calls, belongs to the server."""
COMMON_LEAST = 4

Part = Literal["transcript", "reply"]


@dataclass(frozen=True, slots=True)
class SaidTurn:
    """One turn; times are wall-clock seconds of the whole call that it belongs to."""

    session: str
    opened_s: float
    closed_s: float
    language: str
    reference: str | None
    hypothesis: str | None
    wer: float | None
    reply: str | None


@dataclass(frozen=True, slots=True)
class CrossTalk:
    """The turn at `place` holds words of the call `other`."""

    place: int
    other: str
    part: Part
    words: str
    """What was heard or answered that belongs to the other call."""


def cross_talk(turns: Sequence[SaidTurn]) -> list[CrossTalk]:
    """Every turn with words of another call, at most once, by the order of `turns`."""
    found = {each.place: each for each in _replies(turns)}
    found |= {each.place: each for each in _transcripts(turns)}
    return [found[place] for place in sorted(found)]


def _transcripts(turns: Sequence[SaidTurn]) -> list[CrossTalk]:
    by_text: dict[tuple[str, str], list[SaidTurn]] = defaultdict(list)
    own: dict[str, set[str]] = defaultdict(set)
    for each in turns:
        if each.reference:
            by_text[each.language, each.reference].append(each)
            # A server that hears an earlier turn of this call once more mixes up turns, not calls.
            own[each.session].add(each.reference)
    rate = _rates()
    found = []
    for place, turn in enumerate(turns):
        heard = turn.hypothesis
        if not heard or turn.wer is None or turn.wer < FAR or len(heard.split()) < LEAST_WORDS:
            continue
        others = (
            (there, speakers)
            for (language, text), speakers in by_text.items()
            if language == turn.language
            and text not in own[turn.session]
            and (there := rate(text, heard, language)) is not None
            and there <= min(NEAR, turn.wer - APART)
        )
        for _, speakers in sorted(others, key=lambda pair: pair[0]):
            if (other := _open_with(turn, speakers)) is not None:
                found.append(CrossTalk(place, other, "transcript", heard))
                break
    return found


def _replies(turns: Sequence[SaidTurn]) -> list[CrossTalk]:
    numbers = _numbers()
    said: dict[str, list[SaidTurn]] = defaultdict(list)
    own: dict[str, set[str]] = defaultdict(set)
    for each in turns:
        for number in numbers(each.reference or "", each.language):
            said[number].append(each)
            own[each.session].add(number)
        # What was misheard here may be repeated here.
        own[each.session] |= set(numbers(each.hypothesis or "", each.language))
    if not said:
        return []
    named = [numbers(each.reply or "", each.language) for each in turns]
    answered = sum(bool(each.reply) for each in turns)
    calls_naming: dict[str, set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    for turn, in_reply in zip(turns, named, strict=True):
        for number in set(in_reply) - own[turn.session]:
            calls_naming[number].add(turn.session)
            times[number] += 1
    found = []
    for place, (turn, in_reply) in enumerate(zip(turns, named, strict=True)):
        for number in in_reply:
            common = len(calls_naming[number]) >= COMMON_LEAST and times[number] > COMMON * answered
            if number in own[turn.session] or number not in said or common:
                continue
            if (other := _open_with(turn, said[number])) is not None:
                found.append(CrossTalk(place, other, "reply", turn.reply or ""))
                break
    return found


def _open_with(turn: SaidTurn, speakers: Sequence[SaidTurn]) -> str | None:
    """The first other call among `speakers` that was open while the call of `turn` was."""
    for each in speakers:
        if each.session != turn.session and each.opened_s <= turn.closed_s and turn.opened_s <= each.closed_s:
            return each.session
    return None


def _rates() -> Callable[[str, str, str], float | None]:
    @cache
    def rate(reference: str, hypothesis: str, language: str) -> float | None:
        score = score_words(reference, hypothesis, language)
        return None if score is None else score.wer

    return rate


def _numbers() -> Callable[[str, str], tuple[str, ...]]:
    @cache
    def numbers(text: str, language: str) -> tuple[str, ...]:
        """Numbers of `LEAST_DIGITS` digits and more, however they are written or spoken."""
        words = normalise(text, language).split()
        runs = ("".join(run) for digits, run in groupby(words, key=str.isdigit) if digits)
        return tuple(run for run in runs if len(run) >= LEAST_DIGITS)

    return numbers
