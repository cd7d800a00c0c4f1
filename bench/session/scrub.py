"""The edge where a call's texts come in: no secret of the run, no control character and no endless text passes it.

In: signals, failures and endings as dialect and transport made them. Out: the same, fit to be stored and shown.
Trap: a reply comes in pieces, and a secret may stand in several of them, each of which is harmless.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

from bench.config.redactor import Redactor
from bench.config.secrets import HIDDEN
from bench.facts.signals import AudioDelta, InputTranscript, Signal, TextDelta
from bench.facts.timeline import Entry, Timeline

MOST_WORDS_CHARS = 64 * 1024
"""Of one text of a reply or a transcription, so much is kept: more than an hour of speech."""
MOST_CHARS = 500
"""Of any other text (codes, ids, names, messages), so much is kept."""
_WORDS = frozenset({"text", "arguments"})
_UNTOUCHED = frozenset({"encoded"})
_REMEMBERED = 256
_Piece = TextDelta | InputTranscript

T = TypeVar("T")


@dataclass(slots=True)
class _Pieces:
    """The newest pieces of one text as they came, with their places among the entries; and their end, joined."""

    newest: deque[tuple[int, str]] = field(default_factory=deque)
    chars: int = 0
    joined: str = ""


class Scrubber:
    """What one call knows of texts that came in."""

    def __init__(self, redactor: Redactor, timeline: Timeline) -> None:
        self._redactor = redactor
        self._timeline = timeline
        self._short: dict[str, str] = {}
        self._texts: dict[tuple[str, int | str | None], _Pieces] = {}

    def fact(self, fact: T) -> T:
        """`fact`, a dataclass, with every text in it clean; itself where nothing had to change."""
        changes: dict[str, Any] = {}
        for name in _names(cast(Any, type(fact))):
            value = getattr(fact, name)
            if value is None or isinstance(value, int | float):
                continue
            clean = self._value(value, MOST_WORDS_CHARS if name in _WORDS else MOST_CHARS)
            if clean is not value:
                changes[name] = clean
        return replace(fact, **changes) if changes else fact  # type: ignore[type-var]

    def text(self, text: str, most: int = MOST_CHARS) -> str:
        """One clean text of at most `most` characters; the same object where nothing had to change."""
        if len(text) > 64:
            return self._cleaned(text, most)
        # Ids and names come with every piece of audio.
        known = self._short.get(text)
        if known is None:
            if len(self._short) >= _REMEMBERED:
                self._short.clear()
            known = self._short[text] = self._cleaned(text, most)
        return text if known == text else known

    def _cleaned(self, text: str, most: int) -> str:
        # Cut twice: a clean text may be longer, and what is far beyond the end need not be looked at.
        cut = text if len(text) <= 2 * most else text[: 2 * most]
        clean = self._redactor.clean(cut)
        if len(clean) > most:
            clean = clean[: most - 1] + "\u2026"
        return text if clean == text else clean

    def _value(self, value: Any, most: int) -> Any:
        if isinstance(value, str):
            return self.text(value, most)
        if is_dataclass(value):
            return self.fact(value)
        if isinstance(value, tuple):
            clean = tuple(self._value(item, most) for item in value)
            return value if all(new is old for new, old in zip(clean, value, strict=True)) else clean
        return value

    # pieces

    def kept(self, raw: Signal) -> None:
        """The signal that came as `raw` is the timeline's last entry: hide a secret that only now is complete."""
        if not self._redactor.longest or not isinstance(raw, _Piece):
            return
        entries = self._timeline.entries
        if not entries or not isinstance(entries[-1].signal, type(raw)):
            return
        whole = isinstance(raw, InputTranscript) and raw.final
        key = (raw.kind, raw.item_id if isinstance(raw, InputTranscript) else entries[-1].response)
        if whole:
            self._texts.pop(key, None)
            return
        pieces = self._texts.get(key)
        if pieces is None:
            pieces = self._texts[key] = _Pieces()
        text = raw.text[:MOST_WORDS_CHARS]
        pieces.newest.append((len(entries) - 1, text))
        pieces.chars += len(text)
        pieces.joined = (pieces.joined + text)[-self._redactor.longest - len(text) :]
        if len(pieces.newest) > 1 and self._redactor.suspects(pieces.joined):
            self._mend(pieces.newest)
        while pieces.chars - len(pieces.newest[0][1]) > self._redactor.longest:
            pieces.chars -= len(pieces.newest.popleft()[1])

    def _mend(self, pieces: Iterable[tuple[int, str]]) -> None:
        """Take the secrets out of pieces that hold one together; `***` stands where it begins."""
        joined = "".join(text for _, text in pieces)
        spans = self._redactor.spans(joined)
        at = 0
        for place, text in pieces:
            end = at + len(text)
            if any(start < end and stop > at and not at <= start < stop <= end for start, stop in spans):
                out, done = [], at
                for start, stop in spans:
                    if start < end and stop > at:
                        out += [joined[done : max(start, at)], HIDDEN if start >= at else ""]
                        done = min(stop, end)
                self._rewrite(place, "".join([*out, joined[done:end]]))
            at = end

    def _rewrite(self, place: int, text: str) -> None:
        entry = self._timeline.entries[place]
        signal = entry.signal
        assert isinstance(signal, _Piece)
        mended: Entry = replace(entry, signal=replace(signal, text=self._redactor.clean(text)))
        self._timeline.entries[place] = mended


@cache
def _names(of: type[Any]) -> tuple[str, ...]:
    """The fields of a dataclass that may hold a text."""
    if issubclass(of, AudioDelta):
        return ("response_id", "item_id")
    return tuple(each.name for each in fields(of) if each.name not in _UNTOUCHED and not each.name.endswith("_ns"))
