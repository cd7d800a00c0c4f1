"""The simulated listener: finds the first audible sample of each reply and knows when a reply has been heard.

In: audio deltas in order; out: `Onset` signals and the moment playback ends. Servers send audio faster than it is
spoken, so the end of a response is not the end of what the caller hears. Audio is decoded only until the onset
is found; after that its size is enough.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.audio.onset import OnsetDetector
from bench.facts.signals import AudioDelta, Onset


class Listener:
    """Hears the replies of one call. Raises nothing: audio that cannot be decoded is reported by `hear`."""

    def __init__(
        self,
        *,
        rate_hz: int,
        jitter_buffer_ms: float,
        decode: Callable[[AudioDelta], NDArray[np.int16]],
    ) -> None:
        self._rate_hz = rate_hz
        self._buffer_ns = round(jitter_buffer_ms * 1e6)
        self._decode = decode
        self._onsets: dict[str | None, OnsetDetector | None] = {}
        self.play_end_ns = 0

    def hear(self, delta: AudioDelta) -> Onset | None:
        """Take one delta in. Raises `ValueError` when it holds no decodable audio."""
        start_ns = self.play_end_ns if self.play_end_ns > delta.at_ns else delta.at_ns + self._buffer_ns
        self.play_end_ns = start_ns + delta.samples * 1_000_000_000 // self._rate_hz
        if delta.response_id not in self._onsets:
            self._onsets[delta.response_id] = OnsetDetector(self._rate_hz)
        detector = self._onsets[delta.response_id]
        if detector is None:
            return None
        return self._found(delta.response_id, detector.feed(self._decode(delta)), delta.at_ns)

    def finish(self, response_id: str | None, at_ns: int) -> Onset | None:
        """The response is complete: decide with the audio there is."""
        detector = self._onsets.get(response_id)
        if detector is None:
            return None
        onset = self._found(response_id, detector.finish(), at_ns)
        self._onsets[response_id] = None
        return onset

    def _found(self, response_id: str | None, sample: int | None, at_ns: int) -> Onset | None:
        if sample is None:
            return None
        self._onsets[response_id] = None
        return Onset(at_ns, response_id, sample)
