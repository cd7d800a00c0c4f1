"""WebRTC's speech detector with the face of `bench.audio.vad.SpeechDetector`: samples in, edges of speech out.

It is given 20 ms at a time, at 8 kHz or 16 kHz. Trap: it judges single frames and flickers; a start needs most of
the last 120 ms, and the silence that ends a turn counts from the last frame that it called speech.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from bench.audio.vad import FRAME_MS, ONSET_ACTIVE_FRAMES, ONSET_WINDOW_FRAMES, Edge, SpeechEdge

KNOWN_RATES_HZ = (8_000, 16_000)


class WebrtcDetector:
    """Follows one caller's stream; `aggressiveness` 0 to 3."""

    def __init__(self, rate_hz: int, *, aggressiveness: int = 2, silence_duration_ms: int = 500) -> None:
        self._rate_hz = rate_hz
        self._frame = rate_hz * FRAME_MS // 1000
        self._thin = next((rate_hz // known for known in KNOWN_RATES_HZ if rate_hz % known == 0), 0)
        if not self._thin:
            raise ValueError(f"{rate_hz} Hz is no multiple of 8 kHz")
        self._vad = webrtcvad.Vad(aggressiveness)
        self._pending: NDArray[np.int16] = np.empty(0, dtype=np.int16)
        self._next_sample = 0
        self._active: deque[bool] = deque(maxlen=ONSET_WINDOW_FRAMES)
        self._silent_run = 0
        self.last_active = 0
        self.speaking = False
        self._silence_frames = 1
        self.configure(threshold=0.5, silence_duration_ms=silence_duration_ms)

    def configure(self, *, threshold: float, silence_duration_ms: int) -> None:
        """Change the silence that ends a turn; it has no threshold."""
        self._silence_frames = max(1, -(-silence_duration_ms // FRAME_MS))

    @property
    def position(self) -> int:
        """Samples heard so far."""
        return self._next_sample + len(self._pending)

    def reset(self) -> None:
        """Forget speech in progress."""
        self.speaking = False
        self._silent_run = 0
        self._active.clear()

    def feed(self, pcm: NDArray[np.int16]) -> list[SpeechEdge]:
        """Edges that became known with these samples, in order of time."""
        if len(self._pending):
            pcm = np.concatenate((self._pending, pcm))
        whole = len(pcm) // self._frame * self._frame
        self._pending = pcm[whole:]
        edges = []
        for start in range(0, whole, self._frame):
            edge = self._step(pcm[start : start + self._frame])
            if edge is not None:
                edges.append(edge)
        return edges

    def _step(self, frame: NDArray[np.int16]) -> SpeechEdge | None:
        self._next_sample += self._frame
        thin = frame.reshape(-1, self._thin).mean(axis=1).astype("<i2")
        active = self._vad.is_speech(thin.tobytes(), self._rate_hz // self._thin)
        if self.speaking:
            return self._step_in_speech(active)
        self._active.append(active)
        if sum(self._active) < ONSET_ACTIVE_FRAMES:
            return None
        at_sample = self._next_sample - (len(self._active) - list(self._active).index(True)) * self._frame
        self.reset()
        self.speaking, self.last_active = True, self._next_sample
        return SpeechEdge(Edge.START, at_sample, self._next_sample)

    def _step_in_speech(self, active: bool) -> SpeechEdge | None:
        if active:
            self._silent_run, self.last_active = 0, self._next_sample
            return None
        self._silent_run += 1
        if self._silent_run < self._silence_frames:
            return None
        self.reset()
        return SpeechEdge(Edge.STOP, self.last_active, self._next_sample)
