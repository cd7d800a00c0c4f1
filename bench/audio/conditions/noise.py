"""Noise under the voice, at a signal-to-noise ratio that is measured over the speech.

In: the sound. Out: sound and noise together. The ratio is mean power of the speech (`sound.speech_power`) to mean power
of the noise in the same stretch, both at the rate at which the sound is sent.
Trap: noise that begins and ends with the recording lets a server hear the end of speech more easily than a real line
does; `between_turns` carries it on through the silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field

from bench.audio.conditions.babble import babble
from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Samples, Sound, mean_power, speech_power
from bench.audio.conditions.units import Decibels, Hertz, show_db, within
from bench.audio.formats import resample_float
from bench.config.block import Complaint, ScenarioPath
from bench.errors import BenchError

Kind = Literal["white", "pink", "babble", "hum", "file"]
LOWEST_PINK_HZ = 20.0
HUM_HARMONICS = 10


class Noise(ConditionKind):
    """Noise of a kind, so far below (or above) the voice."""

    SHORT: ClassVar[str] = "kind"

    kind: Kind = Field(
        description="white; pink (equal power in each octave); babble (six other voices); hum (mains and harmonics); "
        "file.",
        examples=["babble"],
    )
    snr: Annotated[Decibels, AfterValidator(within(-40, 100, "dB"))] = Field(
        description="Power of the speech over that of the noise.", examples=["10dB"]
    )
    file: ScenarioPath | None = Field(
        default=None, description="kind: file. A recording of noise; it is repeated as often as needed."
    )
    frequency: Annotated[Hertz, AfterValidator(within(20, 1000, "Hz"))] = Field(
        default=50.0,
        description="kind: hum. The mains frequency.",
        examples=["60Hz"],
        json_schema_extra={"default": "50Hz"},
    )
    between_turns: bool = Field(
        default=False, description="Let the noise go on while the caller is silent (server VAD), not only in speech."
    )

    def complaints(self) -> Iterator[Complaint]:
        if (self.kind == "file") != (self.file is not None):
            said = "kind: file needs it" if self.kind == "file" else "only with kind: file"
            yield Complaint(("file",), said)
        elif self.file is not None and not self.file.is_file():
            yield Complaint(("file",), f"no such audio file '{self.file}'")

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        noise = self.made(len(sound.samples), sound.rate_hz, random, without_voice=sound.voice)
        return sound.with_samples(sound.samples + noise * self._amplitude(sound, noise))

    def made(self, count: int, rate_hz: int, random: np.random.Generator, *, without_voice: str = "") -> Samples:
        """`count` samples of the noise, at any level."""
        if self.kind == "white":
            return random.standard_normal(count)
        if self.kind == "pink":
            return _pink(count, rate_hz, random)
        if self.kind == "hum":
            return _hum(count, rate_hz, self.frequency, random)
        if self.kind == "babble":
            return babble(count, rate_hz, random, without_voice=without_voice)
        return _from_file(self.file or Path(), count, rate_hz, random)

    def _amplitude(self, sound: Sound, noise: Samples) -> float:
        below = mean_power(noise[sound.speech])
        if not below:
            raise BenchError(
                f"noise {self.file or self.kind}: it is silent where the caller speaks, so no ratio can be set",
                hint="use a recording with noise from beginning to end",
            )
        return float(np.sqrt(self.power_under(speech_power(sound)) / below))

    def power_under(self, speech: float) -> float:
        """The mean power of this noise under speech of the mean power `speech`."""
        return speech * float(10 ** (-self.snr / 10))

    @property
    def label(self) -> str:
        return f"{self.file.stem if self.file else self.kind} {show_db(self.snr)}"


def _pink(count: int, rate_hz: int, random: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / rate_hz) if count else np.zeros(1)
    weights = np.where(frequencies < LOWEST_PINK_HZ, 0.0, 1 / np.sqrt(np.maximum(frequencies, LOWEST_PINK_HZ)))
    return np.asarray(np.fft.irfft(spectrum * weights, count)) if count else np.zeros(0)


def _hum(count: int, rate_hz: int, frequency_hz: float, random: np.random.Generator) -> Samples:
    """The mains and its harmonics, each weaker than the one before by its number."""
    seconds = np.arange(count) / rate_hz
    made = np.zeros(count)
    for harmonic in range(1, HUM_HARMONICS + 1):
        if harmonic * frequency_hz < rate_hz / 2:
            phase = random.uniform(0, 2 * np.pi)
            made += np.sin(2 * np.pi * harmonic * frequency_hz * seconds + phase) / harmonic
    return made


def _from_file(file: Path, count: int, rate_hz: int, random: np.random.Generator) -> Samples:
    from bench.audio.wav import decode_audio, read_bytes

    samples, own_rate_hz = decode_audio(read_bytes(file), file)
    samples = resample_float(samples, own_rate_hz, rate_hz)
    start = int(random.integers(len(samples)))
    return np.take(samples, np.arange(start, start + count), mode="wrap")
