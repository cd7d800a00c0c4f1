"""Silence between the caller's last word and the end of the reply, and how fast the agent spoke."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.audio.speaking_rate import words_per_min
from bench.facts.signals import Signal
from bench.measure.dead_air import silences
from tests.measure.build import audio, done, measure, onset, started, text

LINE = {"jitter_buffer_ms": 0.0}
TEN_WORDS = "Your order 4719 is on its way and arrives Thursday."


def answer(*deltas: Signal, status: Any = "completed", wording: str | None = TEN_WORDS) -> list[Signal]:
    return [started(500), *deltas, done(3_000, status=status, wording=wording)]


def test_a_plain_turn_is_silent_until_the_first_audible_sample() -> None:
    row = measure(answer(audio(700, 1_000), onset(700, 120)), line=LINE)
    assert row.dead_air_ms == row.longest_dead_air_ms == row.first_audible_ms == 820


def test_a_listener_with_a_buffer_waits_for_it() -> None:
    row = measure(answer(audio(700, 50), onset(700, 0), audio(740, 1_000)), line={"jitter_buffer_ms": 60.0})
    assert row.dead_air_ms == 740


def test_a_stall_is_dead_air_too() -> None:
    row = measure(answer(audio(700, 500), onset(700, 0), audio(1_900, 500)), line=LINE)
    assert (row.dead_air_ms, row.longest_dead_air_ms, row.stall_ms) == (1_400, 700, 700)


def test_a_reply_that_was_never_heard_has_none() -> None:
    assert measure([started(500)], end="reply_timeout").dead_air_ms is None
    silent = measure(answer(audio(700, 1_000)), line=LINE)
    assert (silent.dead_air_ms, silent.longest_dead_air_ms, silent.reply_words_per_min) == (None, None, None)


def test_an_agent_that_spoke_beneath_the_caller_left_no_silence() -> None:
    row = measure(answer(audio(-500, 1_000), onset(-500, 0)), line=LINE)
    assert (row.dead_air_ms, row.longest_dead_air_ms) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=8), st.integers(0, 50), st.integers(0, 60))
def test_what_is_silent_and_what_is_heard_make_up_the_whole(
    pieces: list[tuple[int, int]], start: int, length: int
) -> None:
    spans = [(begin, begin + size) for begin, size in pieces]
    window = (start, start + length)
    heard = {at for begin, end in spans for at in range(begin, end)}
    silent = {at for begin, end in silences(window, spans) for at in range(begin, end)}
    assert silent == set(range(*window)) - heard


def test_the_rate_leaves_out_the_silence_before_the_voice() -> None:
    row = measure(answer(audio(700, 4_120), onset(700, 120)), line=LINE)
    assert row.reply_words_per_min == pytest.approx(10 / (4_000 / 60_000))


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_a_reply_that_was_not_sent_whole_has_no_rate(status: str) -> None:
    assert measure(answer(audio(700, 4_000), onset(700, 0), status=status), line=LINE).reply_words_per_min is None


def test_without_a_transcript_there_is_no_rate() -> None:
    assert measure(answer(audio(700, 4_000), onset(700, 0), wording=None), line=LINE).reply_words_per_min is None
    spoken = measure(answer(text(650, "two words"), audio(700, 4_000), onset(700, 0), wording=None), line=LINE)
    assert spoken.reply_words_per_min == 30


SPOKEN = {"It's $25, okay?": 3, "one - two": 2, "...": None, "": None, "你好吗": None, "ไทย": None, "안녕 하세요": 2}


@pytest.mark.parametrize(("said", "words"), SPOKEN.items())
def test_what_counts_as_a_word(said: str, words: int | None) -> None:
    assert words_per_min(said, 60_000) == words
    assert words_per_min(said, 0) is None
