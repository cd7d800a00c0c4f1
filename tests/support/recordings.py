"""Recordings as people have them, made from the shipped ones, whose ends of speech are known.

In: a shipped fixture, a kind of mess, a seed. Out: samples and the true end of speech in milliseconds. The mess is
synthetic, so the truth stays known; its levels are relative to the loudest 30 ms of the speech.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.audio.formats import FULL_SCALE, AudioFormat, resample_float, to_pcm16

Samples = NDArray[np.float64]
RATE_HZ = 24_000
BABBLERS = ("long-order-rms", "long-bill-kal16", "digits-account-slt", "password-login-awb")


@dataclass(slots=True)
class Take:
    """A recording in the making."""

    samples: Samples
    start_ms: float
    end_ms: float
    rng: np.random.Generator
    text: str = ""

    @property
    def peak(self) -> float:
        frames = self.samples[: len(self.samples) // 720 * 720].reshape(-1, 720)
        return float(np.sqrt((frames * frames).mean(axis=1)).max())

    def silence_after(self, ms: float) -> None:
        self.samples = np.concatenate((self.samples, np.zeros(at(ms))))

    def add(self, sound: Samples, ms: float) -> None:
        """Mix `sound` in, from `ms` on."""
        first = at(ms)
        if first + len(sound) > len(self.samples):
            self.samples = np.concatenate((self.samples, np.zeros(first + len(sound) - len(self.samples))))
        self.samples[first : first + len(sound)] += sound

    @property
    def pcm(self) -> NDArray[np.int16]:
        return to_pcm16(np.clip(self.samples, -1.0, 32767 / 32768))[0]


def at(ms: float) -> int:
    return round(ms * RATE_HZ / 1000)


def db(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def take(fixture_id: str, seed: int = 0, *, tail_ms: float = 600) -> Take:
    """A shipped recording with some silence after it."""
    fixture = load_catalogue(shipped_catalogue()).get(fixture_id)
    pcm = fixture.load_pcm(RATE_HZ).astype(np.float64) / FULL_SCALE
    made = Take(pcm, fixture.speech_start_ms, fixture.speech_end_ms, np.random.default_rng(seed), fixture.text)
    made.silence_after(tail_ms)
    return made


def shaped(count: int, rng: np.random.Generator, slope: float, low_hz: float = 20, high_hz: float = 12_000) -> Samples:
    """Noise of RMS 1 whose power falls with frequency to the power of `slope`, within a band."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    weight = np.where((hz >= low_hz) & (hz <= high_hz), np.maximum(hz, low_hz) ** (-slope / 2), 0.0)
    sound = np.fft.irfft(spectrum * weight, count)
    return np.asarray(sound / np.sqrt((sound * sound).mean()))


def noise(slope: float, snr_db: float, low_hz: float = 20, high_hz: float = 12_000) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        made.samples = made.samples + made.peak * db(-snr_db) * shaped(
            len(made.samples), made.rng, slope, low_hz, high_hz
        )

    return apply


def hum(hz: float, level_db: float, harmonics: int = 3) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        times = np.arange(len(made.samples)) / RATE_HZ
        wave = sum(np.sin(2 * np.pi * hz * k * times + k) / k**2 for k in range(1, harmonics + 1))
        made.samples = made.samples + made.peak * db(level_db) * np.sqrt(2) * np.asarray(wave)

    return apply


def offset(value: float) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        made.samples = made.samples + value

    return apply


def babble(snr_db: float) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        catalogue = load_catalogue(shipped_catalogue())
        crowd = np.zeros(len(made.samples))
        for name in BABBLERS:
            voice = catalogue.get(name).load_pcm(RATE_HZ).astype(np.float64) / FULL_SCALE
            crowd += np.resize(np.roll(voice, int(made.rng.integers(len(voice)))), len(crowd))
        crowd /= np.sqrt((crowd * crowd).mean())
        made.samples = made.samples + made.peak * db(-snr_db) * crowd

    return apply


def envelope(count: int, attack_ms: float, decay_ms: float) -> Samples:
    times = np.arange(count) / RATE_HZ * 1000
    return np.asarray(np.minimum(times / max(attack_ms, 0.04), 1.0) * np.exp(-times / decay_ms))


