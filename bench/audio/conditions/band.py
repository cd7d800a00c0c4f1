"""A line or a loudspeaker that carries only some frequencies. The filter is zero-phase: no instant moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Sound
from bench.audio.conditions.units import Hertz, within
from bench.config.block import Complaint, refusal

TELEPHONE = "telephone"
EDGE_OCTAVES = 1 / 3
"""Width of the half cosine between what passes and what does not."""
Bound = Annotated[Hertz, AfterValidator(within(10, 20_000, "Hz"))]


class Band(ConditionKind):
    """Only what lies between two frequencies passes; `telephone` is 300 to 3,400 Hz."""

    SHORT: ClassVar[str] = "of"

    low: Bound | None = Field(default=None, description="Lower end; absent: no lower end.", examples=["300Hz"])
    high: Bound | None = Field(default=None, description="Upper end; absent: no upper end.", examples=["3.4kHz"])

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("of", TELEPHONE) != TELEPHONE:
            raise refusal(f"found {data['of']!r}; allowed: {TELEPHONE}, or a mapping with low and high")
        return {"low": "300Hz", "high": "3400Hz"} if data == {"of": TELEPHONE} else data

    def complaints(self) -> Iterator[Complaint]:
        if self.low is None and self.high is None:
            yield Complaint((), "nothing is cut; allowed: telephone, or low and high (low: 300Hz, high: 3400Hz)")
        elif self.low is not None and self.high is not None and self.low >= self.high:
            yield Complaint(("low",), f"found {self.low:g} Hz, which is not below high ({self.high:g} Hz)")

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        size = len(sound.samples)
        padded = 2 * max(1, size)
        spectrum = np.fft.rfft(sound.samples, padded)
        frequencies = np.asarray(np.fft.rfftfreq(padded, 1 / sound.rate_hz), dtype=np.float64)
        return sound.with_samples(np.fft.irfft(spectrum * self._gains(frequencies), padded)[:size])

    def _gains(self, frequencies_hz: NDArray[np.float64]) -> NDArray[np.float64]:
        octaves = np.log2(np.maximum(frequencies_hz, 1e-3))
        gains = np.ones_like(octaves)
        if self.low is not None:
            gains *= _rise((octaves - np.log2(self.low)) / EDGE_OCTAVES + 0.5)
        if self.high is not None:
            gains *= _rise((np.log2(self.high) - octaves) / EDGE_OCTAVES + 0.5)
        return gains

    @property
    def label(self) -> str:
        low = "0" if self.low is None else f"{self.low:g}"
        return f"band {low} to {'all' if self.high is None else f'{self.high:g}'} Hz"


def _rise(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 up to 0, 1 from 1 on, half a cosine between."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(place, 0.0, 1.0))
