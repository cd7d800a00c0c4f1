"""Server voice activity detection: samples in, speech-start and speech-stop edges out.

A frame counts as speech when it stands far enough above a noise floor that follows the quietest recent frames; a
start also needs pitch, so that a burst of plain noise opens no turn. Everything is incremental: one call per arriving
message, a few numpy operations for all its frames together.
Trap: an edge is *known* later than it *happened*. `at_sample` is where speech began or ended on the stream,
`known_at_sample` is the sample that had to arrive before it could be said; a turn's audio reaches to the latter.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FRAME_MS = 20
QUIETEST_FLOOR_DB = -62.0  # digital silence must not make a whisper of dither look loud
LOUDEST_FLOOR_DB = -28.0  # steady loud sound is not adopted as noise
FLOOR_BLOCKS = 12  # the floor is the quietest smoothed level of the last 12 blocks
FRAMES_PER_BLOCK = 8
MIN_SPEECH_DB = -50.0
STAY_BELOW_START_DB = 4.0  # hysteresis: a frame inside speech may be this much weaker than one that starts it
ONSET_WINDOW_FRAMES = 6
ONSET_ACTIVE_FRAMES = 4
ONSET_VOICED_FRAMES = 2
MIN_PERIODICITY = 0.42
PITCH_HZ = (70.0, 420.0)


class Edge(StrEnum):
    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class SpeechEdge:
    """A change between silence and speech; positions are samples since the detector was made."""

    edge: Edge
    at_sample: int
    known_at_sample: int


class SpeechDetector:
    """Follows one caller's stream; `threshold` 0..1 (0.5 asks for 10 dB above the noise floor to start)."""

    def __init__(self, rate_hz: int, *, threshold: float = 0.5, silence_duration_ms: int = 500) -> None:
        self._rate_hz = rate_hz
        self._frame = rate_hz * FRAME_MS // 1000
        self._lags = (int(rate_hz / PITCH_HZ[1]), int(rate_hz / PITCH_HZ[0]))
        self._pending: NDArray[np.int16] = np.empty(0, dtype=np.int16)
        self._next_sample = 0  # position of the first sample of the next whole frame
        self._floor_db = QUIETEST_FLOOR_DB
        self._smooth_db = QUIETEST_FLOOR_DB
        self._block_minima: deque[float] = deque(maxlen=FLOOR_BLOCKS)
        self._block_min_db = 0.0
        self._block_frames = 0
        self._active: deque[bool] = deque(maxlen=ONSET_WINDOW_FRAMES)
        self._voiced: deque[bool] = deque(maxlen=ONSET_WINDOW_FRAMES)
        self._silent_run = 0
        self.last_active = 0
        self.speaking = False
        self._start_db = self._stay_db = 0.0
        self._silence_frames = 0
        self.configure(threshold=threshold, silence_duration_ms=silence_duration_ms)

    def configure(self, *, threshold: float, silence_duration_ms: int) -> None:
        """Change sensitivity and the silence that ends a turn; takes effect with the next frame."""
        odds = min(max(threshold, 0.02), 0.98)
        self._start_db = max(3.0, 10.0 + 5.0 * math.log(odds / (1.0 - odds)))
        self._stay_db = max(2.0, self._start_db - STAY_BELOW_START_DB)
        self._silence_frames = max(1, -(-silence_duration_ms // FRAME_MS))

    @property
    def position(self) -> int:
        """Samples heard so far."""
        return self._next_sample + len(self._pending)

    def reset(self) -> None:
        """Forget speech in progress (the buffer was committed or cleared); the noise floor is kept."""
        self.speaking = False
        self._silent_run = 0
        self._active.clear()
        self._voiced.clear()

    def feed(self, pcm: NDArray[np.int16]) -> list[SpeechEdge]:
        """Edges that became known with these samples, in order of time."""
        if len(self._pending):
            pcm = np.concatenate((self._pending, pcm))
        count = len(pcm) // self._frame
        whole = count * self._frame
        self._pending = pcm[whole:]
        if not count:
            return []
        frames = pcm[:whole].reshape(count, self._frame).astype(np.float32)
        means = frames.mean(axis=1)
        power = np.einsum("ij,ij->i", frames, frames) / self._frame - means * means
        levels_db = 10.0 * np.log10(np.maximum(power, 0.25)) - 90.309
        edges: list[SpeechEdge] = []
        for index, level_db in enumerate(levels_db.tolist()):
            edge = self._step(level_db, frames[index])
            if edge is not None:
                edges.append(edge)
        return edges

    def _step(self, level_db: float, frame: NDArray[np.float32]) -> SpeechEdge | None:
        self._next_sample += self._frame
        above_db = level_db - self._floor_db
        self._follow_floor(level_db)
        if self.speaking:
            return self._step_in_speech(level_db, above_db)
        active = above_db >= self._start_db and level_db >= MIN_SPEECH_DB
        self._active.append(active)
        self._voiced.append(active and self._periodicity(frame) >= MIN_PERIODICITY)
        if sum(self._active) < ONSET_ACTIVE_FRAMES or sum(self._voiced) < ONSET_VOICED_FRAMES:
            return None
        first = list(self._active).index(True)
        at_sample = self._next_sample - (len(self._active) - first) * self._frame
        self.reset()
        self.speaking = True
        self.last_active = self._next_sample
        return SpeechEdge(Edge.START, at_sample, self._next_sample)

    def _step_in_speech(self, level_db: float, above_db: float) -> SpeechEdge | None:
        if above_db >= self._stay_db and level_db >= MIN_SPEECH_DB - STAY_BELOW_START_DB:
            self._silent_run = 0
            self.last_active = self._next_sample
            return None
        self._silent_run += 1
        if self._silent_run < self._silence_frames:
            return None
        self.reset()
        return SpeechEdge(Edge.STOP, self.last_active, self._next_sample)

    def _follow_floor(self, level_db: float) -> None:
        # Smoothing in dB keeps one quiet frame of fluctuating noise from dragging the floor far below its mean.
        self._smooth_db += 0.4 * (level_db - self._smooth_db)
        self._block_min_db = self._smooth_db if not self._block_frames else min(self._block_min_db, self._smooth_db)
        self._block_frames += 1
        if self._block_frames == FRAMES_PER_BLOCK:
            self._block_minima.append(self._block_min_db)
            self._block_frames = 0
        # Until the window is full a missing past counts as silence: speech may begin with the very first sample.
        if len(self._block_minima) == FLOOR_BLOCKS:
            quietest = min(self._block_minima)
            self._floor_db = min(max(quietest, QUIETEST_FLOOR_DB), LOUDEST_FLOOR_DB)

    def _periodicity(self, frame: NDArray[np.float32]) -> float:
        """Highest normalised autocorrelation within the range of voices, 0..1."""
        centred = frame - frame.mean()
        size = 1 << (2 * len(centred) - 1).bit_length()
        spectrum = np.fft.rfft(centred, size)
        correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)
        if correlation[0] <= 0:
            return 0.0
        low, high = self._lags
        lags = np.arange(low, min(high, len(centred) - 1))
        # A lagged product sums fewer terms: scale it up, or a low voice never reaches the bound.
        scaled = correlation[lags] * (len(centred) / (len(centred) - lags))
        return float(scaled.max() / correlation[0]) if len(lags) else 0.0
