"""Sounds that follow speech in a recording: a door, a chair, a handset, somebody who laughs.

In: a level in dB against the loudest 30 ms of the speech. Out: a maker of samples for `recordings.after`. Trap: they
are made, not recorded; they show what kinds a detector tells apart, not how a given handset sounds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.support.recordings import RATE_HZ, Samples, Take, at, db, envelope, handset, shaped


def door(level_db: float) -> Callable[[Take], Samples]:
    """A door that falls shut: low, long, with a latch."""

    def make(made: Take) -> Samples:
        thud = shaped(at(400), made.rng, 2, 40, 500) * envelope(at(400), 2, 90)
        latch = shaped(at(400), made.rng, 0, 1000, 9000) * envelope(at(400), 0.5, 10) * 0.3
        return made.peak * db(level_db) * 2 * (thud + np.roll(latch, at(80)))

    return make


def chair(level_db: float) -> Callable[[Take], Samples]:
    """A chair that creaks: short pulses at a rate that slows down."""

    def make(made: Take) -> Samples:
        sound = np.zeros(at(350))
        place, step = 0.0, 12.0
        while place < 320:
            pulse = shaped(at(20), made.rng, 0.5, 400, 3500) * envelope(at(20), 0.3, 4)
            sound[at(place) : at(place) + len(pulse)] += pulse
            place, step = place + step, step * 1.08
        return made.peak * db(level_db) * 2 * sound

    return make


def lip_smack(level_db: float) -> Callable[[Take], Samples]:
    def make(made: Take) -> Samples:
        smack = shaped(at(15), made.rng, 0, 1500, 7000) * envelope(at(15), 0.5, 4)
        return made.peak * db(level_db) * 2 * np.concatenate((smack, np.zeros(at(12)), smack * 0.5))

    return make


def clatter(level_db: float) -> Callable[[Take], Samples]:
    """A handset that is put into its cradle: three knocks."""

    def make(made: Take) -> Samples:
        return np.concatenate([handset(level_db - 4 * k)(made)[: at(140)] for k in range(3)])

    return make


def laugh(level_db: float) -> Callable[[Take], Samples]:
    """Four short voiced bursts."""

    def make(made: Take) -> Samples:
        times = np.arange(at(90)) / RATE_HZ
        burst = sum(np.sin(2 * np.pi * 210 * k * times) / k for k in range(1, 12))
        one = np.asarray(burst) * np.hanning(len(times)) + 0.3 * shaped(len(times), made.rng, 0.5) * np.hanning(
            len(times)
        )
        return (
            made.peak
            * db(level_db)
            * np.concatenate([np.concatenate((one * 0.8**k, np.zeros(at(70)))) for k in range(4)])
        )

    return make


def hesitation(level_db: float, ms: float) -> Callable[[Take], Samples]:
    """A drawn "mmm": pitch, little else."""

    def make(made: Take) -> Samples:
        times = np.arange(at(ms)) / RATE_HZ
        hum_ = sum(np.sin(2 * np.pi * 115 * k * times) / k**1.5 for k in range(1, 9))
        return made.peak * db(level_db) * np.asarray(hum_) * np.hanning(len(times))

    return make
