"""The simulated listener: finds the first audible sample of each response, and knows what of it was heard, and when.

In: audio deltas and words in order, by number of their response. Out: `Onset` signals, the instant at which a moment of
a reply is heard, and what was heard when playback is cut. Servers send audio faster than it is spoken, so the end of a
response is not the end of what the caller hears. Audio is decoded only until the onset is found; after that its size
is enough. Trap: one response may hold several items, and the server counts what was heard of each by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.audio.onset import OnsetDetector
from bench.audio.playback import NS_PER_S, Player
from bench.dialects.dialect import Dialect
from bench.facts.signals import AudioDelta, Onset
from bench.session.heard_words import HeardWords


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a reply: so long after its first audible sample, or the end of its `words`-th word."""

    after_ns: int | None = None
    words: int | None = None


@dataclass(frozen=True, slots=True)
class HeardItem:
    """How much of one item was heard; `whole` where nothing of it is left or may still come."""

    item_id: str
    heard_ms: int
    whole: bool


@dataclass(slots=True)
class _Ear:
    """One response as it is being heard; `detector` is None once the first audible sample is found or given up."""

    player: Player
    detector: OnsetDetector | None
    onset: int | None = None
    words: HeardWords = field(default_factory=HeardWords)
    items: list[tuple[str | None, int]] = field(default_factory=list)
    """Each item with the number of its first sample."""
    first_ns: int | None = None
    """Arrival of the first sound."""
    complete: bool = False
    cut: bool = False


class Listener:
    """Hears the replies of one call."""

    def __init__(self, dialect: Dialect, *, jitter_buffer_ms: float) -> None:
        self._dialect = dialect
        self._buffer_ms = jitter_buffer_ms
        self._ears: dict[int, _Ear] = {}
        self._goes_on = False

    def goes_on(self) -> None:
        """The next response goes on with what is being heard: it is played after that, and not beside it."""
        self._goes_on = True

    @property
    def end_ns(self) -> int:
        """When the caller has heard all that has begun to play; 0 before any audio."""
        return max((ear.player.end_ns or 0 for ear in self._ears.values()), default=0)

    def hear(self, response: int, delta: AudioDelta) -> Onset | None:
        """Take one delta in. Raises `ValueError` when it holds no decodable audio."""
        ear = self._ear(response)
        if ear.cut:
            return None
        if not ear.items or ear.items[-1][0] != delta.item_id:
            ear.items.append((delta.item_id, ear.player.received))
        ear.first_ns = delta.at_ns if ear.first_ns is None else ear.first_ns
        ear.player.feed(delta.at_ns, delta.samples)
        if ear.detector is None:
            return None
        return _found(ear, ear.detector.feed(self._dialect.decode_audio(delta)), delta.response_id, delta.at_ns)

    def read(self, response: int, text: str) -> None:
        """Take words of a reply in."""
        ear = self._ear(response)
        if not ear.cut:
            ear.words.said(text, ear.player.received)

    def pause(self, response: int) -> None:
        """An item of the response has no more audio: what waits is played. Another item may follow."""
        ear = self._ears.get(response)
        if ear is not None and not ear.cut:
            ear.player.finish()

    def finish(self, response: int, response_id: str | None, at_ns: int) -> Onset | None:
        """The audio of the response is complete: decide with what there is."""
        ear = self._ears.get(response)
        if ear is None:
            return None
        ear.complete = True
        if ear.cut:
            return None
        ear.player.finish()
        ear.words.ended(ear.player.received)
        if ear.detector is None:
            return None
        onset = _found(ear, ear.detector.finish(), response_id, at_ns)
        ear.detector = None
        return onset

    def heard_at(self, response: int, moment: Moment) -> int | None:
        """When that moment of the response is heard; None while it is not known, or when the reply has no such one."""
        ear = self._ears.get(response)
        if ear is None or ear.cut:
            return None
        if moment.words is not None:
            sample = ear.words.over_at(moment.words)
        elif ear.onset is None:
            sample = None
        else:
            sample = ear.onset + (moment.after_ns or 0) * ear.player.rate_hz // NS_PER_S
        return None if sample is None else ear.player.heard_at(sample)

    @property
    def players(self) -> dict[int, Player]:
        """How each response was heard, by number."""
        return {number: ear.player for number, ear in self._ears.items()}

    def begun_since(self, at_ns: int) -> list[int]:
        """The responses whose first sound arrived at `at_ns` or later, by number."""
        return [number for number, ear in self._ears.items() if ear.first_ns is not None and ear.first_ns >= at_ns]

    def hears(self, response: int, at_ns: int) -> bool:
        """Whether more of the response is to be heard after `at_ns`, or may still come."""
        ear = self._ears.get(response)
        return ear is not None and not ear.cut and (not ear.complete or (ear.player.end_ns or 0) > at_ns)

    def cut(self, response: int, at_ns: int) -> Sequence[HeardItem]:
        """Stop hearing the response at `at_ns`; what was heard of each item that has an id."""
        ear = self._ears[response]
        ends = [*(first for _, first in ear.items[1:]), ear.player.received][: len(ear.items)]
        heard = ear.player.cut(at_ns)
        ear.cut = True
        found = []
        for (name, first), end in zip(ear.items, ends, strict=True):
            samples = min(max(0, heard - first), end - first)
            if name is not None:
                whole = samples == end - first and (ear.complete or end != ends[-1])
                found.append(HeardItem(name, samples * 1000 // ear.player.rate_hz, whole))
        return found

    def _ear(self, response: int) -> _Ear:
        ear = self._ears.get(response)
        if ear is None:
            rate_hz = self._dialect.output_format.rate_hz
            after_ns, self._goes_on = self.end_ns if self._goes_on else 0, False
            player = Player(rate_hz=rate_hz, buffer_ms=self._buffer_ms, after_ns=after_ns)
            ear = self._ears[response] = _Ear(player, OnsetDetector(rate_hz))
        return ear


def _found(ear: _Ear, sample: int | None, response_id: str | None, at_ns: int) -> Onset | None:
    if sample is None:
        return None
    ear.detector, ear.onset = None, sample
    return Onset(at_ns, response_id, sample)
