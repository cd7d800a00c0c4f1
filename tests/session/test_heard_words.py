"""Where words are in a reply's audio: as near as the order of arrival tells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.session.heard_words import HeardWords


def words(*pieces: tuple[str, int], end: int | None = None) -> HeardWords:
    heard = HeardWords()
    for text, at in pieces:
        heard.said(text, at)
    if end is not None:
        heard.ended(end)
    return heard


def test_a_transcript_that_comes_at_once_is_spread_over_the_audio() -> None:
    heard = words(("One two three four", 0), end=1800)
    assert [heard.over_at(number) for number in (1, 2, 4)] == [300, 700, 1800]
    assert heard.over_at(5) is None, "there are only four"


def test_nothing_is_known_before_the_end_of_the_last_piece() -> None:
    heard = words(("One two", 0))
    assert heard.over_at(1) is None
    heard.said(" three", 700)
    assert heard.over_at(2) == 700
    assert heard.over_at(3) is None
    heard.ended(1000)
    assert heard.over_at(3) == 1000


def test_pieces_before_the_audio_are_one() -> None:
    assert words(("One", 0), (" two", 0), (" three", 0), (" four", 0), end=1800).over_at(2) == 700


def test_a_word_may_be_in_two_pieces() -> None:
    heard = words(("I tele", 0), ("phone you", 600), end=1500)
    assert heard.over_at(1) == 100
    assert heard.over_at(2) == 600 + 900 * 5 // 9


@given(
    st.lists(st.tuples(st.text(alphabet="ab ", min_size=1, max_size=8), st.integers(0, 500)), min_size=1, max_size=8)
)
def test_words_are_over_in_their_order_and_inside_the_audio(pieces: list[tuple[str, int]]) -> None:
    at, heard, text = 0, HeardWords(), ""
    for piece, more in pieces:
        heard.said(piece, at)
        at, text = at + more, text + piece
    heard.ended(at)
    count = len(text.split())
    found = [heard.over_at(number) for number in range(1, count + 1)]
    assert None not in found
    assert found == sorted(found)  # type: ignore[type-var]
    assert all(0 <= place <= at for place in found if place is not None)
    assert heard.over_at(count + 1) is None
