"""What a call keeps of a server's texts: no secret, whole or in pieces, and no endless text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.config.redactor import Redactor
from bench.facts.failure import Failure
from bench.facts.signals import AudioDelta, ErrorInfo, InputTranscript, RateLimit, RateLimits, ServerError, TextDelta
from bench.facts.timeline import Entry, Timeline
from bench.session.scrub import MOST_CHARS, MOST_WORDS_CHARS, Scrubber
from tests.session.test_intake import subject

KEY = "sk-proj-abcdefghij0123456789"


def test_every_text_of_a_fact_is_clean() -> None:
    timeline = subject()[1]
    scrubber = Scrubber(Redactor([KEY]), timeline)
    echo = f"<{KEY}\x1b>"
    facts = [
        ServerError(1, ErrorInfo(echo, echo, echo, echo, echo)),
        AudioDelta(1, echo, echo, 5, 10, echo),
        RateLimits(1, (RateLimit(echo, 1.0), RateLimit("requests"))),
        Failure("server", "turn", echo, echo, 1008, echo),
    ]
    for fact in facts:
        assert KEY not in repr(scrubber.fact(fact))
        assert "\\x1b" not in repr(scrubber.fact(fact))


def test_a_fact_without_anything_to_hide_is_itself() -> None:
    scrubber = Scrubber(Redactor([KEY]), subject()[1])
    fact = AudioDelta(1, "resp_1", "item_1", 5, 10, "A" * 1000)
    assert scrubber.fact(fact) is fact


def test_no_text_is_endless() -> None:
    scrubber = Scrubber(Redactor([KEY]), subject()[1])
    error = scrubber.fact(ErrorInfo(code="c" * 5_000_000, message="m" * 5_000_000))
    assert len(error.code or "") == len(error.message or "") == MOST_CHARS
    assert len(scrubber.fact(TextDelta(1, "r", "t" * 5_000_000)).text) == MOST_WORDS_CHARS


def words(timeline: Timeline, kind: type = TextDelta) -> list[str]:
    return [entry.signal.text for entry in timeline.entries if isinstance(entry.signal, kind)]


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        (["the key is sk-proj-abc", "defghij0123", "456789, is it"], ["the key is ***", "", ", is it"]),
        (["sk-proj-abcdefgh", "ij0123456789"], ["***", ""]),
        (["a ", "sk", "-proj-abcdefghij0123456789 b"], ["a ", "***", " b"]),
        (list(KEY), ["***", *[""] * 27]),
        (["nothing", " to ", "hide"], ["nothing", " to ", "hide"]),
    ],
)
def test_a_key_in_several_pieces(pieces: list[str], kept: list[str]) -> None:
    intake, timeline = subject(redactor=Redactor([KEY]))
    intake.take([TextDelta(at, "r", piece) for at, piece in enumerate(pieces)], 1)
    assert words(timeline) == kept


def test_pieces_of_two_texts_are_not_one() -> None:
    intake, timeline = subject(redactor=Redactor([KEY]))
    intake.take([TextDelta(1, "r", "sk-pro"), InputTranscript(2, "i", "j-abcd", False), TextDelta(3, "r", "fit")], 1)
    assert words(timeline) == ["sk-pro", "fit"]
    assert words(timeline, InputTranscript) == ["j-abcd"]


@settings(max_examples=100, deadline=None)
@given(st.text("ab c", max_size=50), st.text("ab c", max_size=50), st.lists(st.integers(1, 60), max_size=12))
def test_however_a_reply_is_cut_the_key_is_not_in_it(before: str, after: str, cuts: list[int]) -> None:
    intake, timeline = subject(redactor=Redactor([KEY]))
    left, at = before + KEY + after, 0
    for cut in [*cuts, len(left)]:
        intake.take([TextDelta(at, "r", left[:cut])], 1)
        left, at = left[cut:], at + 1
    assert "".join(words(timeline)) == f"{before}***{after}"


def test_an_entry_is_only_mended_in_its_text() -> None:
    intake, timeline = subject(redactor=Redactor([KEY]))
    intake.take([TextDelta(7, "r", KEY[:10], "text"), TextDelta(9, "r", KEY[10:], "text")], 12)
    first = timeline.entries[0]
    assert first == Entry(TextDelta(7, "r", "***", "text"), 12, first.turn, first.response)
