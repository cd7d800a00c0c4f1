"""Signals that the audio tests are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def silence(ms: float, rate_hz: int = 24_000) -> NDArray[np.int16]:
    return np.zeros(round(ms * rate_hz / 1000), dtype=np.int16)


def tone(ms: float, rate_hz: int = 24_000, *, hz: float = 300.0, level: float = 0.3) -> NDArray[np.int16]:
    at = np.arange(round(ms * rate_hz / 1000)) / rate_hz
    return np.rint(level * 32767 * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def noise(ms: float, rate_hz: int = 24_000, *, rms_dbfs: float, seed: int = 1) -> NDArray[np.int16]:
    samples = np.random.default_rng(seed).standard_normal(round(ms * rate_hz / 1000))
    return np.rint(samples * 32768 * 10 ** (rms_dbfs / 20)).clip(-32768, 32767).astype(np.int16)


def joined(*parts: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.concatenate(parts)
