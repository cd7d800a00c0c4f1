"""Whether the file, or a microphone that was closed, cuts speech off, at its end or at its beginning.

In: a `Look`, and what the text says about the last word. Out: doubts in numbers. Trap: a recording that is cut tight is
usual and right, so the time that is left says little. What counts is how loud the sound still is where the file ends,
and where it is soft, whether a last sound is missing that comes after a silence, as the burst of a final /t/ does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.audio.level import SILENCE_DB, decibels, sliding_rms
from bench.audio.look import Finding, Look
from bench.audio.word_aligner import BURSTS, LastWord

# Bounds from 244 recordings of human voices in five languages that are cut tight, and 1,638 in which 40 to 400 ms of
# speech are cut off; 5 % of the former and 99 % of the latter are told.
LEAST_AFTER_MS = 95.0  # the closure before a final burst is shorter
EDGE_MS = 10.0
LOUD_DB, OVER_QUIET_DB = -36.0, 6.0  # against the loudest, and over the quietest of the recording
LOUD_START_DB = -28.0  # a beginning is no zero of any latency
SOFT_DB, NEAR_THRESHOLD_DB = -42.0, 6.0
QUIET_MS, QUIET_PERCENT = 11, 1.0
VALLEY_DB = 14.0  # the closure before a burst
VALLEY_WITHIN_MS, AFTER_VALLEY_MS, STEP_MS = 200.0, 75.0, 5.0


def edges(look: Look, word: LastWord | None, last_sounds: tuple[str, ...] | None) -> list[Finding]:
    """What speaks for speech that the file cuts off."""
    found = []
    start_db, end_db, quiet_db = _levels(look)
    loud = max(LOUD_DB, quiet_db + OVER_QUIET_DB)
    left_ms = look.duration_ms - look.span.end_ms
    if left_ms <= LEAST_AFTER_MS:
        soft = max(SOFT_DB, look.heard.threshold_db - look.heard.peak_db - NEAR_THRESHOLD_DB)
        still_loud = end_db > min(loud, soft)
        if look.live:
            # No text says what the last sound was, and the person can say it again.
            closed = f"the microphone was closed {left_ms:,.0f} ms after the end of speech"
            if still_loud:
                closed = f"you were still heard, {-end_db:.0f} dB under the loudest, when the microphone was closed"
            found.append(f"{closed}: a last sound may be cut off; press Done a moment after the last word")
        elif still_loud:
            found.append(
                f"speech runs to {left_ms:,.0f} ms before the end of the file, where it is still only {-end_db:.0f} dB "
                "under the loudest: the last words may be cut off"
            )
        elif word is None or word.end_ms is None or not last_sounds:
            found.append(
                f"only {left_ms:,.0f} ms of the file follow the end of speech, and the text does not say whether "
                "it is whole: a last sound may be cut off"
            )
        elif misses_burst(look, last_sounds):
            found.append(
                f"only {left_ms:,.0f} ms of the file follow the end of speech, and the text ends in a burst (as /t/) "
                "that is not heard: it may be cut off"
            )
    if look.span.start_ms <= LEAST_AFTER_MS and start_db > max(LOUD_START_DB, quiet_db + OVER_QUIET_DB):
        start, it = ("the microphone was opened", "and") if look.live else ("the start of the file", "which")
        found.append(
            f"speech begins {look.span.start_ms:,.0f} ms after {start}, {it} begins only "
            f"{-start_db:.0f} dB under the loudest: it may be cut off"
        )
    return [Finding("doubt", said) for said in found]


def misses_burst(look: Look, last_sounds: tuple[str, ...] | None) -> bool:
    """Whether the text ends in a burst that is not heard: lost in a cut or a fade, or not released by the speaker."""
    if not last_sounds or last_sounds[-1] not in BURSTS:
        return False
    return _closure_db(look) < VALLEY_DB


def _levels(look: Look) -> tuple[float, float, float]:
    """At the beginning, at the end, and at the quietest of the file, in dB against the loudest speech."""
    count = max(1, int(EDGE_MS * look.rate_hz / 1000))
    hop = max(1, look.rate_hz // 1000)
    over_time = decibels(sliding_rms(look.samples, (QUIET_MS + 10) * hop, hop))
    quiet_db = float(np.percentile(over_time, QUIET_PERCENT)) if len(over_time) else SILENCE_DB
    peak_db = look.heard.peak_db
    return _db(look.samples[:count]) - peak_db, _db(look.samples[-count:]) - peak_db, quiet_db - peak_db


def _closure_db(look: Look) -> float:
    """How deep the deepest dip before the last sound is, against the softer of what lies before and after it."""
    step = max(1, int(STEP_MS * look.rate_hz / 1000))
    first = max(0, int((look.span.end_ms - VALLEY_WITHIN_MS) * look.rate_hz / 1000))
    last = int((look.span.end_ms + STEP_MS) * look.rate_hz / 1000)
    part = look.samples[first:last]
    part = part[len(part) % step :].reshape(-1, step)
    levels = [_db(row) for row in part]
    reach = int(AFTER_VALLEY_MS / STEP_MS)
    depths = (
        min(max(levels[max(0, k - reach) : k]), max(levels[k + 1 :])) - levels[k] for k in range(1, len(levels) - 1)
    )
    return max(depths, default=0.0)


def _db(samples: NDArray[np.float64]) -> float:
    return 10 * float(np.log10(max(1e-12, float(np.mean(samples * samples))))) if len(samples) else SILENCE_DB
