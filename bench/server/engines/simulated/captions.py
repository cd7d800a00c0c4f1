"""Words that are sent while the caller still speaks, as a streaming transcriber does, each at its time.

In: the caller's audio so far, compared with the recordings again and again until it is known which one is played. Out:
pieces of its transcription, each so long after the end of its word; some of them wrong at first.
Trap: what was said before the recording was known is late, and is sent at once; the truth log says when.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.audio.catalogue import Fixture
from bench.audio.level_detector import LevelDetector
from bench.audio.recording_matcher import RecordingMatcher, reduced
from bench.audio.word_times import WordTimes
from bench.server.engines.base import Handler
from bench.server.engines.simulated.captions_profile import CaptionsProfile
from bench.server.engines.simulated.turn import Turn
from bench.server.engines.simulated.word_errors import STRANGERS, with_errors

NS_PER_MS = 1_000_000
FIRST_LOOK_MS, LOOK_MS = 700, 200
"""After the onset, and from then on, the recording is looked for so often."""


@dataclass(slots=True)
class _Said:
    """The captions of one turn."""

    turn: Turn
    item_id: str
    rng: random.Random
    planned: bool = False
    shown: list[str] = field(default_factory=list)


class Captions:
    """The captions of one session; nothing without a profile."""

    def __init__(
        self,
        handler: Handler,
        profile: CaptionsProfile | None,
        errors: Mapping[str, float],
        matcher: RecordingMatcher,
        times: Mapping[str, WordTimes],
        *,
        seed: str,
    ) -> None:
        self._handler = handler
        self._profile = profile
        self._errors = errors
        self._matcher = matcher
        self._times = times
        self._seed = seed
        self._said: _Said | None = None

    def begin(self, turn: Turn, item_id: str, detector: LevelDetector) -> None:
        """The caller has begun to speak `turn`, which becomes the item of that name."""
        if self._profile is None:
            return
        said = self._said = _Said(turn, item_id, random.Random(f"{self._seed}/{turn.number}/captions"))
        self._in_ms(FIRST_LOOK_MS, lambda: self._look(said, detector))

    def known(self, turn: Turn) -> None:
        """The recording of `turn` was recognised, and its end is known."""
        said = self._said
        if said is not None and said.turn is turn and turn.match is not None and turn.end_ns is not None:
            self._plan(said, turn.match.fixture, turn.end_ns)

    def _look(self, said: _Said, detector: LevelDetector) -> None:
        if said.planned or said is not self._said or said.turn.committed or said.turn.ended:
            return
        heard = reduced(detector.before(detector.last_active), detector.rate_hz)
        match = self._matcher.inside(heard, detector.speech_ms)
        if match is None:
            self._in_ms(LOOK_MS, lambda: self._look(said, detector))
            return
        end = detector.last_active + match.end_offset_ms * detector.rate_hz / 1000
        self._plan(said, match.fixture, detector.captured_ns(end))

    def _plan(self, said: _Said, fixture: Fixture, end_ns: int) -> None:
        """Send each word at its time, now that it is known what is said and when that ends."""
        times, profile = self._times.get(fixture.id), self._profile
        if said.planned or times is None or profile is None:
            return
        said.planned = True
        if said.turn.transcript is None:
            said.turn.transcript = with_errors(fixture.text, rng=said.rng, language=fixture.language, **self._errors)
        start_ns = end_ns - round(fixture.speech_end_ms * NS_PER_MS)
        said.turn.caption_ends_ns = [start_ns + round(end_ms * NS_PER_MS) for end_ms in times.ends_ms]
        due_ns = time.monotonic_ns()
        for place, word in enumerate(said.turn.transcript.text.split()):
            ends_ms = times.ends_ms[min(place, len(times.ends_ms) - 1)]
            wanted_ns = start_ns + round((ends_ms + profile.delay.draw_ms(said.rng)) * NS_PER_MS)
            due_ns = max(due_ns, wanted_ns)
            wrong = said.rng.random() < profile.unstable
            first = said.rng.choice(STRANGERS) if wrong else word
            self._at(due_ns, said, place, first)
            if wrong and profile.style == "updated":
                self._at(due_ns + profile.revise * NS_PER_MS, said, place, word)

    def _at(self, due_ns: int, said: _Said, place: int, word: str) -> None:
        self._handler.later(due_ns, lambda: self._show(said, place, word))

    def _show(self, said: _Said, place: int, word: str) -> None:
        assert self._profile is not None
        if place < len(said.shown):
            said.shown[place] = word
        else:
            said.shown.append(word)
        session = self._handler.session
        if self._profile.style == "updated":
            self._handler.apply(session.partial(said.item_id, " ".join(said.shown), whole=True))
        else:
            self._handler.apply(session.partial(said.item_id, f" {word}" if place else word))

    def _in_ms(self, delay_ms: float, callback: Callable[[], None]) -> None:
        self._handler.later(time.monotonic_ns() + round(delay_ms * NS_PER_MS), callback)
