"""The talk of a full room: six recordings of other voices at once, each as loud as the others.

The voices are those of the catalogue that comes with the project, so the babble needs no file of the user's.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.audio.conditions.sound import Samples, mean_power

TALKERS = 6


def babble(count: int, rate_hz: int, random: np.random.Generator, *, without_voice: str = "") -> Samples:
    """`count` samples of babble in which `without_voice` does not speak."""
    from bench.audio.catalogue import load_catalogue, shipped_catalogue

    known = load_catalogue(shipped_catalogue()).fixtures.values()
    talks = [fixture.id for fixture in known if fixture.voice != without_voice]
    made = np.zeros(count)
    for chosen in random.choice(talks, size=TALKERS, replace=False):
        spoken = _spoken(str(chosen), rate_hz)
        start = int(random.integers(len(spoken)))
        made += np.take(spoken, np.arange(start, start + count), mode="wrap")
    return made


@lru_cache(maxsize=128)
def _spoken(fixture_id: str, rate_hz: int) -> Samples:
    """The speech of a recording without the silence around it, at mean power 1."""
    from bench.audio.catalogue import load_catalogue, shipped_catalogue

    fixture = load_catalogue(shipped_catalogue()).get(fixture_id)
    samples = fixture.load_pcm(rate_hz).astype(np.float64)
    speech = samples[round(fixture.speech_start_ms * rate_hz / 1000) : round(fixture.speech_end_ms * rate_hz / 1000)]
    return np.asarray(speech / np.sqrt(mean_power(speech)))
