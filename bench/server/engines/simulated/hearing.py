"""The input audio buffer of a simulated session: it keeps no audio and finds no turns by itself.

The session asks it for formats, positions and takes as it asks the real one; audio goes to the `Ear`, and the call
decides what was heard. Trap: `append` serves messages the fast path did not know; both end in the same `listen`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.audio.formats import AudioFormat
from bench.server.engines.simulated.ear import Ear
from bench.server.protocol.errors import ProtocolError
from bench.server.protocol.input_audio import MIN_COMMIT_MS, InputAudio, Outcome, Take

LEAD_IN_MS = 300


class SimulatedInput(InputAudio):
    """`InputAudio` without its buffer and detector."""

    __slots__ = ("_ask_ms", "_manual_turns", "_offset_ms", "_taken_to", "ear", "listen")

    def __init__(self, audio_format: AudioFormat, turn_detection: Mapping[str, Any] | None, *, ask_ms: int) -> None:
        self.format = audio_format
        self._ask_ms = ask_ms
        self.ear = Ear(audio_format, ask_ms)
        self._offset_ms = 0.0
        self._taken_to = 0
        self._manual_turns = turn_detection is None
        self.listen: Callable[[bytes, int], None] | None = None

    @property
    def manual(self) -> bool:
        """Turns end by a commit alone."""
        return self._manual_turns

    @property
    def speaking(self) -> bool:
        return self.ear.speaking

    def configure(self, audio_format: AudioFormat, turn_detection: Mapping[str, Any] | None) -> None:
        """Apply a session update; a new format starts with nothing heard, the session's time goes on."""
        if audio_format is not self.format:
            self._offset_ms = self.ms(self.ear.position)
            self.format = audio_format
            self.ear = Ear(audio_format, self._ask_ms)
            self._taken_to = 0
        self._manual_turns = turn_detection is None

    def append(self, data: bytes) -> list[Outcome]:
        """Bytes that came in an unusual message."""
        if self.listen is not None:
            self.listen(data, time.monotonic_ns())
        return []

    def commit(self) -> Take:
        """Everything since the last take; raises when that is less than 100 ms."""
        held_ms = (self.ear.position - self._taken_to) * 1000 / self.ear.rate_hz
        if held_ms < MIN_COMMIT_MS:
            raise ProtocolError(
                f"Error committing input audio buffer: buffer too small. Expected at least {MIN_COMMIT_MS}ms of audio, "
                f"but buffer only has {held_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        return self.take(self._taken_to)

    def take(self, from_position: int) -> Take:
        """The audio from `from_position` until now, by its length alone."""
        start = max(from_position, self._taken_to)
        self._taken_to = self.ear.position
        return Take(b"", (self.ear.position - start) * 1000 / self.ear.rate_hz)

    def clear(self) -> None:
        self._taken_to = self.ear.position
        self.ear.forget()

    def take_silence(self) -> tuple[Take, int, int]:
        start = max(self._taken_to, self.ear.position - LEAD_IN_MS * self.ear.rate_hz // 1000)
        start_ms, end_ms = round(self.ms(start)), round(self.ms(self.ear.position))
        return self.take(start), start_ms, end_ms

    def lead_in(self, position: int) -> int:
        """Where a turn whose speech began at `position` begins."""
        return max(self._taken_to, position - LEAD_IN_MS * self.ear.rate_hz // 1000, 0)

    def ms(self, position: float) -> float:
        """Session time of a position."""
        return self._offset_ms + position * 1000 / self.ear.rate_hz
