"""Replies within audio that also carries silence, where no message says that one begins or is over. Sans-I/O.

In: pieces of audio as they arrive. Out: the pieces that are part of a reply, from the one that holds its first audible
sample to the one that holds its last, and when the reply is over: its listener has heard nothing for a while.
Trap: what is sent waits behind what was sent before. Silence that is still to be played when a reply begins is heard
first, so it is part of the reply, in front of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bench.audio.formats import AudioFormat
from bench.audio.level import amplitude, last_sound, to_float
from bench.audio.onset import OnsetDetector

NS_PER_S = 1_000_000_000
QUIET_NS = 1_000_000_000
"""A reply is over when its listener has heard nothing for so long,"""
SHORT_QUIET_NS = 300_000_000
"""or for so long once the caller speaks into it: what is heard after that answers the caller,"""
LONGEST_QUIET_NS = 3_000_000_000
"""or when no sound has arrived for so long, however much is left to play."""
THRESHOLD_DBFS = -50.0
_KEPT_NS = 200_000_000
"""How far back the first audible sample may lie when it is found."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Audio of a reply as it arrived; `payload` may begin with silence that had to be played before it."""

    at_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A piece of which it is not known yet whether it is part of a reply."""

    at_ns: int
    plays_ns: int
    first: int
    samples: int
    payload: bytes


class ReplyFinder:
    """The replies of one call.

    `queued`: whoever plays the audio plays all of it, one piece after the other, as a telephone network does. Otherwise
    a piece is played when it arrives, as by a client of audio that comes in real time.
    """

    def __init__(self, audio_format: AudioFormat, *, queued: bool) -> None:
        self._format = audio_format
        self._queued = queued
        self._detector = OnsetDetector(audio_format.rate_hz, THRESHOLD_DBFS)
        self._threshold = amplitude(THRESHOLD_DBFS)
        self._silences = _silent_payloads(audio_format)
        self._waiting: deque[_Waiting] = deque()
        self._held: list[Piece] = []
        """Silence within a reply, or after it."""
        self._fed = 0
        self.open = False
        """A reply is under way."""
        self.played_ns = 0
        """When all that has arrived will have been played."""
        self.last_ns = 0
        """Arrival of the last piece of a reply with sound in it."""
        self._heard_ns = 0
        """When its last audible sample is played."""
        self.cut_into = False
        """The caller has begun to speak into the reply under way."""

    def feed(self, at_ns: int, payload: bytes) -> list[Piece]:
        """Take in a piece; what is known by now to be part of a reply, in order."""
        width = self._format.bytes_per_sample
        samples = len(payload) // width
        if not samples:
            return []
        payload = payload[: samples * width]
        plays_ns = max(at_ns, self.played_ns) if self._queued or self.open else at_ns
        self.played_ns = plays_ns + samples * NS_PER_S // self._format.rate_hz
        if self.open and self._heard_ns:
            self._held.append(Piece(at_ns, payload))
            if not self._note_sound(at_ns, plays_ns, payload):
                return []  # a pause, or the silence after the reply
            held, self._held = self._held, []
            return held
        self._waiting.append(_Waiting(at_ns, plays_ns, self._fed, samples, payload))
        self._fed += samples
        onset = self._detector.feed(self._format.decode(payload))
        if onset is None:
            while self._waiting[0].plays_ns < plays_ns - _KEPT_NS:
                self._waiting.popleft()
            return []
        return self._begin(onset)

    def announce(self) -> None:
        """A reply is under way by another sign; its sound may still be to come."""
        self.open = True

    def caller_speaks(self) -> None:
        """The caller begins to speak, perhaps into a reply."""
        self.cut_into = self.open

    def _begin(self, onset: int) -> list[Piece]:
        """The reply begins with the piece that holds sample `onset`."""
        self.open = True
        pieces: list[Piece] = []
        for each in self._waiting:
            if each.first + each.samples <= onset:
                continue
            lead = b""
            if not pieces and self._queued:
                ahead = max(0, each.plays_ns - each.at_ns) * self._format.rate_hz // NS_PER_S
                lead = bytes([self._format.silence_byte]) * (ahead * self._format.bytes_per_sample)
            pieces.append(Piece(each.at_ns, lead + each.payload))
            self._note_sound(each.at_ns, each.plays_ns, each.payload)
        self._waiting.clear()
        return pieces

    def _note_sound(self, at_ns: int, plays_ns: int, payload: bytes) -> bool:
        """Whether there is sound in a piece; if so, until when it is heard."""
        if not payload.strip(self._silences):
            return False
        samples = to_float(self._format.decode(payload))
        last = last_sound(samples, self._format.rate_hz, self._threshold)
        if last is None:
            return False
        self.last_ns = max(self.last_ns, at_ns)
        self._heard_ns = max(self._heard_ns, plays_ns + last * NS_PER_S // self._format.rate_hz)
        return True

    def clear(self, at_ns: int) -> None:
        """What has not been played by `at_ns` is thrown away; a reply that was under way is over."""
        self.played_ns = min(self.played_ns, at_ns)
        self.end()

    def end(self) -> None:
        """The reply is over; what comes now may be the next."""
        self.open, self.cut_into, self._heard_ns = False, False, 0
        self._waiting.clear()
        self._held.clear()
        self._fed = 0
        self._detector = OnsetDetector(self._format.rate_hz, THRESHOLD_DBFS)

    @property
    def over_ns(self) -> int | None:
        """When the reply under way will be over, unless more of it comes."""
        if not self.open or not self._heard_ns:
            return None
        quiet_ns = SHORT_QUIET_NS if self.cut_into else QUIET_NS
        return min(self._heard_ns + quiet_ns, self.last_ns + LONGEST_QUIET_NS)


def _silent_payloads(audio_format: AudioFormat) -> bytes:
    """The bytes that are nothing but silence (G.711 writes zero in two ways)."""
    if audio_format.encoding == "pcmu":
        return b"\xff\x7f"
    return b"\xd5\x55" if audio_format.encoding == "pcma" else b"\0"
