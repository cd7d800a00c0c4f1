"""The input audio buffer of a simulated session: it keeps no audio and finds no turns by itself.

The session asks it for formats, positions and audio as it asks the real one; frames go to the `LevelDetector`, and
the engine decides what its activity means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.audio.formats import AudioFormat
from bench.audio.level_detector import Activity, LevelDetector
from bench.server.protocol.input_audio import CommittedAudio, InputAudio, InputEvent, require_audio

LEAD_IN_MS = 300
LONGEST_FRAME_MS = 200


class SimulatedInput(InputAudio):
    """`InputAudio` without its buffer and detector; `noticed` turns the detector's activity into input events."""

    def __init__(
        self,
        audio_format: AudioFormat,
        turn_detection: Mapping[str, Any] | None,
        *,
        ask_ms: int,
        noticed: Callable[[Activity, int], Sequence[InputEvent]],
    ) -> None:
        self.format = audio_format
        self.detector = LevelDetector(audio_format, ask_ms)
        self.manual = turn_detection is None
        self.eagerness = _eagerness(turn_detection)
        self._ask_ms = ask_ms
        self._noticed = noticed
        self._offset_ms = 0.0
        self._taken_to = 0

    @property
    def speaking(self) -> bool:
        return self.detector.speaking

    def configure(self, audio_format: AudioFormat, turn_detection: Mapping[str, Any] | None) -> None:
        """Apply a session update; a new format starts with nothing heard, the session's time goes on."""
        if audio_format != self.format:
            self._offset_ms = self.ms(self.detector.position)
            self.format = audio_format
            self.detector = LevelDetector(audio_format, self._ask_ms)
            self._taken_to = 0
        self.manual = turn_detection is None
        self.eagerness = _eagerness(turn_detection)

    def append(self, data: bytes, at_ns: int = 0) -> Sequence[InputEvent]:
        """One frame as it came off the wire; what is longer than any microphone's may hold a whole turn."""
        if len(data) > self._most_bytes:
            pieces = range(0, len(data), self._most_bytes)
            return [one for start in pieces for one in self.append(data[start : start + self._most_bytes], at_ns)]
        activity = self.detector.feed(data, at_ns)
        return self._noticed(activity, at_ns) if activity is not Activity.NOTHING else ()

    @property
    def _most_bytes(self) -> int:
        return LONGEST_FRAME_MS * self.format.rate_hz // 1000 * self.format.bytes_per_sample

    def commit(self) -> CommittedAudio:
        """Everything since the last commit; raises when that is less than 100 ms."""
        require_audio((self.detector.position - self._taken_to) * 1000 / self.detector.rate_hz)
        return self.take(self._taken_to)

    def take(self, from_position: int) -> CommittedAudio:
        """The audio from `from_position` until now, by its length alone."""
        start = max(from_position, self._taken_to)
        self._taken_to = self.detector.position
        return CommittedAudio(b"", (self.detector.position - start) * 1000 / self.detector.rate_hz)

    def clear(self) -> None:
        self._taken_to = self.detector.position
        self.detector.forget()

    def take_silence(self) -> tuple[CommittedAudio, int, int]:
        start = self.lead_in(self.detector.position)
        start_ms, end_ms = round(self.ms(start)), self.now_ms
        return self.take(start), start_ms, end_ms

    def lead_in(self, position: int) -> int:
        """Where a turn whose speech began at `position` begins."""
        return max(self._taken_to, position - LEAD_IN_MS * self.detector.rate_hz // 1000, 0)

    def ms(self, position: float) -> float:
        """Session time of a position."""
        return self._offset_ms + position * 1000 / self.detector.rate_hz

    @property
    def now_ms(self) -> int:
        """Session time of the newest sample."""
        return round(self.ms(self.detector.position))


def _eagerness(turn_detection: Mapping[str, Any] | None) -> str | None:
    """How soon a thought is taken for finished; None where silence or the caller decides."""
    return None if turn_detection is None else turn_detection.get("eagerness")
