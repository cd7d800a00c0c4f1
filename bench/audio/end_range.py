"""Between which times speech may end, by the sound itself.

In: the levels of a recording and what the energy detector heard. Out: an `EndRange` around its end. Trap: it does not
say that something is wrong. Every voice dies away, and so does a fade; a room goes on after the voice, and so does a
hiss that ends a word. No figure that was tried tells them apart, so how long it takes is said each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import WINDOW_MS, HeardLevel, Levels
from bench.audio.level import amplitude, last_sound

SHARP_MS = 30.0
"""An end whose range reaches no further, earlier or later, is sharp."""

LOUD_DB = 24.0  # under the loudest: a room or a codec goes on softer than this, a voice seldom does
MOST_EARLIER_MS = 300.0  # the longest hiss that ends a word
GONE_DB = 80.0  # under the loudest
OVER_BACKGROUND_DB = 7.0
BREAK_MS = 60  # of levels under that, and it is gone; the closure before a final /t/ is shorter
# Noise is no voice that dies away: it stays as loud for so long. The echo of a large room falls by more in that time.
STEADY_MS, STEADY_SMOOTH_MS, STEADY_DB, OVER_STEADY_DB = 150, 20, 3.0, 5.0
BURST_WITHIN_MS = 110.0  # of the end that is heard, the burst of a final /t/ that is not
SETTLES_MS = 30.0  # until an end that is found 7 dB over the background has reached it
UNSEEN = 0.3  # of the time that it takes to die away: a fade goes on under the last bit


@dataclass(frozen=True, slots=True)
class EndRange:
    """The times between which speech ends, in milliseconds from the first sample of the recording."""

    earliest_ms: float
    latest_ms: float

    def or_later(self, until_ms: float) -> EndRange:
        """The range with a latest end of `until_ms`, if it is earlier than that."""
        return EndRange(self.earliest_ms, max(self.latest_ms, until_ms))

    def beside(self, end_ms: float) -> tuple[float, float]:
        """How much earlier and later than `end_ms` speech may end; 0 where the range does not reach so far."""
        return max(0.0, end_ms - self.earliest_ms), max(0.0, self.latest_ms - end_ms)

    def is_sharp(self, end_ms: float) -> bool:
        return max(self.beside(end_ms)) <= SHARP_MS

    def sentence(self, end_ms: float) -> str:
        """Where speech ends, between which times it may, and what that means for latencies."""
        said = f"speech ends at {end_ms:,.0f} ms; by the sound itself it may be between {self.earliest_ms:,.0f} and "
        said += f"{self.latest_ms:,.0f} ms"
        if self.is_sharp(end_ms):
            return said
        return f"{said} (not sharp: latencies of turns with this recording may be {self.off_by(end_ms)})"

    def off_by(self, end_ms: float) -> str:
        """How wrong latencies from this end may be: were the true one later, they are too long."""
        earlier, later = self.beside(end_ms)
        ways = ((later, "long"), (earlier, "short"))
        return "up to " + " or ".join(f"{ms:,.0f} ms too {way}" for ms, way in ways if round(ms) > 0)


def range_of(earliest_ms: float | None, latest_ms: float | None) -> EndRange | None:
    """A range that was stored; None where there is none."""
    return None if earliest_ms is None or latest_ms is None else EndRange(earliest_ms, latest_ms)


def end_range(levels: Levels, heard: HeardLevel) -> EndRange:
    """From where the sound was last loud to where it is gone."""
    end_ms = heard.span.end_ms
    loud_ms = _last_over(levels, heard.peak_db - LOUD_DB, heard.span.start_ms, end_ms)
    earliest_ms = end_ms if loud_ms is None else min(end_ms, max(loud_ms, end_ms - MOST_EARLIER_MS))
    return EndRange(max(earliest_ms, heard.span.start_ms), _latest_ms(levels, heard))


def fades_until(levels: Levels, heard: HeardLevel, ends: EndRange) -> float:
    """When what follows the end is gone, or is steady noise; infinite where it is neither."""
    end_ms = heard.span.end_ms
    if ends.latest_ms > end_ms or heard.floor_db + OVER_BACKGROUND_DB < heard.threshold_db:
        return ends.latest_ms
    # as loud as the background, which may be an echo that fills the file
    begin_ms = end_ms + SETTLES_MS
    steady = _steady_db(levels, begin_ms, begin_ms + STEADY_MS + WINDOW_MS + 1)
    return float("inf") if steady is None else end_ms


def _latest_ms(levels: Levels, heard: HeardLevel) -> float:
    end_ms = heard.span.end_ms
    least_db = max(heard.floor_db + OVER_BACKGROUND_DB, heard.peak_db - GONE_DB)
    gone_ms = end_ms
    # noise of some length may lie on noise that is softer
    for _ in range(3):
        found_ms = None if least_db >= heard.threshold_db else _until_under(levels, least_db, end_ms)
        if found_ms is None:
            return end_ms
        gone_ms = max(end_ms, found_ms)
        steady_db = _steady_db(levels, end_ms, gone_ms)
        if steady_db is None or steady_db + OVER_STEADY_DB <= least_db:
            break
        least_db = steady_db + OVER_STEADY_DB
    into_silence = least_db == heard.peak_db - GONE_DB
    unseen_ms = UNSEEN * (gone_ms - end_ms) if into_silence else 0.0
    return min(gone_ms + unseen_ms, len(levels.plain) * 1000 / levels.rate_hz)


def _steady_db(levels: Levels, begin_ms: float, end_ms: float) -> float | None:
    """The loudest level between two times that stays the same for `STEADY_MS`; None where none does."""
    part = levels.filtered_db[int(begin_ms / levels.step_ms) : max(0, int(end_ms / levels.step_ms) - WINDOW_MS)]
    span = STEADY_MS - STEADY_SMOOTH_MS + 1
    smooth = np.convolve(part, np.ones(STEADY_SMOOTH_MS) / STEADY_SMOOTH_MS, mode="valid") if len(part) else part
    if len(part) < STEADY_MS or len(smooth) < span:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(smooth, span)
    steady = windows.max(axis=1) - windows.min(axis=1) <= STEADY_DB
    return float(windows.mean(axis=1)[steady].max()) if steady.any() else None


def _active(levels: Levels, threshold_db: float) -> NDArray[np.bool_]:
    """By milliseconds, whether 10 ms are as loud, both as they are and without rumble."""
    return (levels.plain_db >= threshold_db) & (levels.filtered_db >= threshold_db)


def _last_over(levels: Levels, threshold_db: float, start_ms: float, end_ms: float) -> float | None:
    step_ms = levels.step_ms
    over = np.flatnonzero(_active(levels, threshold_db)[: int(end_ms / step_ms)])
    over = over[over >= int(start_ms / step_ms) - WINDOW_MS]
    return _edge(levels, threshold_db, int(over[-1])) if len(over) else None


def _until_under(levels: Levels, threshold_db: float, end_ms: float) -> float | None:
    """Where the sound that goes on after the end is under a level, for `BREAK_MS` and more."""
    first = max(0, int(end_ms / levels.step_ms) - WINDOW_MS)
    over = np.flatnonzero(_active(levels, threshold_db)[first:])
    if not len(over) or over[0] > BREAK_MS:
        return None
    breaks = np.flatnonzero(np.diff(over) > BREAK_MS)
    last = int(over[breaks[0]] if len(breaks) else over[-1])
    return _edge(levels, threshold_db, first + last)


def _edge(levels: Levels, threshold_db: float, last: int) -> float:
    """Where the sound within the 10 ms that begin at millisecond `last` ends."""
    hop, threshold = max(1, levels.rate_hz // 1000), amplitude(threshold_db)
    begin = last * hop
    stop = begin + WINDOW_MS * hop
    ends = (last_sound(samples[begin:stop], levels.rate_hz, threshold) for samples in (levels.plain, levels.filtered))
    at = begin + min((end + 1 for end in ends if end is not None), default=stop - begin)
    return min(at, len(levels.plain)) * 1000 / levels.rate_hz
