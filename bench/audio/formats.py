"""The audio formats that cross the wire, and the conversions into and out of them.

In: mono int16 samples at the format's own rate. Out: bytes as the wire carries them (PCM16 is little-endian).
Trap: resampling overshoots. A full-scale square edge rings above full scale, and a plain cast to int16 wraps it
into a click; `to_pcm16` therefore scales a buffer that does not fit instead of clipping it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from bench.audio import g711

FULL_SCALE = 32768.0


Encoding = Literal["pcm16", "pcmu", "pcma"]

USUAL_RATES_HZ: dict[Encoding, int] = {"pcm16": 24_000, "pcmu": 8_000, "pcma": 8_000}
"""The rate that a scenario means by naming an encoding alone."""
_SILENCE = {"pcm16": 0x00, "pcmu": 0xFF, "pcma": 0xD5}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """A wire format: how samples are encoded, and how many there are in a second. Any rate goes with any encoding."""

    encoding: Encoding
    rate_hz: int

    PCM16: ClassVar[AudioFormat]
    PCMU: ClassVar[AudioFormat]
    PCMA: ClassVar[AudioFormat]

    @classmethod
    def usual(cls, encoding: str) -> AudioFormat:
        """The format that the word `encoding` means in a scenario. Raises `ValueError` for another word."""
        for known, rate_hz in USUAL_RATES_HZ.items():
            if known == encoding:
                return cls(known, rate_hz)
        raise ValueError(f"no audio encoding {encoding!r}; allowed: {', '.join(USUAL_RATES_HZ)}")

    @property
    def bytes_per_sample(self) -> int:
        return 2 if self.encoding == "pcm16" else 1

    @property
    def silence_byte(self) -> int:
        """The byte that, repeated, is silence (for A-law the code nearest to it, +8 of 32768)."""
        return _SILENCE[self.encoding]

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        """Wire bytes of mono samples that are already at `rate_hz`."""
        if self.encoding == "pcmu":
            return g711.ulaw_encode(pcm)
        if self.encoding == "pcma":
            return g711.alaw_encode(pcm)
        return pcm.astype("<i2", copy=False).tobytes()

    def decode(self, data: bytes) -> NDArray[np.int16]:
        """Samples at `rate_hz`; an odd trailing byte of PCM16 (half a sample) raises ValueError."""
        if self.encoding == "pcmu":
            return g711.ulaw_decode(data)
        if self.encoding == "pcma":
            return g711.alaw_decode(data)
        if len(data) % 2:
            raise ValueError(f"PCM16 needs an even number of bytes, got {len(data)}")
        return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)

    def __str__(self) -> str:
        return f"{self.encoding} at {self.rate_hz} Hz"


USUAL_FORMATS = tuple(AudioFormat.usual(encoding) for encoding in USUAL_RATES_HZ)
AudioFormat.PCM16, AudioFormat.PCMU, AudioFormat.PCMA = USUAL_FORMATS


def resample(pcm: NDArray[np.int16], from_hz: int, to_hz: int) -> NDArray[np.int16]:
    """`pcm` at another rate (soxr HQ, linear phase, so times do not shift); the same array when the rates are equal.

    A result that would exceed full scale is scaled to fit, never clipped.
    """
    if from_hz == to_hz or not len(pcm):
        return pcm
    return to_pcm16(resample_float(pcm.astype(np.float64) / FULL_SCALE, from_hz, to_hz))[0]


def resample_float(samples: NDArray[np.float64], from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """Mono samples (full scale = 1.0) at another rate; may exceed 1.0 by the filter's ringing."""
    if from_hz == to_hz or not len(samples):
        return samples
    return np.asarray(soxr.resample(samples, from_hz, to_hz, quality="HQ"), dtype=np.float64)


def to_pcm16(samples: NDArray[np.float64]) -> tuple[NDArray[np.int16], float]:
    """Round samples (full scale = 1.0) to int16, scaling all of them down if any does not fit.

    Returns the samples and the gain in dB that was applied: 0.0 when nothing had to change.
    """
    scaled = samples * FULL_SCALE
    highest, lowest = float(np.max(scaled, initial=0.0)), float(np.min(scaled, initial=0.0))
    gain = 1.0
    if highest >= 32767.5 or lowest < -32768.5:  # what rounds into int16 by itself is left alone, bit for bit
        gain = 32767.0 / max(highest, -lowest)
        scaled = scaled * gain
    return np.rint(scaled).astype(np.int16), 20 * float(np.log10(gain))
