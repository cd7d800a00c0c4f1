"""Playback by table and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.audio.playback import Chunk, Player, Stall, played, underrun_ms

RATE = 24_000
MS = 1_000_000


def stalled_ns(player: Player) -> int:
    return sum(stall.length_ns for stall in player.stalls)


def chunk(at_ms: float, length_ms: float) -> Chunk:
    return Chunk(round(at_ms * MS), round(length_ms * RATE / 1000))


@pytest.mark.parametrize(
    ("arrivals", "buffer_ms", "begin", "end", "stalls"),
    [
        ([(0, 100)], 60, 0, 100, []),
        ([(0, 40)], 60, 0, 40, []),  # shorter than the buffer: the end of the stream starts it
        ([(0, 40), (30, 40)], 60, 30, 110, []),  # starts when 80 ms are there
        ([(0, 100), (100, 100)], 60, 0, 200, []),  # exactly in time is in time
        ([(0, 100), (150, 100)], 60, 0, 250, [(100, 50)]),
        ([(0, 100), (150, 20), (180, 100)], 60, 0, 300, [(100, 80)]),  # 20 ms do not refill a 60 ms buffer
        ([(0, 100), (150, 20), (180, 100)], 0, 0, 280, [(100, 50), (170, 10)]),
        ([(0, 100), (150, 20)], 60, 0, 170, [(100, 50)]),  # the last chunk plays although the buffer is not full
        ([(0, 100), (50, 0), (150, 100)], 60, 0, 250, [(100, 50)]),  # an empty chunk is nothing
    ],
)
def test_played(
    arrivals: list[tuple[float, float]], buffer_ms: float, begin: float, end: float, stalls: list[tuple[float, float]]
) -> None:
    playout = played([chunk(*pair) for pair in arrivals], rate_hz=RATE, buffer_ms=buffer_ms)
    assert (playout.begin_ns, playout.end_ns) == (begin * MS, end * MS)
    assert [(stall.start_ns, stall.length_ns) for stall in playout.stalls] == [(a * MS, b * MS) for a, b in stalls]


@pytest.mark.parametrize("chunks", [[], [Chunk(5, 0)]])
def test_no_audio_is_silent(chunks: list[Chunk]) -> None:
    player = played(chunks, rate_hz=RATE, buffer_ms=60)
    assert (player.begin_ns, player.end_ns, player.stalls, player.audio_ns) == (None, None, [], 0)
    assert player.heard_at(0) is None
    assert player.heard_by(10**12) == 0


@pytest.mark.parametrize(
    ("sample_ms", "heard_ms"), [(0, 10), (50, 60), (100, 200), (149, 249), (150, 250), (199, 299), (200, None)]
)
def test_heard_at(sample_ms: float, heard_ms: float | None) -> None:
    arrivals = [chunk(10, 100), chunk(200, 50), chunk(210, 50)]
    at_ns = played(arrivals, rate_hz=RATE, buffer_ms=0).heard_at(round(sample_ms * RATE / 1000))
    assert at_ns == (None if heard_ms is None else heard_ms * MS)


def test_heard_at_rejects_a_negative_sample() -> None:
    with pytest.raises(ValueError, match="negative"):
        played([chunk(0, 10)], rate_hz=RATE, buffer_ms=0).heard_at(-1)


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        ([], None),
        ([(0, 100)], None),
        ([(0, 100), (50, 100)], 0.0),
        ([(0, 100), (150, 100)], 50.0),
        ([(0, 100), (300, 50), (450, 100)], 300.0),  # max of 200 and 300, never their sum
    ],
)
def test_underrun(arrivals: list[tuple[float, float]], expected: float | None) -> None:
    assert underrun_ms([chunk(*pair) for pair in arrivals], RATE) == expected


gaps = st.integers(0, 400)
lengths = st.integers(1, 300)
streams = st.lists(st.tuples(gaps, lengths), min_size=1, max_size=12).map(
    lambda pairs: [chunk(sum(gap for gap, _ in pairs[: index + 1]), length) for index, (_, length) in enumerate(pairs)]
)
buffers = st.integers(0, 250)


@given(streams, buffers)
def test_playback_is_audio_plus_stalls(arrivals: list[Chunk], buffer_ms: int) -> None:
    playout = played(arrivals, rate_hz=RATE, buffer_ms=buffer_ms)
    assert playout.begin_ns is not None
    assert playout.end_ns is not None
    stalled = sum(stall.length_ns for stall in playout.stalls)
    assert playout.end_ns - playout.begin_ns == playout.audio_ns + stalled
    assert playout.begin_ns >= arrivals[0].at_ns
    assert all(stall.length_ns > 0 for stall in playout.stalls)
    ends = [stall.start_ns + stall.length_ns for stall in playout.stalls]
    assert all(end < stall.start_ns for end, stall in zip(ends, playout.stalls[1:], strict=False))


@given(st.lists(lengths, min_size=1, max_size=12), buffers)
def test_no_stall_when_all_came_at_once(sizes: list[int], buffer_ms: int) -> None:
    playout = played([chunk(7, size) for size in sizes], rate_hz=RATE, buffer_ms=buffer_ms)
    assert playout.stalls == []
    assert playout.begin_ns == 7 * MS


@given(streams, buffers, st.integers(0, 5_000))
def test_a_later_stream_is_heard_just_as_much_later(arrivals: list[Chunk], buffer_ms: int, shift: int) -> None:
    early = played(arrivals, rate_hz=RATE, buffer_ms=buffer_ms)
    late = played([Chunk(a.at_ns + shift, a.samples) for a in arrivals], rate_hz=RATE, buffer_ms=buffer_ms)
    assert (early.begin_ns or 0) + shift == late.begin_ns
    assert (early.end_ns or 0) + shift == late.end_ns
    assert [Stall(s.start_ns + shift, s.length_ns) for s in early.stalls] == late.stalls


@given(streams, st.integers(0, 11), st.integers(1, 500))
def test_a_delayed_chunk_never_helps(arrivals: list[Chunk], at: int, delay_ms: int) -> None:
    """Without a buffer to refill, lateness of one chunk (and so of all after it) is never an advantage."""
    at %= len(arrivals)
    slow = [Chunk(a.at_ns + (delay_ms * MS if index >= at else 0), a.samples) for index, a in enumerate(arrivals)]
    before, after = (played(stream, rate_hz=RATE, buffer_ms=0) for stream in (arrivals, slow))
    assert (after.end_ns or 0) >= (before.end_ns or 0)
    if at > 0:
        assert stalled_ns(after) >= stalled_ns(before)
        assert (underrun_ms(slow, RATE) or 0) >= (underrun_ms(arrivals, RATE) or 0)


@given(streams, buffers, st.integers(0, 11), st.integers(1, 299))
def test_splitting_a_chunk_changes_nothing(arrivals: list[Chunk], buffer_ms: int, at: int, part_ms: int) -> None:
    at %= len(arrivals)
    whole = arrivals[at]
    head = min(part_ms * RATE // 1000, whole.samples - 1)
    pieces = [Chunk(whole.at_ns, head), Chunk(whole.at_ns, whole.samples - head)]
    split = [*arrivals[:at], *pieces, *arrivals[at + 1 :]]
    parts, wholes = (played(stream, rate_hz=RATE, buffer_ms=buffer_ms) for stream in (split, arrivals))
    assert (parts.begin_ns, parts.end_ns, parts.stalls) == (wholes.begin_ns, wholes.end_ns, wholes.stalls)


@given(streams, st.data())
def test_samples_are_heard_in_order_and_not_before_they_came(arrivals: list[Chunk], data: st.DataObject) -> None:
    total = sum(arrival.samples for arrival in arrivals)
    first, second = sorted(data.draw(st.lists(st.integers(0, total - 1), min_size=2, max_size=2)))
    last = played(arrivals, rate_hz=RATE, buffer_ms=0)
    heard_first, heard_second = last.heard_at(first), last.heard_at(second)
    assert heard_first is not None
    assert heard_second is not None
    assert heard_first <= heard_second
    assert heard_first >= arrivals[0].at_ns
    assert heard_second < (last.end_ns or 0)


@given(streams, buffers)
def test_heard_by_is_the_inverse_of_heard_at(arrivals: list[Chunk], buffer_ms: int) -> None:
    player = played(arrivals, rate_hz=RATE, buffer_ms=buffer_ms)
    for sample in range(0, player.received, max(1, player.received // 20)):
        at_ns = player.heard_at(sample)
        assert at_ns is not None
        assert abs(player.heard_by(at_ns) - sample) <= 1  # an instant is a whole number of ns, a sample is not
    assert player.heard_by(player.end_ns or 0) == pytest.approx(player.received, abs=1)
    assert player.heard_by((player.begin_ns or 0) - 1) == 0


@given(streams, buffers, st.integers(0, 6_000))
def test_what_is_fed_while_playing_gives_what_is_told_afterwards(
    arrivals: list[Chunk], buffer_ms: int, until_ms: int
) -> None:
    """Whatever has arrived by an instant decides what has been heard by it: the caller and the rows agree."""
    live = Player(rate_hz=RATE, buffer_ms=buffer_ms)
    for each in arrivals:
        if each.at_ns <= until_ms * MS:
            live.feed(each.at_ns, each.samples)
    afterwards = Player(rate_hz=RATE, buffer_ms=buffer_ms)
    for each in arrivals:
        afterwards.feed(each.at_ns, each.samples)
    assert live.heard_by(until_ms * MS) == afterwards.heard_by(until_ms * MS)


def test_a_listener_waits_for_its_buffer_while_the_stream_is_open() -> None:
    player = Player(rate_hz=RATE, buffer_ms=60)
    player.feed(0, 40 * RATE // 1000)
    assert (player.begin_ns, player.end_ns) == (None, None)
    player.feed(30 * MS, 40 * RATE // 1000)
    assert (player.begin_ns, player.end_ns) == (30 * MS, 110 * MS)


@pytest.mark.parametrize(
    ("cut_ms", "heard_ms"), [(-5, 0), (0, 0), (50, 50), (100, 100), (120, 100), (160, 110), (500, 200)]
)
def test_a_cut_leaves_what_was_heard(cut_ms: int, heard_ms: int) -> None:
    player = played([chunk(0, 100), chunk(150, 100)], rate_hz=RATE, buffer_ms=60)
    assert player.cut(cut_ms * MS) == heard_ms * RATE // 1000
    assert player.received == heard_ms * RATE // 1000
    assert player.end_ns == (None if heard_ms == 0 else min(cut_ms if cut_ms != 120 else 100, 250) * MS)
