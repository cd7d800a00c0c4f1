"""How captions follow speech: when each word is shown, when it stays as it is, and how often what was shown changes.

In: a turn of a session that only writes down, and its transcriptions as they came. Out: columns of its row. A word is
shown when there is text in its place; it is settled when from then on it reads as in the final text. Words of the
final text are laid along those that were said, so that a word that was misheard still has its time.
Trap: text that comes as pieces grows; text that comes whole each time may change anywhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import jiwer
import orjson

from bench.audio.playback import NS_PER_MS
from bench.audio.word_times import plain_words
from bench.facts.signals import InputTranscript
from bench.facts.timeline import Entry, TurnFacts
from bench.measure.transcript import Heard

MOST_WORDS = 2_000
"""Of one turn; a longer one has no delays of words."""


@dataclass(slots=True)
class _Place:
    """One place in the text that is shown, counted in words from its start."""

    word: str = ""
    shown_ns: int = 0
    since_ns: int = 0
    """Since when `word` stands there."""
    changes: int = 0


@dataclass(slots=True)
class Shown:
    """The text of one turn as its viewer sees it."""

    places: list[_Place] = field(default_factory=list)
    updates: int = 0
    """Messages with text that was not final yet."""
    taken_back: int = 0
    _items: dict[str | None, str] = field(default_factory=dict)

    def take(self, signal: InputTranscript) -> None:
        """One piece, or the whole of an item."""
        if signal.final or signal.whole:
            self._items[signal.item_id] = signal.text
        else:
            self._items[signal.item_id] = self._items.get(signal.item_id, "") + signal.text
        self.updates += not signal.final
        self._show(plain_words(" ".join(self._items.values())), signal.at_ns)

    @property
    def changes(self) -> int:
        """How often a word that was shown became another one, or went."""
        return sum(place.changes for place in self.places) + self.taken_back

    def _show(self, words: Sequence[str], at_ns: int) -> None:
        for place, word in zip_longest(self.places, words):
            if word is None:
                continue
            if place is None:
                self.places.append(_Place(word, at_ns, at_ns))
            elif place.word != word:
                place.word, place.since_ns, place.changes = word, at_ns, place.changes + 1
        gone = self.places[len(words) :]
        self.taken_back += sum(1 + place.changes for place in gone)
        del self.places[len(words) :]


def caption_columns(turn: TurnFacts, entries: Sequence[Entry], heard: Heard) -> dict[str, Any]:
    """What the row of a turn says of its captions; delays are null where the ends of its words are not known."""
    shown = Shown()
    for entry in entries:
        if isinstance(entry.signal, InputTranscript):
            shown.take(entry.signal)
    final_ms = None if heard.final_ns is None else (heard.final_ns - turn.speech_end_ns) / NS_PER_MS
    length_ms = (turn.speech_end_ns - turn.speech_start_ns) / NS_PER_MS
    columns: dict[str, Any] = {
        "caption_final_ms": final_ms,
        "caption_rtf": None if final_ms is None or length_ms <= 0 else final_ms / length_ms,
        "caption_updates": shown.updates,
    }
    if heard.text is None:
        return columns
    delays = _delays_ms(turn, shown)
    columns |= {"caption_words_shown": len(shown.places), "caption_changes": shown.changes}
    if delays:
        columns |= {
            "word_shown_ms": statistics.median(each[0] for each in delays),
            "word_settled_ms": statistics.median(each[1] for each in delays),
            "word_settled_worst_ms": max(each[1] for each in delays),
            "caption_words": orjson.dumps([[round(value, 3) for value in each] for each in delays]).decode(),
        }
    return columns


def _delays_ms(turn: TurnFacts, shown: Shown) -> list[tuple[float, float]]:
    """For each word that was said and has a place in the final text: its end -> shown, and settled."""
    said, ends_ns = plain_words(turn.reference), turn.word_ends_ns
    if ends_ns is None or len(said) != len(ends_ns) or not shown.places or len(said) > MOST_WORDS:
        return []
    # A place of several words stands for one in the alignment.
    left = [[word.replace(" ", "_") for word in said]]
    right = [[place.word.replace(" ", "_") for place in shown.places]]
    found = jiwer.process_words(" ".join(left[0]), " ".join(right[0]))
    delays = []
    for chunk in found.alignments[0]:
        if chunk.type in {"equal", "substitute"}:
            pairs = zip(
                range(chunk.ref_start_idx, chunk.ref_end_idx),
                range(chunk.hyp_start_idx, chunk.hyp_end_idx),
                strict=True,
            )
            for word, where in pairs:
                place = shown.places[where]
                delays.append(tuple((at_ns - ends_ns[word]) / NS_PER_MS for at_ns in (place.shown_ns, place.since_ns)))
    return delays  # type: ignore[return-value]
