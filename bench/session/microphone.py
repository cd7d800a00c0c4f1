"""The caller's media clock: which frame is due when, and what is in it. Sans-I/O.

Frame k holds the sound of `t0 + k*frame .. t0 + (k+1)*frame` and is due at the *end* of that interval, because a
microphone cannot send samples before it captures them. Deadlines are absolute, so lateness never adds up.
Trap: `sleep(frame)` in a chain stretches the audio by some percent and moves the end of speech.
Callers get different phases: real telephones do not send in step, and a hundred frames in one instant would queue
behind one another, in the harness and in the server, and be measured as the server's delay.
"""

from __future__ import annotations

from bench.session.frames import Utterance

_GOLDEN = 0.6180339887498949


def phase_of(index: int, frame_ns: int) -> int:
    """Where in the frame interval caller `index` sends: a sequence that fills the interval evenly at any length."""
    return int(index * _GOLDEN % 1.0 * frame_ns)


class Microphone:
    """Frames and deadlines of one call.

    `continuous`: the microphone is open all the time and `idle`, over and over, fills the gaps (a server's VAD hears
    silence only as samples). Otherwise (push to talk) it is open for the length of an utterance. Frames begin at
    instants that are `phase_ns` past a multiple of the frame.
    """

    def __init__(self, *, frame_ns: int, idle: tuple[bytes, ...], continuous: bool, phase_ns: int = 0) -> None:
        self._frame_ns = frame_ns
        self._phase_ns = phase_ns
        self._idle = idle
        self._continuous = continuous
        self._t0_ns = 0
        self._next = 0
        self._first = 0
        self._frames: tuple[bytes, ...] = ()

    def open(self, now_ns: int) -> None:
        """Start the media clock of a continuous microphone."""
        self._t0_ns, self._next = self._aligned(now_ns), 0

    def _aligned(self, now_ns: int) -> int:
        return now_ns + (self._phase_ns - now_ns) % self._frame_ns

    def speak(self, utterance: Utterance, now_ns: int, *, not_before_ns: int | None = None) -> int:
        """Place `utterance` on the clock as soon as it can be; returns the media time of its first sample.

        With `not_before_ns`, that is the first beginning of a frame from then on.
        """
        now_ns = max(now_ns, not_before_ns or now_ns)
        if self._continuous:
            wait_ns = self._frame_ns - 1 if not_before_ns is not None else 0
            self._first = max(self._next, (now_ns - self._t0_ns + wait_ns) // self._frame_ns)
        else:
            self._t0_ns, self._next, self._first = self._aligned(now_ns), 0, 0
        self._frames = utterance.frames
        return self._t0_ns + self._first * self._frame_ns

    @property
    def speaking(self) -> bool:
        """Whether frames of an utterance are still to be sent."""
        return self._next < self._first + len(self._frames)

    def due_ns(self) -> int | None:
        """The deadline of the next frame; None while a push-to-talk microphone is shut."""
        if not self._continuous and not self.speaking:
            return None
        return self._t0_ns + (self._next + 1) * self._frame_ns

    def take(self) -> bytes:
        """The frame that is due, and on to the next one."""
        index = self._next - self._first
        self._next += 1
        return self._frames[index] if 0 <= index < len(self._frames) else self._idle[(self._next - 1) % len(self._idle)]
