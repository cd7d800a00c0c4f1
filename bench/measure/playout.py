"""How a listener hears a reply: arrivals in, playout and stalls out.

Audio arrives in bursts, faster than real time, then stops. A listener starts once the jitter buffer is full and,
when it runs dry, waits for it to fill again. The last arrival is taken as the end of the stream.
Trap: a deficit summed without re-buffering is a different number (`underrun_ms`), and a headline "heard at" has
no jitter buffer at all (`heard_at_ns`): three questions, three functions, never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One chunk of reply audio: when its last byte reached the kernel (monotonic ns), and its length in samples."""

    at_ns: int
    samples: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Silence in the middle of a reply because the buffer was dry."""

    start_ns: int
    length_ns: int


@dataclass(frozen=True, slots=True)
class Playout:
    """What the listener heard; `begin_ns` and `end_ns` are None when there was no audio at all."""

    begin_ns: int | None
    end_ns: int | None
    audio_ns: int
    stalls: tuple[Stall, ...]

    @staticmethod
    def silent() -> Playout:
        """The playout of a reply without audio."""
        return Playout(begin_ns=None, end_ns=None, audio_ns=0, stalls=())

    @property
    def stall_ms(self) -> float:
        """Length of all stalls together."""
        return sum(stall.length_ns for stall in self.stalls) / NS_PER_MS

    @property
    def longest_stall_ms(self) -> float:
        """Length of the longest stall, 0.0 when there was none."""
        return max((stall.length_ns for stall in self.stalls), default=0) / NS_PER_MS


def play_out(arrivals: Sequence[Arrival], *, rate_hz: int, buffer_ms: float) -> Playout:
    """Replay `arrivals` (in order of arrival) through a re-buffering jitter buffer of `buffer_ms`.

    Playback begins, and resumes after running dry, when `buffer_ms` of audio waits in the buffer or the last chunk
    has arrived. The wait before the first sample is not a stall. An empty sequence gives `Playout.silent()`.
    """
    chunks = _audible_chunks(arrivals)
    if not chunks:
        return Playout.silent()
    needed = ceil(buffer_ms * rate_hz / 1000)
    stalls: list[Stall] = []
    begin_ns: int | None = None
    playing_since: int | None = None
    dry_ns = 0
    received = played = 0
    for index, chunk in enumerate(chunks):
        if playing_since is not None:
            dry_ns = playing_since + _duration_ns(received - played, rate_hz)
            if chunk.at_ns > dry_ns:
                playing_since, played = None, received
        received += chunk.samples
        is_last = index == len(chunks) - 1
        if playing_since is None and (received - played >= needed or is_last):
            playing_since = chunk.at_ns
            if begin_ns is None:
                begin_ns = chunk.at_ns
            else:
                stalls.append(Stall(start_ns=dry_ns, length_ns=chunk.at_ns - dry_ns))
    # The last chunk always starts playback, so `playing_since` holds the start of the last unbroken stretch.
    last_start = chunks[-1].at_ns if playing_since is None else playing_since
    return Playout(
        begin_ns=begin_ns,
        end_ns=last_start + _duration_ns(received - played, rate_hz),
        audio_ns=_duration_ns(received, rate_hz),
        stalls=tuple(stalls),
    )


def heard_at_ns(arrivals: Sequence[Arrival], sample_index: int, rate_hz: int) -> int | None:
    """When sample `sample_index` (0-based) leaves an unbuffered player, or None if it never arrived.

    A chunk starts at the later of its own arrival and the end of the audio before it; this zero-buffer player gives
    the earliest moment at which anybody can hear the sample.
    """
    if sample_index < 0:
        raise ValueError(f"sample_index must not be negative, got {sample_index}")
    before = 0
    free_ns: int | None = None
    for chunk in _audible_chunks(arrivals):
        start_ns = chunk.at_ns if free_ns is None else max(chunk.at_ns, free_ns)
        if sample_index < before + chunk.samples:
            return start_ns + _duration_ns(sample_index - before, rate_hz)
        before += chunk.samples
        free_ns = start_ns + _duration_ns(chunk.samples, rate_hz)
    return None


def underrun_ms(arrivals: Sequence[Arrival], rate_hz: int) -> float | None:
    """The worst deficit of a player that starts at the first chunk and never re-buffers; None for a single chunk.

    Maximum over the chunks after the first of: arrival - (first arrival + audio before the chunk), at least 0.
    Shares of turns below a bound of it (100 ms: `C100`) are comparable with other harnesses.
    """
    chunks = _audible_chunks(arrivals)
    if len(chunks) < 2:
        return None
    worst = 0
    before = chunks[0].samples
    for chunk in chunks[1:]:
        worst = max(worst, chunk.at_ns - chunks[0].at_ns - _duration_ns(before, rate_hz))
        before += chunk.samples
    return worst / NS_PER_MS


def _duration_ns(samples: int, rate_hz: int) -> int:
    return samples * NS_PER_S // rate_hz


def _audible_chunks(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Chunks that hold samples, with stamps that never go back (a stream is delivered in order)."""
    chunks: list[Arrival] = []
    latest = 0
    for arrival in arrivals:
        if arrival.samples > 0:
            latest = max(latest, arrival.at_ns) if chunks else arrival.at_ns
            chunks.append(arrival if arrival.at_ns == latest else Arrival(latest, arrival.samples))
    return chunks