def after(gap_ms: float, make: Callable[[Take], Samples]) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        sound = make(made)
        made.add(sound, made.end_ms + gap_ms)
        made.silence_after(250)

    return apply


def before(gap_ms: float, make: Callable[[Take], Samples]) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        sound = make(made)
        lead = at(gap_ms) + len(sound) + at(200)
        made.samples = np.concatenate((np.zeros(lead), made.samples))
        made.start_ms += lead * 1000 / RATE_HZ
        made.end_ms += lead * 1000 / RATE_HZ
        made.add(sound, made.start_ms - gap_ms - len(sound) * 1000 / RATE_HZ)

    return apply


def key_press(level_db: float = -10) -> Callable[[Take], Samples]:
    """Two knocks, 60 ms apart, of a plastic key."""

    def make(made: Take) -> Samples:
        knock = shaped(at(25), made.rng, 1, 300, 6000) * envelope(at(25), 0.5, 6)
        return made.peak * db(level_db) * 3 * np.concatenate((knock, np.zeros(at(60)), knock * 0.6))

    return make


def handset(level_db: float = -8) -> Callable[[Take], Samples]:
    """A thud with a rattle."""

    def make(made: Take) -> Samples:
        thud = shaped(at(180), made.rng, 2, 60, 1500) * envelope(at(180), 1, 35)
        rattle = shaped(at(180), made.rng, 0, 1500, 8000) * envelope(at(180), 1, 20) * 0.4
        return made.peak * db(level_db) * 2 * (thud + np.roll(rattle, at(30)))

    return make


def breath(level_db: float = -24, ms: float = 350) -> Callable[[Take], Samples]:
    def make(made: Take) -> Samples:
        count = at(ms)
        return made.peak * db(level_db) * shaped(count, made.rng, 1, 300, 6000) * np.sin(np.linspace(0, np.pi, count))

    return make


def cough(level_db: float = -4) -> Callable[[Take], Samples]:
    def make(made: Take) -> Samples:
        burst = shaped(at(90), made.rng, 0.7, 200, 5000) * envelope(at(90), 2, 40)
        rest = shaped(at(160), made.rng, 1, 150, 3000) * envelope(at(160), 10, 60) * 0.5
        return made.peak * db(level_db) * 1.6 * np.concatenate((burst, rest))

    return make


def beep(hz: float = 1000, ms: float = 200, level_db: float = -12) -> Callable[[Take], Samples]:
    def make(made: Take) -> Samples:
        return made.peak * db(level_db) * 1.4 * np.sin(2 * np.pi * hz * np.arange(at(ms)) / RATE_HZ)

    return make


def dtmf(made: Take) -> Samples:
    times = np.arange(at(120)) / RATE_HZ
    return made.peak * 0.4 * (np.sin(2 * np.pi * 770 * times) + np.sin(2 * np.pi * 1336 * times))


def music(ms: float = 1500, level_db: float = -12) -> Callable[[Take], Samples]:
    """Chords of decaying harmonics, a note each 250 ms."""

    def make(made: Take) -> Samples:
        notes = []
        for _ in range(round(ms / 250)):
            times = np.arange(at(250)) / RATE_HZ
            root = 220 * 2 ** (int(made.rng.integers(0, 12)) / 12)
            wave = sum(np.sin(2 * np.pi * root * ratio * k * times) / k for ratio in (1, 1.26, 1.5) for k in (1, 2, 3))
            notes.append(np.asarray(wave) * np.exp(-times * 3) / 3)
        return made.peak * db(level_db) * np.concatenate(notes)

    return make


def voice(fixture_id: str = "yes-rms", level_db: float = 0) -> Callable[[Take], Samples]:
    def make(made: Take) -> Samples:
        other = load_catalogue(shipped_catalogue()).get(fixture_id)
        return db(level_db) * other.load_pcm(RATE_HZ).astype(np.float64) / FULL_SCALE

    return make


