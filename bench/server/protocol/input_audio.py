"""The input audio buffer: appended bytes in, speech edges and complete stretches of audio out.

Every position counts samples written to the buffer over the whole session, which is what `audio_start_ms` and
`audio_end_ms` mean on the wire. With turn detection the buffer keeps only what a turn may still need; without it,
everything since the last commit or clear, and detection only decides which stretches a recogniser should hear.
Trap: one append may hold several turns, or half a sample at its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat
from bench.audio.vad import Edge, SpeechDetector, SpeechEdge
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.config import silence_ms

MIN_COMMIT_MS = 100
ONSET_MARGIN_MS = 160  # a start is known up to this long after it happened
MANUAL_LEAD_IN_MS = 300
MANUAL_SILENCE_MS = 500
SEMANTIC_LEAD_IN_MS = 300
MAX_BUFFER_BYTES = 100 * 1024 * 1024
MAX_ARRIVALS = 4096


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechAudio:
    """PCM16 (little-endian, at the format's rate) of the turn in progress."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    at_ms: int


@dataclass(frozen=True, slots=True)
class CommittedAudio:
    """A finished stretch of caller audio, which becomes a user item; encoded as it came."""

    audio: bytes
    audio_ms: float


InputEvent = SpeechBegan | SpeechAudio | SpeechEnded | CommittedAudio


class Detector(Protocol):
    """What finds speech in a stream of samples: see `bench.audio.vad.SpeechDetector`."""

    speaking: bool
    last_active: int
    """Where the last sound ended that was speech."""

    @property
    def position(self) -> int: ...

    def configure(self, *, threshold: float, silence_duration_ms: int) -> None: ...

    def reset(self) -> None: ...

    def feed(self, pcm: NDArray[np.int16]) -> list[SpeechEdge]: ...


def require_audio(held_ms: float) -> None:
    """Raises `ProtocolError` when so little audio cannot be committed."""
    if held_ms < MIN_COMMIT_MS:
        raise ProtocolError(
            f"Error committing input audio buffer: buffer too small. Expected at least {MIN_COMMIT_MS}ms of audio, "
            f"but buffer only has {held_ms:.2f}ms of audio.",
            code="input_audio_buffer_commit_empty",
        )


class InputAudio:
    """One session's buffer and its turn detection."""

    def __init__(self, audio_format: AudioFormat, turn_detection: Mapping[str, Any] | None) -> None:
        self.format = audio_format
        self.arrivals_ns: deque[int] = deque(maxlen=MAX_ARRIVALS)
        """Of the newest appends, for whoever logs them."""
        self._base_ms = 0.0  # session time at which the present format began
        self._detector = self.new_detector(audio_format.rate_hz)
        self._onset = 0
        self._buffer = bytearray()
        self._odd = b""
        self._start = 0  # position of the first buffered sample
        self._fed_to = 0
        self.manual = False
        self._lead_in = 0
        self.configure(audio_format, turn_detection)

    def new_detector(self, rate_hz: int) -> Detector:
        """What finds speech in a stream of that rate."""
        return SpeechDetector(rate_hz)

    @property
    def speaking(self) -> bool:
        return self._detector.speaking

    @property
    def speech_ms(self) -> float:
        """How long the newest speech has lasted, from its onset to the last sound that was speech."""
        return self._duration_ms(max(0, self._detector.last_active - self._onset) * self.format.bytes_per_sample)

    def configure(self, audio_format: AudioFormat, turn_detection: Mapping[str, Any] | None) -> None:
        """Apply a session update; a new format starts from an empty buffer, the session's time goes on."""
        if audio_format != self.format:
            self._base_ms = self._ms(self._detector.position)
            self.format = audio_format
            self._detector = self.new_detector(audio_format.rate_hz)
            self._buffer.clear()
            self._odd = b""
            self._start = self._fed_to = 0
        self.manual = turn_detection is None
        if turn_detection is None:
            lead_in_ms = MANUAL_LEAD_IN_MS
            self._detector.configure(threshold=0.5, silence_duration_ms=MANUAL_SILENCE_MS)
        else:
            lead_in_ms = int(turn_detection.get("prefix_padding_ms", SEMANTIC_LEAD_IN_MS))
            self._detector.configure(
                threshold=float(turn_detection.get("threshold", 0.5)), silence_duration_ms=silence_ms(turn_detection)
            )
        self._lead_in = lead_in_ms * self.format.rate_hz // 1000

    def append(self, data: bytes, at_ns: int = 0) -> Sequence[InputEvent]:
        """Take in encoded bytes that arrived at `at_ns`; what they brought about, in order."""
        if len(self._buffer) + len(data) > MAX_BUFFER_BYTES:
            raise ProtocolError(
                f"Input audio buffer is full: at most {MAX_BUFFER_BYTES // (1024 * 1024)} MiB may wait for a commit.",
                code="input_audio_buffer_full",
                param="audio",
            )
        self.arrivals_ns.append(at_ns)
        if self._odd:
            data = self._odd + data
            self._odd = b""
        if self.format.encoding == "pcm16" and len(data) % 2:
            self._odd = data[-1:]
            data = data[:-1]
        self._buffer += data
        found: list[InputEvent] = []
        for edge in self._detector.feed(self.format.decode(data)):
            if edge.edge is Edge.START:
                self._begin(edge.at_sample, found)
            else:
                self._feed(edge.known_at_sample, found)
                if not self.manual:
                    found.append(SpeechEnded(round(self._ms(edge.known_at_sample))))
                    found.append(self._cut(edge.known_at_sample))
        if self._detector.speaking:
            self._feed(self._detector.position, found)
        elif not self.manual:
            self._forget_before(self._detector.position - self._lead_in - self._samples(ONSET_MARGIN_MS))
        return found

    def commit(self) -> CommittedAudio:
        """Everything buffered, in one piece; raises when there is less than 100 ms of it."""
        require_audio(self._duration_ms(len(self._buffer)))
        audio = self._cut(self._detector.position)
        self._detector.reset()
        return audio

    def clear(self) -> None:
        self._cut(self._detector.position)
        self._odd = b""
        self._detector.reset()

    def take_silence(self) -> tuple[CommittedAudio, int, int]:
        """What is buffered while the caller is silent, with its start and end in session milliseconds."""
        start_ms, end_ms = round(self._ms(self._start)), round(self._ms(self._detector.position))
        return self._cut(self._detector.position), start_ms, end_ms

    def _begin(self, at_sample: int, found: list[InputEvent]) -> None:
        self._onset = at_sample
        lead_in_from = max(at_sample - self._lead_in, self._start)
        if self.manual:
            self._fed_to = max(lead_in_from, self._fed_to)
        else:
            self._forget_before(lead_in_from)
            self._fed_to = self._start
        found.append(SpeechBegan(round(self._ms(lead_in_from))))

    def _feed(self, to_sample: int, found: list[InputEvent]) -> None:
        if to_sample <= self._fed_to:
            return
        width = self.format.bytes_per_sample
        piece = bytes(self._buffer[(self._fed_to - self._start) * width : (to_sample - self._start) * width])
        self._fed_to = to_sample
        if self.format.encoding != "pcm16":
            piece = AudioFormat.PCM16.encode(self.format.decode(piece))
        found.append(SpeechAudio(piece))

    def _cut(self, to_sample: int) -> CommittedAudio:
        size = (to_sample - self._start) * self.format.bytes_per_sample
        audio = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._start = self._fed_to = to_sample
        return CommittedAudio(audio, self._duration_ms(len(audio)))

    def _forget_before(self, sample: int) -> None:
        if sample > self._start:
            del self._buffer[: (sample - self._start) * self.format.bytes_per_sample]
            self._start = sample

    def _samples(self, span_ms: int) -> int:
        return span_ms * self.format.rate_hz // 1000

    def _ms(self, sample: int) -> float:
        return self._base_ms + sample * 1000.0 / self.format.rate_hz

    def _duration_ms(self, byte_count: int) -> float:
        return byte_count * 1000.0 / (self.format.bytes_per_sample * self.format.rate_hz)
