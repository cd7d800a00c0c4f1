"""How a listener hears audio that arrives in bursts: one model for the caller, the measures and the truth.

In: chunks as they arrive. Out: when playback began, when each sample is heard, every stall, and how much was heard
when playback is cut off. A listener starts once `buffer_ms` of audio waits, or the stream has ended; when playback
runs dry, it waits for the buffer to fill again. `buffer_ms=0` gives the earliest moment at which a sample can be heard.
Trap: a deficit summed without re-buffering is a different number (`underrun_ms`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of audio: when its last byte reached the kernel (monotonic ns), and its length in samples."""

    at_ns: int
    samples: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Silence in the middle of the audio because the buffer was dry."""

    start_ns: int
    length_ns: int


@dataclass(slots=True)
class _Stretch:
    """Unbroken playback of the samples from number `first` on."""

    start_ns: int
    first: int


class Player:
    """Plays one stream. Times given to `feed` that go back are taken as the latest so far (a stream is in order)."""

    def __init__(self, *, rate_hz: int, buffer_ms: float, after_ns: int = 0) -> None:
        """`after_ns`: another stream is heard until then, and this one waits for its end."""
        self.rate_hz = rate_hz
        self._after_ns = after_ns
        self._needed = ceil(buffer_ms * rate_hz / 1000)
        self._stretches: list[_Stretch] = []
        self._waiting_since_sample: int | None = 0
        """The first sample that waits in the buffer; None while playing."""
        self._latest_ns = 0
        self.received = 0
        """Samples that have arrived."""

    def feed(self, at_ns: int, samples: int) -> None:
        """Take in one chunk; an empty one changes nothing."""
        if samples <= 0:
            return
        at_ns = max(at_ns, self._latest_ns) if self.received else at_ns
        if self._waiting_since_sample is None and at_ns > self._dry_ns():
            self._waiting_since_sample = self.received
        self._latest_ns = at_ns
        self.received += samples
        if self._waiting_since_sample is not None and self.received - self._waiting_since_sample >= self._needed:
            self._start()

    def finish(self) -> None:
        """No more will come: what waits in the buffer is played from the last arrival on."""
        if self._waiting_since_sample is not None and self.received > self._waiting_since_sample:
            self._start()

    def _start(self) -> None:
        assert self._waiting_since_sample is not None
        self._stretches.append(_Stretch(max(self._latest_ns, self._after_ns), self._waiting_since_sample))
        self._waiting_since_sample = None

    def _dry_ns(self) -> int:
        """When the stretch that is being played runs out."""
        last = self._stretches[-1]
        return last.start_ns + self._length_ns(self.received - last.first)

    def _length_ns(self, samples: int) -> int:
        return samples * NS_PER_S // self.rate_hz

    @property
    def begin_ns(self) -> int | None:
        """When the first sample is heard; None before that is known."""
        return self._stretches[0].start_ns if self._stretches else None

    @property
    def end_ns(self) -> int | None:
        """When the last sample that has begun to play is over; None before playback began."""
        if not self._stretches:
            return None
        last = self._stretches[-1]
        until = self.received if self._waiting_since_sample is None else self._waiting_since_sample
        return last.start_ns + self._length_ns(until - last.first)

    @property
    def audio_ns(self) -> int:
        """Length of what has arrived."""
        return self._length_ns(self.received)

    @property
    def stalls(self) -> list[Stall]:
        """Every wait in the middle of playback. The wait before the first sample is not a stall."""
        found = []
        for before, after in zip(self._stretches, self._stretches[1:], strict=False):
            dry_ns = before.start_ns + self._length_ns(after.first - before.first)
            found.append(Stall(dry_ns, after.start_ns - dry_ns))
        return found

    @property
    def spans(self) -> list[tuple[int, int]]:
        """When something is heard: the beginning and end of each stretch of playback, ns."""
        ends = [stall.start_ns for stall in self.stalls]
        last_ns = self.end_ns
        if last_ns is None:
            return []
        return [(stretch.start_ns, end_ns) for stretch, end_ns in zip(self._stretches, [*ends, last_ns], strict=True)]

    @property
    def stretches(self) -> list[tuple[int, int, int]]:
        """Each stretch of playback: when it begins (ns), its first sample, and the one after its last."""
        until = self.received if self._waiting_since_sample is None else self._waiting_since_sample
        ends = [*(each.first for each in self._stretches[1:]), until]
        return [(each.start_ns, each.first, end) for each, end in zip(self._stretches, ends, strict=True)]

    def heard_at(self, sample: int) -> int | None:
        """When sample number `sample` (from 0) is heard, or None while that is not known."""
        if sample < 0:
            raise ValueError(f"sample must not be negative, got {sample}")
        waiting = self.received if self._waiting_since_sample is None else self._waiting_since_sample
        if sample >= waiting:
            return None
        stretch = next(each for each in reversed(self._stretches) if each.first <= sample)
        return stretch.start_ns + self._length_ns(sample - stretch.first)

    def heard_by(self, at_ns: int) -> int:
        """How many samples have been heard by `at_ns`: never more than had arrived, none of a stall twice."""
        heard = 0
        for place, stretch in enumerate(self._stretches):
            if stretch.start_ns > at_ns:
                break
            later = self._stretches[place + 1].first if place + 1 < len(self._stretches) else self.received
            until = later if self._waiting_since_sample is None else min(later, self._waiting_since_sample)
            heard = min(until, stretch.first + (at_ns - stretch.start_ns) * self.rate_hz // NS_PER_S)
        return heard

    def cut(self, at_ns: int) -> int:
        """Stop playback at `at_ns` and throw the rest away; returns how many samples were heard.

        Audio that arrives afterwards is not played, so a player that was cut must not be fed again.
        """
        heard = self.heard_by(at_ns)
        self._stretches = [stretch for stretch in self._stretches if stretch.first < heard]
        self.received, self._waiting_since_sample = heard, None if heard else 0
        return heard


def played(chunks: Iterable[Chunk], *, rate_hz: int, buffer_ms: float, after_ns: int = 0) -> Player:
    """A player that has heard all of `chunks`; the last one is taken as the end of the stream."""
    player = Player(rate_hz=rate_hz, buffer_ms=buffer_ms, after_ns=after_ns)
    for chunk in chunks:
        player.feed(chunk.at_ns, chunk.samples)
    player.finish()
    return player


def underrun_ms(chunks: Sequence[Chunk], rate_hz: int) -> float | None:
    """The worst deficit of a player that starts at the first chunk and never re-buffers; None for a single chunk.

    Maximum over the chunks after the first of: arrival - (first arrival + audio before the chunk), at least 0.
    Shares of turns below a bound of it (100 ms: `C100`) are comparable with other harnesses.
    """
    latest_ns, worst_ns, before, count = 0, 0, 0, 0
    first_ns = 0
    for chunk in chunks:
        if chunk.samples <= 0:
            continue
        latest_ns = max(latest_ns, chunk.at_ns) if count else chunk.at_ns
        first_ns = first_ns if count else latest_ns
        worst_ns = max(worst_ns, latest_ns - first_ns - before * NS_PER_S // rate_hz) if count else 0
        before += chunk.samples
        count += 1
    return worst_ns / NS_PER_MS if count > 1 else None
