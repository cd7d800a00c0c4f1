"""Replies found in audio alone: the first audible sample, the silence that waits before it, and when it is over."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.audio.formats import AudioFormat
from bench.audio.onset import OnsetDetector
from bench.dialects.reply_finder import LONGEST_QUIET_NS, NS_PER_S, QUIET_NS, SHORT_QUIET_NS, ReplyFinder

PCM = AudioFormat("pcm16", 8_000)
MS = 1_000_000


def tone(ms: int, audio_format: AudioFormat = PCM) -> bytes:
    at = np.arange(audio_format.rate_hz * ms // 1000)
    return audio_format.encode((np.sin(at * 0.9) * 8000).astype(np.int16))


def silence(ms: int, audio_format: AudioFormat = PCM) -> bytes:
    return audio_format.encode(np.zeros(audio_format.rate_hz * ms // 1000, dtype=np.int16))


@pytest.mark.parametrize("audio_format", [PCM, AudioFormat.PCMU, AudioFormat.PCMA])
def test_silence_is_no_reply_and_the_first_sound_opens_one(audio_format: AudioFormat) -> None:
    finder = ReplyFinder(audio_format, queued=False)
    for number in range(100):
        assert finder.feed(number * 20 * MS, silence(20, audio_format)) == []
    assert not finder.open
    found = [piece for k in range(3) for piece in finder.feed((2000 + k * 20) * MS, tone(20, audio_format))]
    assert [piece.at_ns for piece in found] == [2000 * MS, 2020 * MS, 2040 * MS]
    assert found[0].payload == tone(20, audio_format), "nothing waits where a piece is played when it comes"


def test_silence_that_is_still_to_be_played_is_heard_first() -> None:
    finder = ReplyFinder(PCM, queued=True)
    finder.feed(NS_PER_S, silence(500))
    (piece,) = finder.feed(NS_PER_S + 100 * MS, tone(200))
    assert piece.at_ns == NS_PER_S + 100 * MS
    assert piece.payload == silence(400) + tone(200)


def test_it_is_over_a_second_after_its_last_audible_sample_is_played() -> None:
    finder = ReplyFinder(PCM, queued=True)
    finder.feed(0, tone(800))
    finder.feed(1, silence(5000))
    assert finder.over_ns == pytest.approx(800 * MS + QUIET_NS, abs=MS)
    finder.feed(2, tone(8000))
    assert finder.over_ns == 2 + LONGEST_QUIET_NS
    finder.end()
    assert finder.over_ns is None


def test_a_reply_that_the_caller_speaks_into_is_over_sooner() -> None:
    finder = ReplyFinder(PCM, queued=False)
    finder.caller_speaks()
    finder.feed(0, tone(800))
    assert finder.over_ns == pytest.approx(800 * MS + QUIET_NS, abs=MS)
    finder.caller_speaks()
    assert finder.over_ns == pytest.approx(800 * MS + SHORT_QUIET_NS, abs=MS)
    finder.end()
    finder.feed(5 * NS_PER_S, tone(800))
    assert finder.over_ns == pytest.approx(5800 * MS + QUIET_NS, abs=MS)


def test_what_is_cleared_is_not_played() -> None:
    finder = ReplyFinder(PCM, queued=True)
    finder.feed(0, tone(5000))
    finder.clear(NS_PER_S)
    assert (finder.open, finder.played_ns) == (False, NS_PER_S)
    (piece,) = finder.feed(NS_PER_S, tone(100))
    assert piece.payload == tone(100)


@given(lead_ms=st.integers(0, 700), sizes=st.lists(st.integers(1, 400), min_size=1, max_size=30), queued=st.booleans())
def test_a_listener_finds_the_onset_where_it_is_however_the_audio_is_cut(
    lead_ms: int, sizes: list[int], queued: bool
) -> None:
    whole = silence(lead_ms) + tone(600)
    finder, at, begun = ReplyFinder(PCM, queued=queued), 0, None
    ear = OnsetDetector(PCM.rate_hz)
    onset = None
    place = 0
    while at < len(whole) and onset is None:
        size = 2 * sizes[place % len(sizes)]
        at_ns = at // 2 * NS_PER_S // PCM.rate_hz  # in real time
        for piece in finder.feed(at_ns, whole[at : at + size]):
            begun = piece.at_ns if begun is None else begun
            onset = ear.feed(PCM.decode(piece.payload))
        at, place = at + size, place + 1
    if onset is None:
        onset = ear.finish()
    assert begun is not None
    assert onset is not None
    assert begun / MS + onset / 8 == pytest.approx(lead_ms, abs=2)
