"""Caller audio made ready to send: encoded, framed and packed once, then shared by every call of the process.

In: fixtures, a wire format, and `pack`, which wraps a frame as dialect and transport want it. Out: an `Utterance` with
the media positions of the speech inside it. Trap: nothing may be encoded in the send path; at 200 calls of 20 ms frames
it would be half of the machine. A protocol whose frames bear the call's own id packs them for each call (`for_call`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.audio.catalogue import Fixture
from bench.audio.conditions import IdleNoise, RenderedFixture
from bench.audio.formats import AudioFormat
from bench.audio.framing import frame_payloads, silence_payload
from bench.audio.word_times import word_times

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
    condition: str | None = None
    """What reports call what was done to the voice; None for nothing."""
    caller: str = "unknown"
    """Who speaks: human or synthetic."""
    word_ends_ns: tuple[int, ...] | None = None
    """Where the sound of each word ends; None where that is not known, or was not asked for."""


@dataclass(frozen=True, slots=True)
class _Payloads:
    """A fixture in one format, cut into frames but not packed."""

    frames: list[bytes]
    duration_ns: int


_Key = tuple[str, str | None, AudioFormat]


def _condition(fixture: Fixture) -> str | None:
    return fixture.label if isinstance(fixture, RenderedFixture) else None


def _key(fixture: Fixture, audio_format: AudioFormat) -> _Key:
    return fixture.id, _condition(fixture), audio_format


class FrameBank:
    """Every utterance of a run, plus what fills the gaps (one frame of silence, or noise), by wire format.

    `idle` is what the microphone hears between utterances; None: nothing. `release_ms` (push to talk) cuts an utterance
    that long after the end of speech, where a caller lets go of the button.
    """

    def __init__(
        self,
        *,
        frame_ms: int,
        pack: Callable[[bytes], bytes],
        release_ms: float | None = None,
        idle: IdleNoise | None = None,
        word_times: bool = False,
    ) -> None:
        """`word_times`: utterances know where their words end, which takes some milliseconds for each."""
        self._word_times = word_times
        self._pack = pack
        self._release_ms = release_ms
        self._idle_noise = idle
        self._payloads: dict[_Key, _Payloads] = {}
        self._utterances: dict[_Key, Utterance] = {}
        self._idle: dict[AudioFormat, tuple[bytes, ...]] = {}
        self._idle_payloads: dict[AudioFormat, list[bytes]] = {}
        self.frame_ms = frame_ms
        self.frame_ns = frame_ms * NS_PER_MS

    def for_call(self, pack: Callable[[bytes], bytes]) -> FrameBank:
        """A bank with a packing of its own and the encoded audio of this one."""
        bank = FrameBank(frame_ms=self.frame_ms, pack=pack, release_ms=self._release_ms, idle=self._idle_noise)
        bank._word_times = self._word_times
        bank._payloads, bank._idle_payloads = self._payloads, self._idle_payloads
        return bank

    def idle(self, audio_format: AudioFormat) -> tuple[bytes, ...]:
        """What an open microphone sends while the caller is silent, as packed frames to be repeated."""
        if audio_format not in self._idle:
            if audio_format not in self._idle_payloads:
                self._idle_payloads[audio_format] = self._encoded_idle(audio_format)
            packed: dict[bytes, bytes] = {}
            payloads = self._idle_payloads[audio_format]
            self._idle[audio_format] = tuple(packed.setdefault(each, self._pack(each)) for each in payloads)
        return self._idle[audio_format]

    def _encoded_idle(self, audio_format: AudioFormat) -> list[bytes]:
        if self._idle_noise is None:
            return [silence_payload(audio_format, self.frame_ms)]
        pcm = self._idle_noise.load_pcm(audio_format.rate_hz)
        whole = audio_format.rate_hz * self.frame_ms // 1000
        return frame_payloads(pcm[: len(pcm) // whole * whole], audio_format, self.frame_ms)

    def utterance(self, fixture: Fixture, audio_format: AudioFormat) -> Utterance:
        """The wire form of `fixture`, made on first use. Raises `BenchError` when its audio cannot be read."""
        key = _key(fixture, audio_format)
        if key not in self._utterances:
            self._utterances[key] = self._prepare(fixture, self._encoded(fixture, audio_format))
        return self._utterances[key]

    def _encoded(self, fixture: Fixture, audio_format: AudioFormat) -> _Payloads:
        key = _key(fixture, audio_format)
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
            caller=fixture.caller,
            frames=tuple(packed.setdefault(payload, self._pack(payload)) for payload in payloads.frames),
            speech_start_ns=round(fixture.speech_start_ms * NS_PER_MS),
            speech_end_ns=round(fixture.speech_end_ms * NS_PER_MS),
            duration_ns=payloads.duration_ns,
            condition=_condition(fixture),
            word_ends_ns=_word_ends_ns(fixture) if self._word_times else None,
        )


def _word_ends_ns(fixture: Fixture) -> tuple[int, ...] | None:
    """Of the recording as it was made: a model would hear the words of a noisy one less well."""
    plain = fixture.original if isinstance(fixture, RenderedFixture) and fixture.original else fixture
    found = word_times(plain)
    if found is None:
        return None
    factor = fixture.speech_end_ms / plain.speech_end_ms
    return tuple(round(end * factor * NS_PER_MS) for end in found.ends_ms)
