"""How much of a sound is voice: pitch, and pure tones.

In: mono float samples and the stretches to judge. Out: what was heard in each 10 ms. Trap: a tone has perfect pitch and
is no voice; and an unvoiced sound (/s/, a breath, a knock) has none, though it may be part of a word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import resample_float

RATE_HZ = 8_000  # pitch and its harmonics lie below 4 kHz
HOP_MS = 10
FRAME = 320  # 40 ms: three periods of a deep voice
PITCH_HZ = (70.0, 400.0)
LEAST_PERIODICITY = 0.55
TONE_SHARE = 0.9  # of the power, in the strongest one or two lines of the spectrum
LINE_BINS = 2
GLIDE_HZ = (2.0, 60.0)  # within 10 ms


@dataclass(frozen=True, slots=True)
class Voicing:
    """Of each 10 ms (its middle 40 ms wide): the level in dBFS, whether it has pitch, whether it is a pure tone, and
    the frequency of its strongest line."""

    level_db: NDArray[np.float64]
    voiced: NDArray[np.bool_]
    tonal: NDArray[np.bool_]
    line_hz: NDArray[np.float64]

    def glides(self, part: slice) -> float:
        """The share of steps between tonal frames in which the line moves a little, as a voice's does and no tone's."""
        tonal, moved = self.tonal[part], np.abs(np.diff(self.line_hz[part]))
        steps = moved[tonal[1:] & tonal[:-1]]
        return float(((steps > GLIDE_HZ[0]) & (steps < GLIDE_HZ[1])).mean()) if len(steps) else 0.0

    def within(self, start_ms: float, end_ms: float) -> slice:
        """The frames whose middle lies between two times."""
        first = max(0, int(np.ceil(start_ms / HOP_MS)))
        return slice(first, max(first + 1, int(end_ms // HOP_MS)))


def voicing(samples: NDArray[np.float64], rate_hz: int) -> Voicing:
    """Judge every 10 ms of a recording; `samples` without rumble."""
    narrow = resample_float(samples, rate_hz, RATE_HZ)
    hop = RATE_HZ * HOP_MS // 1000
    count = max(1, len(narrow) // hop)
    padded = np.concatenate((np.zeros(FRAME // 2), narrow, np.zeros(FRAME)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[: count * hop : hop]
    parts = [_judged(frames[at : at + 2000]) for at in range(0, len(frames), 2000)]
    level, voiced, tonal, line_hz = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Voicing(level, voiced, tonal, line_hz)


def _judged(
    frames: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    window = np.hanning(FRAME)
    windowed = (frames - frames.mean(axis=1, keepdims=True)) * window
    power = np.abs(np.fft.rfft(windowed, 2 * FRAME, axis=1)) ** 2
    correlation = np.fft.irfft(power, axis=1)
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * FRAME)) ** 2)
    low, high = int(RATE_HZ / PITCH_HZ[1]), int(RATE_HZ / PITCH_HZ[0])
    energy = np.maximum(correlation[:, 0], 1e-12)
    # the window makes late lags small: its own correlation is divided out
    normal = correlation[:, low : high + 1] / energy[:, None] / (of_window[low : high + 1] / of_window[0])
    peak = normal.max(axis=1)
    level_db = 10 * np.log10(np.maximum((frames * frames).mean(axis=1), 1e-12))
    heard = level_db > -75
    total = np.maximum(power.sum(axis=1), 1e-20)
    # the lobe of a Hann window is four bins wide each side at twice its length
    first = power.argmax(axis=1)
    share = _lobe(power, first)
    rest = power.copy()
    columns = np.arange(power.shape[1])
    rest[np.abs(columns[None, :] - first[:, None]) <= 2 * LINE_BINS] = 0
    share = (share + _lobe(rest, rest.argmax(axis=1))) / total
    # a voice may put its power into two harmonics for a moment; a tone does so all the time (judged by stretches)
    line_hz = _between_bins(power, first) * RATE_HZ / (2 * FRAME)
    return level_db, heard & (peak >= LEAST_PERIODICITY), heard & (share >= TONE_SHARE), line_hz


def _between_bins(power: NDArray[np.float64], at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Where a parabola through the strongest line and its neighbours, in dB, is highest."""
    inner = np.clip(at, 1, power.shape[1] - 2)
    rows = np.arange(len(power))
    below, top, above = (np.log(power[rows, inner + shift] + 1e-20) for shift in (-1, 0, 1))
    bend = below - 2 * top + above
    offset = np.where(bend < 0, 0.5 * (below - above) / np.where(bend < 0, bend, -1.0), 0.0)
    return np.asarray(inner + np.clip(offset, -0.5, 0.5))


def _lobe(power: NDArray[np.float64], centre: NDArray[np.intp]) -> NDArray[np.float64]:
    columns = np.arange(power.shape[1])
    near = np.abs(columns[None, :] - centre[:, None]) <= 2 * LINE_BINS
    return np.asarray(np.where(near, power, 0.0).sum(axis=1))
