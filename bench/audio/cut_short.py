"""Sound that stops as no voice does: by a gate, a telephone, lost packets or an edit.

In: a `Look`. Out: a doubt in numbers, or nothing. Trap: made speech and cleaned recordings have digital silence too,
but they die away into it; what counts is how loud the sound still is right before. A recording that was resampled after
it was cut rings for some milliseconds, by a few steps of 16 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.audio.few_bits import smallest_step
from bench.audio.formats import FULL_SCALE
from bench.audio.level import SILENCE_DB, to_float
from bench.audio.look import Finding, Look

SILENT_MS = 10.0  # of equal samples are digital silence: no microphone gives them
BEFORE_MS, AFTER_MS = 25.0, 100.0  # where it begins, from the end that was heard; the high-pass smears an end
RINGING_STEPS, RINGING_MS = 3, 25.0
RINGING_DB, RINGING_STEP_MS = 25.0, 0.5  # the ringing lies this much under what was cut
LEVEL_MS = (2.5, 5.0)  # before the silence; a deep voice has a pulse each 10 ms
AT_END_DB = -47.0  # [-49] against the loudest speech
WITHIN_DB = -42.0  # [no digital silence within speech]
# Comfort noise: the level falls at once, and what follows is steady, as no dying voice is.
FALL_DB, FALL_WITHIN_MS = 13.0, 1.0  # [no steady noise; 13 over 16 with white or pink noise at 50 dB]
FALL_FROM_MS, FALL_TO_MS = -25.0, 60.0  # from the end that was heard
STEADY_DB, STEADY_MS, STEADY_PARTS = 5.0, 10.0, 7
LEAST_STEPS = 4.0  # RMS; what dies away under that is not cut, but written with few bits


def cut_short(look: Look) -> list[Finding]:
    """Whether sound stops abruptly at its end, or, if not there, in its midst."""
    return _to_silence(look) or _to_noise(look)


def _to_silence(look: Look) -> list[Finding]:
    silences, step = _silences(look.pcm, look.rate_hz), smallest_step(look.pcm)
    per_ms = look.rate_hz / 1000
    at_end = (first for first, _ in silences if -BEFORE_MS <= first / per_ms - look.span.end_ms <= AFTER_MS)
    first = next(at_end, None)
    if first is not None:
        samples = look.pcm.astype(np.float64) - float(look.pcm[first])
        cut = _without_ringing(samples, first, look.rate_hz)
        level = _before(samples, cut, look, step)
        if level is not None and level >= AT_END_DB:
            said = (
                f"the sound is cut off to digital silence at {cut / per_ms:,.0f} ms, where it is still only "
                f"{-level:.0f} dB under the loudest: a last sound may be lost (a gate, a telephone that sends no "
                "pauses, lost packets, an edit?)"
            )
            return [Finding("doubt", said)]
    return _within(look, silences, step)


def _within(look: Look, silences: list[tuple[int, int]], step: float) -> list[Finding]:
    """Speech that is cut to silence and goes on: the same may have happened to its end, unseen."""
    cuts = 0
    for first, last in silences:
        if not look.span.start_ms < first * 1000 / look.rate_hz <= last * 1000 / look.rate_hz < look.span.end_ms:
            continue
        samples = look.pcm.astype(np.float64) - float(look.pcm[first])
        levels = (
            _before(samples, _without_ringing(samples, first, look.rate_hz), look, step),
            _before(samples[::-1], len(samples) - last, look, step),
        )
        cuts += any(level is not None and level >= WITHIN_DB for level in levels)
    if not cuts:
        return []
    said = (
        f"the speech is cut to digital silence {cuts} times in its midst (a gate, or lost packets?): so may be its end"
    )
    return [Finding("doubt", said.replace("1 times", "once"))]


def _to_noise(look: Look) -> list[Finding]:
    """A fall of many decibels within a millisecond, to noise that is steady from then on."""
    # as it is too: taking rumble out smears a cut over 20 ms
    falls = (_steepest_fall(look, samples) for samples in (look.samples, to_float(look.pcm)))
    steepest, at_ms = max(falls)
    if steepest < FALL_DB:
        return []
    said = f"the sound falls by {steepest:.0f} dB within {FALL_WITHIN_MS:.0f} ms at {at_ms:,.0f} ms, to steady noise: "
    return [Finding("doubt", f"{said}a last sound may be lost (a gate, or a telephone that makes its own pauses?)")]


def _steepest_fall(look: Look, samples: NDArray[np.float64]) -> tuple[float, float]:
    """By how many dB, and when."""
    places = np.arange(look.span.end_ms + FALL_FROM_MS, look.span.end_ms + FALL_TO_MS, 0.5)
    places = places[places + FALL_WITHIN_MS + STEADY_PARTS * STEADY_MS <= look.duration_ms]
    if not len(places):
        return 0.0, 0.0
    first = places + FALL_WITHIN_MS
    before = np.max([_levels_db(samples, look.rate_hz, places - ms, places) for ms in LEVEL_MS], axis=0)
    after = np.stack(
        [
            _levels_db(samples, look.rate_hz, first + part * STEADY_MS, first + (part + 1) * STEADY_MS)
            for part in range(STEADY_PARTS)
        ]
    )
    loud, steady = before - look.heard.peak_db >= AT_END_DB, np.ptp(after, axis=0) <= STEADY_DB
    falls = np.where(loud & steady & (after.min(axis=0) > SILENCE_DB), before - after.max(axis=0), 0.0)
    steepest = int(falls.argmax())
    return (float(falls[steepest]), float(places[steepest])) if falls[steepest] > 0 else (0.0, 0.0)


def _levels_db(
    samples: NDArray[np.float64], rate_hz: int, from_ms: NDArray[np.float64], to_ms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The level of each stretch without its DC, by running sums; silence where a stretch has no sample."""
    begin, stop = ((at * rate_hz / 1000).astype(np.intp).clip(0, len(samples)) for at in (from_ms, to_ms))
    low = int(begin.min())
    part = samples[low : int(stop.max())]
    part = part - (part.mean() if len(part) else 0.0)  # sums of what is far from zero would lose digits
    sums, squares = (np.concatenate(([0.0], np.cumsum(each))) for each in (part, part * part))
    n = np.maximum(stop - begin, 1)
    mean = (sums[stop - low] - sums[begin - low]) / n
    power = (squares[stop - low] - squares[begin - low]) / n - mean * mean
    return np.where(stop > begin, 10 * np.log10(np.maximum(1e-12, power)), SILENCE_DB)


