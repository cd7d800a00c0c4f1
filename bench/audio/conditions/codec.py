"""A codec between the caller and the line: the sound is encoded and decoded once, at the codec's own rate.

In: samples. Out: as many samples at the same rate, aligned with those that came in. libsndfile holds the codecs.
Trap: the wire format of the session is another codec, which follows.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import soundfile
from pydantic import Field

from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Samples, Sound
from bench.audio.formats import AudioFormat, resample_float, to_pcm16

Name = Literal["g711_ulaw", "g711_alaw", "gsm", "opus", "mp3"]
MOST_DELAY_S = 0.2


@dataclass(frozen=True, slots=True)
class _Container:
    """How libsndfile writes a codec, and at which rate it works."""

    format: str
    subtype: str
    rate_hz: int


_CONTAINERS: dict[str, _Container] = {
    "gsm": _Container("WAV", "GSM610", 8_000),
    "opus": _Container("OGG", "OPUS", 24_000),
    "mp3": _Container("MP3", "MPEG_LAYER_III", 24_000),
}


class Codec(ConditionKind):
    """Encoded and decoded once, before the session's own format."""

    SHORT: ClassVar[str] = "name"

    name: Name = Field(description="Which codec.", examples=["opus"])
    compression: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="opus, mp3: from 0 (best) to 1 (smallest); absent: libsndfile's own.", examples=[0.9]
    )

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        if not len(sound.samples):
            return sound
        container = _CONTAINERS.get(self.name)
        rate_hz = container.rate_hz if container else 8_000
        narrow = resample_float(sound.samples, sound.rate_hz, rate_hz)
        decoded = self._g711(narrow) if container is None else self._through(narrow, container)
        wide = resample_float(decoded, rate_hz, sound.rate_hz)
        size = len(sound.samples)
        return sound.with_samples(np.pad(wide[:size], (0, max(0, size - len(wide)))))

    def _g711(self, samples: Samples) -> Samples:
        wire = AudioFormat.PCMU if self.name == "g711_ulaw" else AudioFormat.PCMA
        return wire.decode(wire.encode(to_pcm16(samples)[0])).astype(np.float64) / 32768.0

    def _through(self, samples: Samples, container: _Container) -> Samples:
        file = io.BytesIO()
        more = {} if self.compression is None or self.name == "gsm" else {"compression_level": self.compression}
        soundfile.write(
            file,
            np.clip(samples, -1.0, 1.0),
            container.rate_hz,
            format=container.format,
            subtype=container.subtype,
            **more,
        )
        file.seek(0)
        decoded, _ = soundfile.read(file, dtype="float64")
        return _aligned(np.asarray(decoded, dtype=np.float64), samples, round(MOST_DELAY_S * container.rate_hz))

    @property
    def label(self) -> str:
        return self.name if self.compression is None else f"{self.name} {self.compression:g}"


def _aligned(decoded: Samples, original: Samples, most: int) -> Samples:
    """`decoded` without the codec's delay, which the cross-correlation with the original shows."""
    size = len(decoded) + len(original)
    spectrum = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size))
    correlation = np.fft.irfft(spectrum, size)
    delay = int(np.argmax(correlation[: most + 1]))
    return decoded[delay:]
