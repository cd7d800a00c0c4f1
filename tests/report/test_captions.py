"""Captions of a run: percentiles over words, stability over all of them, nothing where nobody was captioned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.report.captions import captions
from bench.report.captions_section import captions_section
from bench.report.latency import metric_rows
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.report.view import view_of
from bench.store.reader import Run
from tests.report import build


def captioned(folder: Path, *, targets: tuple[str, ...] = ("one",)) -> Run:
    turns, sessions = build.rows(calls=20, turns=2, fails=0.0, warm=0)
    for place, row in enumerate(turns):
        words = [[100.0 + word, 200.0 + word + 300 * (place % 2)] for word in range(5)]
        turns[place] = replace(
            row,
            target=targets[row.session_index % len(targets)],
            session_type="transcription",
            first_audible_ms=None,
            first_audio_ms=None,
            ttft_ms=None,
            caption_final_ms=250.0,
            word_shown_ms=102.0,
            word_settled_ms=202.0,
            caption_changes=place % 2,
            caption_words_shown=5,
            caption_words=json.dumps(words) if place else None,
        )
    return build.finished(folder, turns, sessions)


def test_nothing_without_captions(tmp_path: Path) -> None:
    run = build.finished(tmp_path, *build.rows(calls=6, turns=2))
    assert captions(view_of(run)).rows == []
    assert captions_section(summarise(run), ()).tables == ()


def test_percentiles_are_over_words_and_changes_over_all_of_them(tmp_path: Path) -> None:
    view = view_of(captioned(tmp_path))
    found = captions(view)
    (row,) = found.rows
    assert (row.turns, row.words, row.words_shown, row.changes) == (40, 39 * 5, 200, 20)
    assert found.untimed_turns == 1
    expected = np.percentile([100 + word for word in range(5)] * 39, 50)
    assert row.shown_ms[0].value == pytest.approx(expected)
    assert row.settled_ms[2].value == pytest.approx(504)
    assert {each.group for each in metric_rows(view)} & {"latency", "rates", "delivery"} == set()


def test_several_targets_have_rows_of_their_own(tmp_path: Path) -> None:
    run = captioned(tmp_path, targets=("one", "two"))
    found = captions(view_of(run))
    assert [row.name for row in found.rows] == ["all", "one", "two"]
    text = render_terminal(summarise(run))
    assert "Word shown, one, ms" in text
    assert "Word settled, two, ms" in text
    delays = text[text.index("CAPTIONS: DELAY") : text.index("CAPTIONS: STABILITY")]
    assert "Word shown, ms" not in delays, "words of two transcribers are no one distribution"
