"""A call through the meters, against sums made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.pricing.book import default_books
from bench.pricing.estimate import Assumed, Exchange, in_tokens, metered, simulate_call
from bench.pricing.price import price_turn

PLAIN = Assumed(tokens_per_word=1.0, cache_from_tokens=0, wait_s=1.0, connect_s=0.0)


def exchange(heard_s: float = 4.0, reply_s: float = 6.0, *, words: float = 10, is_turn: bool = True) -> Exchange:
    return Exchange(heard_s, heard_s, words, reply_s, words, is_turn)


def test_every_response_sends_the_call_so_far_again() -> None:
    first, second, third = simulate_call([exchange()] * 3, 50, PLAIN)
    assert (first.usage.in_text_tokens, first.usage.in_audio_tokens) == (50, 40)
    # The first question, its answer in words and sound, and the second question.
    assert (second.usage.in_text_tokens, second.usage.in_audio_tokens) == (60, 40 + 120 + 40)
    assert (third.usage.in_text_tokens, third.usage.in_audio_tokens) == (70, 2 * 160 + 40)
    assert {each.usage.out_audio_tokens for each in (first, second, third)} == {120}
    assert [each.ends_s for each in (first, second, third)] == [11.0, 22.0, 33.0]


def test_what_the_response_before_had_as_input_is_cached() -> None:
    first, second, third = simulate_call([exchange()] * 3, 50, PLAIN)
    assert (first.usage.in_cached_text_tokens, first.usage.in_cached_audio_tokens) == (0, 0)
    for before, now in ((first, second), (second, third)):
        assert now.usage.in_cached_text_tokens == before.usage.in_text_tokens
        assert now.usage.in_cached_audio_tokens == before.usage.in_audio_tokens


@pytest.mark.parametrize(
    ("least", "cached"), [(90, [0, 40, 200]), (91, [0, 0, 200]), (261, [0, 0, 0]), (None, [0] * 3)]
)
def test_from_so_many_tokens_on(least: int | None, cached: list[int]) -> None:
    assumed = Assumed(tokens_per_word=1.0, cache_from_tokens=least)
    found = simulate_call([exchange()] * 3, 50, assumed)
    assert [each.usage.in_cached_audio_tokens for each in found] == cached


def test_a_share_of_the_cache_and_a_measured_preamble() -> None:
    assumed = Assumed(tokens_per_word=1.0, cache_from_tokens=0, cached_share=0.5, preamble_tokens=200)
    _, second = simulate_call([exchange()] * 2, 50, assumed)
    assert (second.usage.in_cached_text_tokens, second.usage.in_cached_audio_tokens) == (100, 20)


def test_a_greeting_is_no_turn_and_is_read_again() -> None:
    greeting, turn = simulate_call([Exchange(0, 0, 0, 2.0, 8, is_turn=False), exchange()], 0, PLAIN)
    assert (greeting.is_turn, greeting.spoken, greeting.usage.out_audio_tokens) == (False, None, 40)
    assert (turn.usage.in_text_tokens, turn.usage.in_audio_tokens) == (8, 40 + 40)


def test_a_reply_that_is_cut_into_is_billed_whole_and_kept_as_far_as_it_was_heard() -> None:
    cut = replace(exchange(), heard_reply_s=1.5)
    first, second = simulate_call([cut, exchange()], 0, PLAIN)
    assert first.usage.out_audio_tokens == 120
    assert first.ends_s == 4 + 1 + 1.5
    assert (second.usage.in_text_tokens, second.usage.in_audio_tokens) == (0, 40 + 30 + 40)


def test_a_transcriber_reports_tokens_or_seconds() -> None:
    (billed,) = simulate_call([exchange()], 0, PLAIN)
    assert billed.spoken is not None
    tokens, seconds = metered(billed.spoken, tokens=True), metered(billed.spoken, tokens=False)
    assert (tokens.seconds, tokens.in_audio_tokens, tokens.out_text_tokens) == (None, 40, 10)
    assert (seconds.seconds, seconds.in_audio_tokens, seconds.out_text_tokens) == (4.0, None, None)
    named = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe-2025-12-15", "whisper-1", "gpt-transcribe")
    assert [in_tokens(name) for name in named] == [True, True, False, False]


def test_the_price_of_a_call_by_hand() -> None:
    """gpt-realtime: text 4 / 16, audio 32 / 64, cached 0.40 USD a million."""
    rates = default_books().rates("gpt-realtime")
    first, second = simulate_call([exchange()] * 2, 50, PLAIN)
    costs = [price_turn(each.usage, None, rates, None).total_usd for each in (first, second)]
    assert costs[0] == pytest.approx((50 * 4 + 40 * 32 + 10 * 16 + 120 * 64) / 1e6)
    assert costs[1] == pytest.approx((10 * 4 + 160 * 32 + 90 * 0.4 + 10 * 16 + 120 * 64) / 1e6)


@given(st.lists(st.tuples(st.floats(0.1, 60), st.floats(0, 60)), min_size=1, max_size=12), st.floats(0, 2000))
def test_input_never_shrinks_and_cached_is_part_of_it(said: list[tuple[float, float]], preamble: float) -> None:
    before = 0
    for each in simulate_call([exchange(heard, reply) for heard, reply in said], preamble, PLAIN):
        usage = each.usage
        whole = (usage.in_text_tokens or 0) + (usage.in_audio_tokens or 0)
        cached = (usage.in_cached_text_tokens or 0) + (usage.in_cached_audio_tokens or 0)
        assert before == cached
        assert cached <= whole
        before = whole
