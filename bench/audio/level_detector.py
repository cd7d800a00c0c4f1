"""Speech or silence from the level alone, cheap enough for 12,000 frames a second on one core.

In: encoded frames with their arrival times. Out: an `Activity` for each frame that changes something, the recent audio
for the recogniser, and the arrival times of the frames that held speech.
Trap: this detector only decides *when to ask* what was said; where speech ended is known from the recording that
was recognised. It ends a turn by itself only for audio that nobody recognises.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat

BLOCK_MS = 20
KEEP_MS = 1_700  # of audio, for the recogniser
ONSET_BLOCKS = 3
FLOOR_SPANS, SPAN_BLOCKS = 8, 20  # the floor is the quietest smoothed level of the last 3 s
ASK_AGAIN_MS = 120
NS_PER_MS = 1_000_000


def _power(dbfs: float) -> float:
    return float(10 ** (dbfs / 10) * 32768.0**2)


FLOOR_RANGE = (_power(-65.0), _power(-31.0))
ABOVE_FLOOR_START = 10**0.9
ABOVE_FLOOR_STAY = 10**0.5
BELOW_PEAK_STAY = 10**-2.8
LEAST_SPEECH = _power(-55.0)


class Activity(IntEnum):
    NOTHING = 0
    ONSET = 1
    QUIET = 2  # silent for so long that it is worth asking what was said


class LevelDetector:
    """One caller's stream; positions are samples since it began."""

    def __init__(self, audio_format: AudioFormat, ask_ms: int) -> None:
        self.format = audio_format
        self.rate_hz = audio_format.rate_hz
        self.position = 0
        self._ask_ms = ask_ms
        self._block = self.rate_hz * BLOCK_MS // 1000
        self._odd = b""
        self._recent: deque[tuple[int, int, bytes]] = deque()  # end position, arrival, encoded audio
        self._floor = FLOOR_RANGE[0]
        self._smooth = -1.0  # nothing heard yet
        self._span_min = float("inf")
        self._span_count = 0
        self._floor_spans: deque[float] = deque(maxlen=FLOOR_SPANS)
        self.forget()

    def forget(self) -> None:
        """The turn is over: wait for the next onset. The noise floor and the recent audio are kept."""
        self.speaking = False
        self._run = 0
        self._first_active = 0
        self.onset = self.last_active = 0
        self._peak = 0.0
        self._next_ask = 0
        self.ends: list[int] = []
        self.arrivals: list[int] = []

    def feed(self, data: bytes, at_ns: int) -> Activity:
        """One frame as it came off the wire."""
        if self.format.encoding == "pcm16":
            if self._odd or len(data) & 1:
                data = self._odd + data
                self._odd = data[len(data) & ~1 :]
                data = data[: len(data) & ~1]
            samples = np.frombuffer(data, dtype="<i2")
        else:
            samples = self.format.decode(data)
        count = len(samples)
        if not count:
            return Activity.NOTHING
        start, self.position = self.position, self.position + count
        recent = self._recent
        recent.append((self.position, at_ns, data))
        oldest = self.position - KEEP_MS * self.rate_hz // 1000
        while recent[0][0] < oldest:
            recent.popleft()
        parts = max(1, round(count / self._block))
        if count % parts:
            parts = 1
        size = count // parts
        values = samples.astype(np.float32).reshape(parts, size)
        activity = Activity.NOTHING
        for power in np.einsum("ij,ij->i", values, values).tolist():
            start += size
            if self._step(power / size, start, size):
                activity = Activity.ONSET
        if self.speaking:
            self.ends.append(self.position)
            self.arrivals.append(at_ns)
            if activity is Activity.NOTHING and self.position - self.last_active >= self._next_ask:
                self._next_ask = self.position - self.last_active + ASK_AGAIN_MS * self.rate_hz // 1000
                return Activity.QUIET
        return activity

    def _step(self, power: float, end: int, size: int) -> bool:
        """One block; True when speech begins with it."""
        self._smooth = self._smooth + 0.4 * (power - self._smooth) if self._smooth >= 0 else power
        if self._smooth < self._span_min:
            self._span_min = self._smooth
            if not self._floor_spans:  # the first noise is believed at once, or it would open a turn
                self._floor = min(max(self._span_min, FLOOR_RANGE[0]), FLOOR_RANGE[1])
        self._span_count += 1
        if self._span_count == SPAN_BLOCKS:
            self._floor_spans.append(self._span_min)
            self._span_min, self._span_count = float("inf"), 0
            self._floor = min(max(min(self._floor_spans), FLOOR_RANGE[0]), FLOOR_RANGE[1])
        if self.speaking:
            self._peak = max(self._peak, power)
            if (
                power >= LEAST_SPEECH
                and power >= self._floor * ABOVE_FLOOR_STAY
                and (power >= self._peak * BELOW_PEAK_STAY)
            ):
                self.last_active = end
                self._next_ask = self._ask_ms * self.rate_hz // 1000
            return False
        if power >= LEAST_SPEECH and power >= self._floor * ABOVE_FLOOR_START:
            if not self._run:
                self._first_active = end - size
            self._run += 1
        elif self._run:
            self._run -= 1
        if self._run < ONSET_BLOCKS:
            return False
        self.speaking = True
        self._run = 0
        self.onset, self.last_active = self._first_active, end
        self._peak = power
        self._next_ask = self._ask_ms * self.rate_hz // 1000
        # Frames that held the first samples came before it was known that they were speech.
        for position, arrived_ns, _ in self._recent:
            if self.onset < position < self.position:
                self.ends.append(position)
                self.arrivals.append(arrived_ns)
        return True

    @property
    def quiet_ms(self) -> float:
        """Silence since the last speech."""
        return (self.position - self.last_active) * 1000 / self.rate_hz

    @property
    def speech_ms(self) -> float:
        """From onset to the last speech."""
        return (self.last_active - self.onset) * 1000 / self.rate_hz

    def before(self, position: int) -> NDArray[np.int16]:
        """What is kept of the samples up to `position`."""
        pieces = self.format.decode(b"".join(data for _, _, data in self._recent))
        return pieces[: len(pieces) - (self.position - position)] if position < self.position else pieces

    def captured_ns(self, position: float) -> int:
        """When sample `position` was captured on the clock of arrivals: a frame arrives when its last sample exists.

        A position that has not been reached is counted on from the newest frame.
        """
        for end, at_ns, _ in self._recent:
            if end >= position:
                return at_ns - round((end - position) * 1e9 / self.rate_hz)
        if not self._recent:
            raise ValueError("nothing was heard yet")
        end, at_ns, _ = self._recent[-1]
        return at_ns + round((position - end) * 1e9 / self.rate_hz)
