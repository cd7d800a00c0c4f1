"""Echoes: a room's, or a line's. Both move the end that is heard behind the end of what was said.

In: a `Look`. Out: doubts in numbers. Trap: a soft ending dies away as slowly as a room does. In a dry recording some
sound within the utterance stops at once; in a room none does. A line's echo is the voice once more: a ripple in the
spectrum, so a peak in the cepstrum at the delay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import resample_float
from bench.audio.level import decibels
from bench.audio.look import Finding, Look

# Echo of a line.
RATE_HZ = 8_000
BAND_HZ = (150.0, 3_600.0)
DELAYS_MS = (40.0, 500.0)  # pitch and its multiples lie below
LEAST_HEIGHT = 0.09  # [0.08] of the cepstrum: about the echo's amplitude against the voice
LEAST_OVER_NOISE = 9.0  # [25]
QUIETEST = 1e-6  # of the loudest line of the spectrum: bits, not sound
LONGEST_S = 60
# Room.
FALL_MS, FALL_OVER_MS = 60, 20
LOUD_DB = 15.0  # under the loudest
# From the last sound at the first of these levels under the loudest to the last at the second, it takes so long. What
# the times weigh against the steepest fall was found by logistic regression over 338 recordings of human voices in
# five languages and 787 of them put into rooms: over 0 are 5 % of the former and 93 % of the latter. One bound for
# each told 6 and 94 %.
TAILS_DB = ((38, 50), (30, 44))
TAIL_WEIGHTS, FALL_WEIGHT, LEAST_WEIGHT = (2.0, 2.9), 0.19, 14.6
MOST_FALL_DB = 32.0  # [28 in 98 % of the rooms]
TAIL_WITHIN_MS = 400
LEAST_AFTER_MS = 120.0  # a tight cut does not show how the last sound falls


def echoes(look: Look) -> list[Finding]:
    """What speaks for an echo."""
    return _line(look) or _room(look)


def _line(look: Look) -> list[Finding]:
    first = max(0, int(look.span.start_ms * look.rate_hz / 1000))
    last = int((look.span.end_ms + 300) * look.rate_hz / 1000)
    samples = resample_float(look.samples[first : min(last, first + LONGEST_S * look.rate_hz)], look.rate_hz, RATE_HZ)
    delay_ms, height, over_noise = strongest_echo(samples)
    if height < LEAST_HEIGHT or over_noise < LEAST_OVER_NOISE:
        return []
    said = f"the voice is heard once more {delay_ms:,.0f} ms later, about {-20 * np.log10(height):.0f} dB softer "
    return [Finding("doubt", f"{said}(an echo?): the end may be late by as much")]


def strongest_echo(samples: NDArray[np.float64]) -> tuple[float, float, float]:
    """Delay in milliseconds, height of its peak in the cepstrum, and how often that is the cepstrum's usual height."""
    if len(samples) < RATE_HZ * DELAYS_MS[1] / 1000:
        return 0.0, 0.0, 0.0
    size = 1 << (2 * len(samples) - 1).bit_length()
    power = np.abs(np.fft.rfft(samples, size)) ** 2
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    band = (hz > BAND_HZ[0]) & (hz < BAND_HZ[1])
    log = np.log(power + QUIETEST * power[band].max() + 1e-30)
    cepstrum = np.fft.irfft(np.where(band, log - log[band].mean(), 0.0), size) / band.mean()
    low, high = (int(ms * RATE_HZ / 1000) for ms in DELAYS_MS)
    peak = low + int(cepstrum[low:high].argmax())
    usual = float(np.median(np.abs(cepstrum[low:high])))
    return peak * 1000 / RATE_HZ, float(cepstrum[peak]), float(cepstrum[peak]) / max(1.4826 * usual, 1e-12)


def _room(look: Look) -> list[Finding]:
    if look.duration_ms - look.span.end_ms < LEAST_AFTER_MS:
        return []
    hop = max(1, look.rate_hz // 1000)
    window = 10 * hop
    power = np.convolve(look.samples * look.samples, np.ones(window) / window, mode="same")[::hop]
    levels = decibels(np.sqrt(np.maximum(power, 0.0))) - look.heard.peak_db
    step_ms = hop * 1000 / look.rate_hz
    first, last = int(look.span.start_ms / step_ms), int(look.span.end_ms / step_ms)
    fall = _steepest_fall(levels, first, last)
    begin = max(0, last - 600)
    tail = levels[begin : last + TAIL_WITHIN_MS]
    after = {level: np.flatnonzero(tail >= -level) for pair in TAILS_DB for level in pair}
    if fall is None or any(not len(places) for places in after.values()):
        return []
    tails_ms = [float(after[low][-1] - after[high][-1]) * step_ms for high, low in TAILS_DB]
    weight = sum(each * np.log(5 + ms) for each, ms in zip(TAIL_WEIGHTS, tails_ms, strict=True)) - FALL_WEIGHT * fall
    if weight <= LEAST_WEIGHT or fall >= MOST_FALL_DB:
        return []
    lasts = " and ".join(f"{ms:,.0f} ms from {a} to {b} dB" for ms, (a, b) in zip(tails_ms, TAILS_DB, strict=True))
    said = f"no sound in it falls by more than {fall:.0f} dB within {FALL_MS} ms, and the last one takes {lasts} under "
    return [Finding("doubt", f"{said}the loudest: a room's echo, which makes the end late?")]


def _steepest_fall(levels: NDArray[np.float64], first: int, last: int) -> float | None:
    """The most by which a loud sound falls within `FALL_MS`; None where nothing is loud."""
    later = np.concatenate((levels[first + FALL_MS : last + FALL_MS + FALL_OVER_MS], np.full(FALL_OVER_MS, levels[-1])))
    loudest = np.lib.stride_tricks.sliding_window_view(later, FALL_OVER_MS).max(axis=1)
    count = min(last - first, len(loudest))
    now = levels[first : first + count]
    loud = now > -LOUD_DB
    return float((now - loudest[:count])[loud].max()) if loud.any() else None
