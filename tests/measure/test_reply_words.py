"""Which replies may be listened to, and the counts of what was heard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.facts.acts import Cut
from bench.measure.reply_words import REPLY_COLUMNS, spoken_replies, with_reply_words
from bench.run.recogniser import PocketSphinx
from tests.measure.build import audio, done, facts, measure, ns, onset, started, timeline


def reply(status: Any = "completed") -> list[Any]:
    return [started(500), audio(700, 1_000), onset(700, 0), done(900, status=status, wording="Yes, it is.")]


def test_a_whole_reply_is_where_a_listener_heard_it() -> None:
    (found,) = spoken_replies(timeline(reply(), facts(), jitter_buffer_ms=0.0))
    assert (found.turn, list(found.spans)) == (0, [(ns(700), ns(1_700))])


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_a_reply_that_was_not_sent_whole_is_left_out(status: str) -> None:
    assert spoken_replies(timeline(reply(status), facts())) == []


def test_a_reply_that_was_cut_or_never_came_is_left_out() -> None:
    cut = [Cut(0, ns(1_000), "speech_started")]
    assert spoken_replies(timeline(reply(), facts(cuts_measured=1), cuts=cut)) == []
    assert spoken_replies(timeline([started(500)], facts(end="reply_timeout"))) == []


def test_what_was_heard_is_counted_against_the_transcript() -> None:
    row = with_reply_words(measure(reply()), "yes it was")
    assert (row.reply_wer, row.reply_hits, row.reply_substitutions) == (1 / 3, 2, 1)
    assert with_reply_words(row, None) is row
    assert {getattr(measure(reply()), name) for name in REPLY_COLUMNS} == {None}
    unwritten = replace(measure(reply()), reply_text=None)
    assert with_reply_words(unwritten, "yes") is unwritten


LANGUAGES = {"en-GB": True, "unknown": True, "de": False, "klingonish": False}


@pytest.mark.parametrize(("language", "known"), LANGUAGES.items())
def test_the_shipped_recogniser_knows_english(language: str, known: bool) -> None:
    assert PocketSphinx().knows(language) is known
