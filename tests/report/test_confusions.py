"""Words of all turns: which were confused, under which load, and what was empty or missing; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measure.wer import score_words
from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.store.reader import read_run
from tests.report import build

SAID = "my order is fifty please"
HEARD = {
    "all": "my order is fifty please",
    "fifteen": "my order is fifteen please",
    "lost": "my order is please",
    "added": "my order is fifty please pounds",
    "empty": "",
    "failed": None,
    "missing": None,
}


def summary_of(root: Path, *heard: str) -> Summary:
    """Turns of which the n-th was heard as the n-th of `heard`; calls come faster than they end."""
    turns, calls = build.rows(calls=len(heard), turns=1, fails=0.0, warm=0)
    for row, name in zip(turns, heard, strict=True):
        row.reference, row.hypothesis = SAID, HEARD[name]
        score = score_words(SAID, HEARD[name], "en") if HEARD[name] is not None else None
        for column in ("hits", "substitutions", "deletions", "insertions", "wer", "wer_raw"):
            setattr(row, column, None if score is None else getattr(score, column))
        row.transcription_error = "no_audio" if name == "failed" else None
        row.normaliser = None if score is None else row.normaliser
    return summarise(build.finished(root, turns, calls))


def test_the_most_confused_words_come_first(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, *["fifteen"] * 3, *["lost"] * 2, "added", "all")
    shown = [(each.said, each.heard, each.times, each.turns) for each in summary.words.confusions]
    assert shown == [("50", "15", 3, 3), ("50", "", 2, 2), ("", "pound", 1, 1)]
    for text in (render_html(summary), render_terminal(summary)):
        assert "(nothing)" in text


def test_nothing_is_confused_where_all_was_heard(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, *["all"] * 6)
    assert summary.words.confusions == []
    overall = summary.words.overall
    assert overall is not None
    assert overall.interval is not None
    assert overall.interval.low == 0
    assert overall.interval.high > 0.05, "no error in thirty words is no proof"


def test_words_by_load(tmp_path: Path) -> None:
    rows = summary_of(tmp_path, *["all"] * 10, *["lost"] * 10).words.cuts["open calls"]
    turns = read_run(tmp_path).turns
    for row in rows:
        low, _, high = row.name.partition(" to ")
        own = turns[turns["open_sessions"].between(int(low), int(high or low))]
        assert row.turns == len(own)
        assert row.wer == pytest.approx((own["deletions"].sum()) / (6 * len(own))), "fifty is two digits of six words"
    assert sum(row.turns for row in rows) == 20
    assert len(rows) > 3


def test_empty_failed_and_missing_are_told_apart(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, "all", "all", "empty", "failed", "missing")
    words = summary.words
    assert (words.expected, words.scored, words.failed, words.empty) == (5, 3, 1, 1)
    assert words.overall is not None
    assert words.overall.wer == pytest.approx(6 / 18), "every digit is a word"
    text = render_terminal(summary)
    assert "Transcriptions without a word" in text
    assert "Transcriptions that failed" in text
    assert "Turns without a transcription" in text