def _silences(pcm: NDArray[np.int16], rate_hz: int) -> list[tuple[int, int]]:
    """Half-open ranges of equal samples."""
    equal = np.concatenate(([False], pcm[1:] == pcm[:-1], [False])).astype(np.int8)
    edges = np.flatnonzero(np.diff(equal))
    least = SILENT_MS * rate_hz / 1000
    return [(int(at), int(to) + 1) for at, to in zip(edges[::2], edges[1::2], strict=True) if to + 1 - at >= least]


def _without_ringing(samples: NDArray[np.float64], first: int, rate_hz: int) -> int:
    """Where the sound before a silence stops, when what rings on after it is taken off."""
    begin = max(0, first - int(RINGING_MS * rate_hz / 1000))
    loud = np.flatnonzero(np.abs(samples[begin:first]) > RINGING_STEPS)
    cut = begin + int(loud[-1]) + 1 if len(loud) else first
    size, step = int(LEVEL_MS[1] * rate_hz / 1000), max(1, int(RINGING_STEP_MS * rate_hz / 1000))
    for at in range(first - step, max(begin, size), -step):
        before, later = (float((part * part).mean()) for part in (samples[at - size : at], samples[at : at + size]))
        if before > later * 10 ** (RINGING_DB / 10):
            return min(cut, at)
    return cut


def _before(samples: NDArray[np.float64], at: int, look: Look, step: float) -> float | None:
    """The level just before a place, against the loudest speech; None when it is within a few steps of silence."""
    powers = []
    for ms in LEVEL_MS:
        part = samples[max(0, at - int(ms * look.rate_hz / 1000)) : at]
        powers.append(float((part * part).mean()) if len(part) else 0.0)
    rms = max(powers) ** 0.5
    if rms < LEAST_STEPS * step:
        return None
    return float(20 * np.log10(rms / FULL_SCALE)) - look.heard.peak_db
