"""Signals that the audio tests are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import to_pcm16
from bench.audio.onset import OnsetDetector
from bench.audio.wav import decode_audio, read_bytes


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


def read_audio(path: Path) -> tuple[NDArray[np.int16], int]:
    """The mono samples of a file as int16, and their rate."""
    samples, rate_hz = decode_audio(read_bytes(path), path)
    return to_pcm16(samples)[0], rate_hz


def first_audible_sample(pcm: NDArray[np.int16], rate_hz: int) -> int | None:
    """The onset in a whole reply; None if all of it is silent or a mere click."""
    detector = OnsetDetector(rate_hz)
    found = detector.feed(pcm)
    return detector.finish() if found is None else found
