"""The input audio of a cascade: its own policy of when a turn is over, and of who may speak into a reply.

In: the session's turn detection and audio. Out: input events, of which the policy changes or holds back some.
Trap: what is not to end a reply must not become a turn either, so all events of such a sound are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.audio.formats import AudioFormat
from bench.audio.vad import SpeechDetector
from bench.audio.webrtc_detector import WebrtcDetector
from bench.scenario.cascade import BargeInPolicy, Endpointing
from bench.server.protocol.config import silence_ms
from bench.server.protocol.input_audio import CommittedAudio, InputAudio, InputEvent, SpeechBegan


class CascadeInput(InputAudio):
    """`InputAudio` by the cascade's policy.

    `replying` says whether a reply is sent or heard; `sounds` is told when the audio of another turn comes in.
    """

    def __init__(
        self,
        audio_format: AudioFormat,
        turn_detection: Mapping[str, Any] | None,
        *,
        endpointing: Endpointing,
        barge_in: BargeInPolicy,
        replying: Callable[[], bool],
        sounds: Callable[[], None],
    ) -> None:
        self._endpointing = endpointing
        self._gate = BargeInGate(barge_in)
        self._replying = replying
        self._sounds = sounds
        self._silent = True
        """Nothing of the turn to come was heard yet: no speech, or no audio at all where the client commits."""
        self.committed: bytes | None = None
        """What the client committed last, as PCM16: all of it, whether or not it was taken for speech."""
        super().__init__(audio_format, turn_detection)

    def new_detector(self, rate_hz: int) -> SpeechDetector | WebrtcDetector:
        if self._endpointing.detector == "level":
            return SpeechDetector(rate_hz)
        own = self._endpointing.aggressiveness
        return WebrtcDetector(rate_hz) if own is None else WebrtcDetector(rate_hz, aggressiveness=own)

    def configure(self, audio_format: AudioFormat, turn_detection: Mapping[str, Any] | None) -> None:
        if turn_detection is not None:
            wanted_ms = self._endpointing.silence or silence_ms(turn_detection)
            turn_detection = {**turn_detection, "type": "server_vad", "silence_duration_ms": wanted_ms}
        super().configure(audio_format, turn_detection)

    def commit(self) -> CommittedAudio:
        audio = super().commit()
        self._silent = True
        self.committed = audio.audio if self.format.encoding == "pcm16" else self._as_pcm(audio.audio)
        return audio

    def _as_pcm(self, data: bytes) -> bytes:
        return AudioFormat.PCM16.encode(self.format.decode(data))

    def append(self, data: bytes, at_ns: int = 0) -> Sequence[InputEvent]:
        found = super().append(data, at_ns)
        if not (self.manual or self.speaking):
            self._silent = True
        elif self._silent:
            self._silent = False
            self._sounds()
        return found if self.manual else self._gate.let_through(found, self.speech_ms, replying=self._replying())


class BargeInGate:
    """Holds the events of speech into a reply until it has lasted long enough, or for ever. Pure."""

    def __init__(self, policy: BargeInPolicy) -> None:
        self._policy = policy
        self._held: list[InputEvent] | None = None
        """Events of speech into a reply that is not believed yet; None: there is no such speech."""

    def let_through(self, found: Sequence[InputEvent], speech_ms: float, *, replying: bool) -> list[InputEvent]:
        """What of `found` is to be known now; `speech_ms` is how long the present speech has lasted."""
        out: list[InputEvent] = []
        for event in found:
            strict = not self._policy.enabled or self._policy.shortest > 0
            if isinstance(event, SpeechBegan) and replying and strict:
                self._held = []
            if self._held is None:
                out.append(event)
                continue
            self._held.append(event)
            if isinstance(event, CommittedAudio):
                self._held = None
        if self._held is not None and self._policy.enabled and speech_ms >= self._policy.shortest:
            out += self._held
            self._held = None
        return out
