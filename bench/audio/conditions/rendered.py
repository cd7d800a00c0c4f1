"""A recording under a condition: a fixture like any other, whose samples are made when they are loaded.

In: a fixture, a condition, a seed. Out: a fixture with the marks of speech where they are in what is sent.
Trap: rendering takes milliseconds to a second; it happens before the first call and never while calls are made.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bench.audio.catalogue import Fixture
from bench.audio.conditions.condition import CLEAN, Condition, random_of
from bench.audio.conditions.sound import Sound, mean_power, speech_power
from bench.audio.formats import FULL_SCALE, to_pcm16

IDLE_S = 10.0
"""Length of the noise between turns before it repeats."""


@dataclass(frozen=True, slots=True)
class RenderedFixture(Fixture):
    """A fixture under `condition`; `label` names it in reports."""

    original: Fixture | None = None
    condition: Condition = CLEAN
    label: str | None = None
    seed: str = ""

    def load_pcm(self, rate_hz: int) -> NDArray[np.int16]:
        """The recording under its condition, mono, at `rate_hz`. What does not fit full scale is scaled as a whole."""
        assert self.original is not None
        plain = _sound(self.original, rate_hz)
        return to_pcm16(self.condition.apply(plain, f"{self.seed}:{self.id}").samples)[0]


def rendered(fixture: Fixture, condition: Condition, *, label: str, seed: str) -> RenderedFixture:
    """`fixture` under `condition`; nothing is computed yet."""
    factor = condition.speed.factor if condition.speed else 1.0
    tail_ms = condition.reverb.rt60_ms if condition.reverb else 0
    same = {field.name: getattr(fixture, field.name) for field in fields(Fixture)}
    return RenderedFixture(
        **{
            **same,
            "duration_ms": fixture.duration_ms / factor + tail_ms,
            "speech_start_ms": fixture.speech_start_ms / factor,
            "speech_end_ms": fixture.speech_end_ms / factor,
        },
        original=fixture,
        condition=condition,
        label=label,
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class IdleNoise:
    """What the microphone hears between turns, under a condition whose noise goes on.

    Its level is that of the noise under the mean speech power of `fixtures`, changed by what follows the noise.
    """

    condition: Condition
    fixtures: tuple[Fixture, ...]
    seed: str

    @classmethod
    def of(cls, condition: Condition | None, fixtures: tuple[Fixture, ...], seed: str) -> IdleNoise | None:
        """None where the noise does not go on."""
        noise = condition.noise if condition is not None else None
        return cls(condition, fixtures, seed) if condition and noise and noise.between_turns and fixtures else None

    def load_pcm(self, rate_hz: int) -> NDArray[np.int16]:
        """Ten seconds of it."""
        noise = self.condition.noise
        assert noise is not None
        speech = float(np.mean([speech_power(_sound(fixture, rate_hz)) for fixture in self.fixtures]))
        made = noise.made(round(IDLE_S * rate_hz), rate_hz, random_of(f"{self.seed}:between"))
        made = made * np.sqrt(noise.power_under(speech) / (mean_power(made) or 1.0))
        after = Condition(gain=self.condition.gain, band=self.condition.band, codec=self.condition.codec)
        heard = after.apply(Sound(made, rate_hz, 0.0, IDLE_S * 1000), f"{self.seed}:between")
        return to_pcm16(heard.samples)[0]


def _sound(fixture: Fixture, rate_hz: int) -> Sound:
    samples = fixture.load_pcm(rate_hz).astype(np.float64) / FULL_SCALE
    return Sound(samples, rate_hz, fixture.speech_start_ms, fixture.speech_end_ms, fixture.voice)