def room(reverberation_ms: float, level_db: float = -8) -> Callable[[Take], None]:
    """A tail that falls by 60 dB in so many milliseconds."""

    def apply(made: Take) -> None:
        count = at(reverberation_ms)
        tail = made.rng.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
        tail /= np.sqrt((tail * tail).sum())
        size = 1 << (len(made.samples) + count).bit_length()
        wet = np.fft.irfft(np.fft.rfft(made.samples, size) * np.fft.rfft(tail, size), size)[: len(made.samples)]
        made.samples = made.samples + db(level_db) * wet

    return apply


def gain(decibels: float) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        made.samples = np.clip(made.samples * db(decibels), -1, 1)

    return apply


def noise_then_zeros(snr_db: float, noise_ms: float, zeros_ms: float) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        made.samples = made.samples[: at(made.end_ms + 20)]
        made.silence_after(noise_ms)
        noise(0.5, snr_db)(made)
        made.silence_after(zeros_ms)

    return apply


def cut(ms_before_end: float) -> Callable[[Take], None]:
    """The file ends so long before the speech does (or after it, if negative)."""

    def apply(made: Take) -> None:
        made.samples = made.samples[: at(made.end_ms - ms_before_end)]

    return apply


def fade(ms: float) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        last = at(made.end_ms)
        made.samples[last - at(ms) : last] *= np.linspace(1, 0, at(ms)) ** 2

    return apply


def telephone(law: str) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        narrow = AudioFormat.usual(law)
        coded = narrow.decode(narrow.encode(to_pcm16(resample_float(made.samples, RATE_HZ, narrow.rate_hz))[0]))
        made.samples = resample_float(coded / FULL_SCALE, narrow.rate_hz, RATE_HZ)

    return apply


def both(*parts: Callable[[Take], None]) -> Callable[[Take], None]:
    def apply(made: Take) -> None:
        for part in parts:
            part(made)

    return apply


KINDS: dict[str, Callable[[Take], None]] = {
    "clean": lambda made: None,
    "rumble at 30 dB": noise(2, 30, 15, 60),
    "rumble at 20 dB": noise(2, 20, 15, 60),
    "DC 0.02": offset(0.02),
    "DC -0.05": offset(-0.05),
    "white noise at 45 dB": noise(0, 45),
    "white noise at 30 dB": noise(0, 30),
    "white noise at 20 dB": noise(0, 20),
    "white noise at 10 dB": noise(0, 10),
    "pink noise at 40 dB": noise(1, 40),
    "pink noise at 25 dB": noise(1, 25),
    "babble at 25 dB": babble(25),
    "babble at 10 dB": babble(10),
    "hum of 50 Hz": hum(50, -25),
    "hum of 60 Hz": hum(60, -30, 5),
    "noise, then zeros": noise_then_zeros(30, 1500, 1000),
    "soft noise, then zeros": noise_then_zeros(42, 1500, 1000),
    "handset put down": after(300, handset()),
    "key press": after(300, key_press()),
    "soft key press": after(300, key_press(-24)),
    "key press at once": after(120, key_press()),
    "breath": after(300, breath()),
    "breath at once": after(60, breath(-22, 450)),
    "loud breath": after(200, breath(-14, 500)),
    "cough": after(400, cough()),
    "beep": after(500, beep()),
    "short beep": after(250, beep(440, 90)),
    "dialled digit": after(400, dtmf),
    "hold music": after(400, music()),
    "another voice": after(600, voice()),
    "a voice far away": after(300, voice("hours-friday-awb", -24)),
    "clipped": gain(25),
    "very quiet": gain(-32),
    "very loud": gain(12),
    "small room": room(250),
    "large room": room(1200, -3),
    "faded out": fade(400),
    "tight cut": cut(0),
    "cut within speech": cut(240),
    "cut in half": lambda made: cut((made.end_ms - made.start_ms) / 2)(made),
    "G.711 mu": telephone("pcmu"),
    "G.711 A": telephone("pcma"),
    "click before": before(300, key_press()),
    "breath before": before(250, breath()),
}


def messy(kind: str, fixture_id: str, seed: int = 0) -> Take:
    made = take(fixture_id, seed)
    KINDS[kind](made)
    return made
