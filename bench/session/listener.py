"""The simulated listener: finds the first audible sample of each response and knows when a response has been heard.

In: audio deltas in order, by number of their response. Out: `Onset` signals, and a `Player` for each response. Servers
send audio faster than it is spoken, so the end of a response is not the end of what the caller hears. Audio is decoded
only until the onset is found; after that its size is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.audio.onset import OnsetDetector
from bench.audio.playback import Player
from bench.dialects.dialect import Dialect
from bench.facts.signals import AudioDelta, Onset


@dataclass(slots=True)
class _Ear:
    """One response as it is being heard; `onset` is None once the first audible sample is found or given up."""

    player: Player
    onset: OnsetDetector | None


class Listener:
    """Hears the replies of one call."""

    def __init__(self, dialect: Dialect, *, jitter_buffer_ms: float) -> None:
        self._dialect = dialect
        self._buffer_ms = jitter_buffer_ms
        self._ears: dict[int, _Ear] = {}

    @property
    def end_ns(self) -> int:
        """When the caller has heard all that has begun to play; 0 before any audio."""
        return max((ear.player.end_ns or 0 for ear in self._ears.values()), default=0)

    def hear(self, response: int, delta: AudioDelta) -> Onset | None:
        """Take one delta in. Raises `ValueError` when it holds no decodable audio."""
        ear = self._ears.get(response)
        if ear is None:
            rate_hz = self._dialect.output_format.rate_hz
            player = Player(rate_hz=rate_hz, buffer_ms=self._buffer_ms)
            ear = self._ears[response] = _Ear(player, OnsetDetector(rate_hz))
        ear.player.feed(delta.at_ns, delta.samples)
        if ear.onset is None:
            return None
        return _found(ear, ear.onset.feed(self._dialect.decode_audio(delta)), delta.response_id, delta.at_ns)

    def pause(self, response: int) -> None:
        """An item of the response has no more audio: what waits is played. Another item may follow."""
        ear = self._ears.get(response)
        if ear is not None:
            ear.player.finish()

    def finish(self, response: int, response_id: str | None, at_ns: int) -> Onset | None:
        """The audio of the response is complete: decide with what there is."""
        ear = self._ears.get(response)
        if ear is None:
            return None
        ear.player.finish()
        if ear.onset is None:
            return None
        onset = _found(ear, ear.onset.finish(), response_id, at_ns)
        ear.onset = None
        return onset


def _found(ear: _Ear, sample: int | None, response_id: str | None, at_ns: int) -> Onset | None:
    if sample is None:
        return None
    ear.onset = None
    return Onset(at_ns, response_id, sample)
