"""Make the backchannels and noises again that callers make while they listen, into `fixtures/audio/sounds/`.

Short sounds that ask for no answer: what a listener says ("mm-hm") is spoken by espeak-ng, a cough and a door are
shaped noise. Writes one 24 kHz mono PCM16 WAV for each, and `catalogue.yaml`; the same bytes every time.
Trap: they are not speech to be scored. No word error rate is made from them, and their texts are names.

    python tools/make_sounds.py
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import speech_span
from bench.audio.catalogue import BY_HAND, Fixture, shipped_sounds
from bench.audio.fixtures_cli import FIXTURE_RATE_HZ, entry_text
from bench.audio.formats import resample_float, to_pcm16
from bench.audio.level import to_float
from bench.audio.wav import wav_bytes
from bench.server.engines.synthesiser import Synthesiser

RATE_HZ = FIXTURE_RATE_HZ
LEAD_MS, TAIL_MS = 100, 200
LOUDNESS = 0.08  # RMS; a listener's sounds are somewhat softer than speech
SPOKEN = {"mm-hm": "Mm-hmm.", "uh-huh": "Uh-huh.", "okay": "Okay.", "right": "Right."}
SYNTHESISED = "espeak-ng voice en-gb+m3, spoken by tools/make_sounds.py"
SHAPED = "shaped noise, made by tools/make_sounds.py"
LICENCE = "CC0-1.0"

Sound = NDArray[np.float64]


def main() -> int:
    folder = shipped_sounds().parent
    folder.mkdir(parents=True, exist_ok=True)
    synthesiser = Synthesiser()
    made: dict[str, tuple[str, Sound, str, str]] = {
        name: (text, spoken(synthesiser, text), SYNTHESISED, "en") for name, text in SPOKEN.items()
    }
    made["cough"] = ("[cough]", cough(), SHAPED, "unknown")
    made["door"] = ("[door]", door(), SHAPED, "unknown")
    fixtures = [written(folder, name, *parts) for name, parts in made.items()]
    header = "# Written by tools/make_sounds.py; times are milliseconds from the first sample of the file.\nfixtures:\n"
    text = header + "\n".join(entry_text(fixture, folder) for fixture in fixtures)
    shipped_sounds().write_text(text, encoding="utf-8")
    for fixture in fixtures:
        print(f"{fixture.id:10} {fixture.speech_end_ms - fixture.speech_start_ms:6.0f} ms of sound")
    return 0


def spoken(synthesiser: Synthesiser, text: str) -> Sound:
    """What espeak-ng says, at the fixtures' rate."""
    return resample_float(to_float(synthesiser.say(text, voice="ballad", speed=1.0)), synthesiser.rate_hz, RATE_HZ)


def cough() -> Sound:
    """Two bursts of rough noise: a sharp opening, a decay, and a softer voiced second one."""
    draw = np.random.default_rng(7)
    first = _decaying(draw, 190, 45.0) * (1 + 0.4 * _hum(190, 140))
    second = 0.6 * _decaying(draw, 150, 60.0) * (1 + 0.6 * _hum(150, 120))
    return np.concatenate((first, np.zeros(70 * RATE_HZ // 1000), second))


def door() -> Sound:
    """A latch, and the thud of a door that falls shut."""
    draw = np.random.default_rng(11)
    latch = 0.5 * _decaying(draw, 25, 6.0)
    thud = _smooth(_decaying(draw, 320, 70.0), 60) * 4 + 0.15 * _decaying(draw, 320, 40.0)
    return np.concatenate((latch, np.zeros(60 * RATE_HZ // 1000), thud))


def _decaying(draw: np.random.Generator, length_ms: int, half_ms: float) -> Sound:
    """Noise that is loud at once and half as loud after every `half_ms`."""
    at_ms = np.arange(length_ms * RATE_HZ // 1000) * 1000 / RATE_HZ
    attack = np.clip(at_ms / 4, 0, 1)
    noise: Sound = draw.normal(0, 1, len(at_ms)) * attack * 0.5 ** (at_ms / half_ms)
    return _smooth(noise, 15)


def _hum(length_ms: int, hz: float) -> Sound:
    hum: Sound = np.sin(2 * np.pi * hz * np.arange(length_ms * RATE_HZ // 1000) / RATE_HZ)
    return hum


def _smooth(samples: Sound, width: int) -> Sound:
    return np.convolve(samples, np.hanning(width) / np.hanning(width).sum(), "same")


def written(folder: Path, name: str, text: str, sound: Sound, source: str, language: str) -> Fixture:
    """The sound between silences, levelled, annotated and written."""
    span = speech_span(to_pcm16(sound / np.abs(sound).max() * 0.5)[0], RATE_HZ)
    if span is None:
        sys.exit(f"{name}: no sound")
    first, last = (round(at_ms * RATE_HZ / 1000) for at_ms in (span.start_ms, span.end_ms))
    core = sound[first:last]
    core = core * min(LOUDNESS / float(np.sqrt(np.mean(core**2))), 0.9 / float(np.abs(core).max()))
    lead, tail = LEAD_MS * RATE_HZ // 1000, TAIL_MS * RATE_HZ // 1000
    pcm, _ = to_pcm16(np.concatenate((np.zeros(lead), core, np.zeros(tail))))
    data = wav_bytes(pcm, RATE_HZ)
    file = folder / f"{name}.wav"
    file.write_bytes(data)
    return Fixture(
        id=name,
        file=file,
        text=text,
        language=language,
        accent="unknown",
        voice="espeak" if source == SYNTHESISED else "noise",
        duration_ms=round(len(pcm) * 1000 / RATE_HZ, 3),
        speech_start_ms=float(LEAD_MS),
        speech_end_ms=round(LEAD_MS + len(core) * 1000 / RATE_HZ, 3),
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        licence=LICENCE,
        caller="synthetic",
        annotated=BY_HAND,
    )


if __name__ == "__main__":
    sys.exit(main())
