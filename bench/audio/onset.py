"""When a listener first hears a reply: the index of the first audible sample, found while the audio streams in.

In: chunks of mono int16 samples in any sizes. Out: one absolute sample index, the same for every way of chunking.
Trap: a reply's first *byte* is often silence, and a codec click before speech is not speech; a stretch counts only
once it has stayed audible for `hold_ms`, though the index returned is where that stretch began. Nor is a DC offset or
mains hum a reply: what a parabola can follow within a window has no part in its level.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.audio.level import amplitude, first_sound, to_float

HUM_MARGIN_DB = 6.0  # a parabola takes up to 4 dB from a voice of 100 Hz, and 20 dB and more from hum of 50 or 60 Hz
LEAST_WINDOW = 8


class OnsetDetector:
    """Finds the first audible sample of one reply.

    Windows of `window_ms` lie on a fixed grid from the first sample fed. The onset is in the first run of windows
    whose RMS is at or over `threshold_dbfs` and that lasts `hold_ms`; the index is then refined to the sample.
    """

    def __init__(self, rate_hz: int, threshold_dbfs: float = -50.0, window_ms: int = 10, hold_ms: int = 30) -> None:
        if rate_hz <= 0 or window_ms <= 0 or hold_ms < 0:
            raise ValueError("rate_hz and window_ms must be positive, and hold_ms not negative")
        self._rate_hz = rate_hz
        self._threshold = amplitude(threshold_dbfs)
        self._window = max(1, rate_hz * window_ms // 1000)
        self._hold = max(1, -(-hold_ms // window_ms))
        self._kept = np.zeros(0, dtype=np.int16)  # samples from `_base` on; older ones can no longer matter
        self._base = 0
        self._next = 0  # absolute index of the first sample not yet judged; always on the window grid
        self._run_start: int | None = None  # first sample of the current run of audible windows
        self._onset: int | None = None

    @property
    def onset(self) -> int | None:
        """The answer so far."""
        return self._onset

    def feed(self, pcm: NDArray[np.int16]) -> int | None:
        """Take the next samples; the onset's absolute index once it is known, else None."""
        if self._onset is not None or not len(pcm):
            return self._onset
        self._kept = np.concatenate((self._kept, pcm))
        first = self._next
        count = (self._base + len(self._kept) - first) // self._window
        if count:
            at = first - self._base
            windows = to_float(self._kept[at : at + count * self._window]).reshape(count, self._window)
            loud = _audible(windows, self._threshold)
            for k in range(count):
                self._next = first + (k + 1) * self._window
                if not loud[k]:
                    self._run_start = None
                    continue
                if self._run_start is None:
                    self._run_start = first + k * self._window
                if self._next - self._run_start >= self._hold * self._window:
                    return self._settle(self._run_start)
        self._forget()
        return None

    def finish(self) -> int | None:
        """The stream has ended: a stretch that is audible up to its very end counts however short it is."""
        if self._onset is not None:
            return self._onset
        rest = to_float(self._kept[self._next - self._base :])
        # a last piece shorter than a window is judged as it is; a quiet one ends the run before it
        if len(rest):
            if not _audible(rest[None, :], self._threshold)[0]:
                self._run_start = None
            elif self._run_start is None:
                self._run_start = self._next
        return None if self._run_start is None else self._settle(self._run_start)

    def _settle(self, run_start: int) -> int:
        """Refine to the sample; sound may begin in the last moments of the window before the run."""
        start = max(run_start - self._window, self._base)
        stop = run_start + self._window
        samples = to_float(self._kept[start - self._base : stop - self._base])
        offset = float(np.median(samples[: run_start - start])) if run_start > start else 0.0
        if abs(offset) >= self._threshold / 2:
            samples = samples - offset
        found = first_sound(samples, self._rate_hz, self._threshold)
        self._onset = run_start if found is None else start + found
        self._kept = np.zeros(0, dtype=np.int16)
        return self._onset

    def _forget(self) -> None:
        keep_from = (self._next if self._run_start is None else self._run_start) - self._window
        if keep_from > self._base:
            self._kept = self._kept[keep_from - self._base :].copy()
            self._base = keep_from


def _audible(windows: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Which rows are at or over `threshold` without their DC offset, and are more than hum."""
    count = windows.shape[1]
    power = np.mean(windows * windows, axis=1)
    if count < LEAST_WINDOW:
        return np.asarray(power >= threshold**2)
    fitted = (windows @ _parabolas(count)) ** 2 / count
    # in windows of whole samples the difference can be a hair under zero
    level, above_hum = power - fitted[:, 0], power - fitted.sum(axis=1)
    return np.asarray((level >= threshold**2) & (above_hum >= (threshold * amplitude(-HUM_MARGIN_DB)) ** 2))


@cache
def _parabolas(count: int) -> NDArray[np.float64]:
    """An orthonormal basis of the parabolas over `count` samples; its first column is the constant."""
    at = np.linspace(-1, 1, count)
    return np.asarray(np.linalg.qr(np.stack((np.ones(count), at, at * at), axis=1))[0])
