"""Caller audio made ready to send: encoded, framed and wrapped once, then shared by every call of the process.

In: fixtures and the dialect's way of carrying audio; out: finished wire frames with the media positions of the
speech inside them. Trap: nothing may be encoded in the send path; at 200 calls of 20 ms frames it would be half
of the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.audio.catalogue import Fixture
from bench.audio.formats import AudioFormat
from bench.audio.framing import frame_payloads, silence_payload

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Utterance:
    """One fixture as it goes over the wire. Positions are nanoseconds from its first sample."""

    fixture: str
    reference: str
    language: str
    accent: str
    voice: str
    frames: tuple[bytes, ...]
    speech_start_ns: int
    speech_end_ns: int
    duration_ns: int


class FrameBank:
    """Every utterance of a run in one wire format, plus the one frame of silence that fills the gaps.

    `message` wraps a payload as the dialect does, `wire` as the transport does. `release_ms` (push to talk) cuts an
    utterance that long after the end of speech, where a caller lets go of the button.
    """

    def __init__(
        self,
        *,
        audio_format: AudioFormat,
        frame_ms: int,
        message: Callable[[bytes], str],
        wire: Callable[[bytes], bytes],
        release_ms: float | None = None,
    ) -> None:
        self._format = audio_format
        self._message = message
        self._wire = wire
        self._release_ms = release_ms
        self._utterances: dict[str, Utterance] = {}
        self.frame_ms = frame_ms
        self.frame_ns = frame_ms * NS_PER_MS
        self.silence = self._pack(silence_payload(audio_format, frame_ms))

    def _pack(self, payload: bytes) -> bytes:
        return self._wire(self._message(payload).encode("ascii"))

    def utterance(self, fixture: Fixture) -> Utterance:
        """The wire form of `fixture`, made on first use. Raises `BenchError` when its audio cannot be read."""
        known = self._utterances.get(fixture.id)
        if known is None:
            known = self._utterances[fixture.id] = self._prepare(fixture)
        return known

    def _prepare(self, fixture: Fixture) -> Utterance:
        pcm = fixture.load_pcm(self._format.rate_hz)
        if self._release_ms is not None:
            keep_ms = fixture.speech_end_ms + self._release_ms
            pcm = pcm[: int(keep_ms * self._format.rate_hz / 1000)]
        payloads = frame_payloads(pcm, self._format, self.frame_ms)
        packed: dict[bytes, bytes] = {}
        return Utterance(
            fixture=fixture.id,
            reference=fixture.text,
            language=fixture.language,
            accent=fixture.accent,
            voice=fixture.voice,
            frames=tuple(packed.setdefault(payload, self._pack(payload)) for payload in payloads),
            speech_start_ns=round(fixture.speech_start_ms * NS_PER_MS),
            speech_end_ns=round(fixture.speech_end_ms * NS_PER_MS),
            duration_ns=round(len(pcm) * 1000 / self._format.rate_hz * NS_PER_MS),
        )
