"""Caller audio made ready to send: encoded, framed and packed once, then shared by every call of the process.

In: fixtures, a wire format, and `pack`, which wraps a frame as dialect and transport want it. Out: an `Utterance` with
the media positions of the speech inside it. Trap: nothing may be encoded in the send path; at 200 calls of 20 ms frames
it would be half of the machine. A protocol whose frames bear the call's own id packs them for each call (`for_call`).
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


@dataclass(frozen=True, slots=True)
class _Payloads:
    """A fixture in one format, cut into frames but not packed."""

    frames: list[bytes]
    duration_ns: int


class FrameBank:
    """Every utterance of a run, plus the one frame of silence that fills the gaps, by wire format.

    `release_ms` (push to talk) cuts an utterance that long after the end of speech, where a caller lets go of the
    button.
    """

    def __init__(self, *, frame_ms: int, pack: Callable[[bytes], bytes], release_ms: float | None = None) -> None:
        self._pack = pack
        self._release_ms = release_ms
        self._payloads: dict[tuple[str, AudioFormat], _Payloads] = {}
        self._utterances: dict[tuple[str, AudioFormat], Utterance] = {}
        self._silence: dict[AudioFormat, bytes] = {}
        self.frame_ms = frame_ms
        self.frame_ns = frame_ms * NS_PER_MS

    def for_call(self, pack: Callable[[bytes], bytes]) -> FrameBank:
        """A bank with a packing of its own and the encoded audio of this one."""
        bank = FrameBank(frame_ms=self.frame_ms, pack=pack, release_ms=self._release_ms)
        bank._payloads = self._payloads
        return bank

    def silence(self, audio_format: AudioFormat) -> bytes:
        """One packed frame of silence."""
        if audio_format not in self._silence:
            self._silence[audio_format] = self._pack(silence_payload(audio_format, self.frame_ms))
        return self._silence[audio_format]

    def utterance(self, fixture: Fixture, audio_format: AudioFormat) -> Utterance:
        """The wire form of `fixture`, made on first use. Raises `BenchError` when its audio cannot be read."""
        key = (fixture.id, audio_format)
        if key not in self._utterances:
            self._utterances[key] = self._prepare(fixture, self._encoded(fixture, audio_format))
        return self._utterances[key]

    def _encoded(self, fixture: Fixture, audio_format: AudioFormat) -> _Payloads:
        key = (fixture.id, audio_format)
        if key not in self._payloads:
            rate_hz = audio_format.rate_hz
            pcm = fixture.load_pcm(rate_hz)
            if self._release_ms is not None:
                pcm = pcm[: int((fixture.speech_end_ms + self._release_ms) * rate_hz / 1000)]
            self._payloads[key] = _Payloads(
                frame_payloads(pcm, audio_format, self.frame_ms), round(len(pcm) * 1000 / rate_hz * NS_PER_MS)
            )
        return self._payloads[key]

    def _prepare(self, fixture: Fixture, payloads: _Payloads) -> Utterance:
        packed: dict[bytes, bytes] = {}
        return Utterance(
            fixture=fixture.id,
            reference=fixture.text,
            language=fixture.language,
            accent=fixture.accent,
            voice=fixture.voice,
            frames=tuple(packed.setdefault(payload, self._pack(payload)) for payload in payloads.frames),
            speech_start_ns=round(fixture.speech_start_ms * NS_PER_MS),
            speech_end_ns=round(fixture.speech_end_ms * NS_PER_MS),
            duration_ns=payloads.duration_ns,
        )
