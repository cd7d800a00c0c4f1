"""Callers cut into replies: what is measured of it, against the truth log of a server that stops, late, or never."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.taking import CALLS, REACTION, TALKER, Seen, barge_ins, run_of, wire_events, within
from tests.support.truth_conversation import BARGE_INS

MODES: dict[str, dict[str, Any]] = {
    "server": {"turn_detection": "server_vad"},
    "client": {"turn_detection": {"type": "server_vad", "interrupt_response": False}},
    "manual": {"turn_detection": "manual"},
}
CUT_IN = ({"say": "yes-rms"}, {"interrupt": {"after": "700ms", "say": "no-wrong-kal16"}})


def check_cut_ins(seen: Seen, mode: str, calls: int) -> pd.DataFrame:
    """Everything that is said of interruptions, to the truth."""
    assert seen.code == 0, seen.out
    turns = seen.run.turns
    assert sorted(turns["status"]) == ["interrupted"] * calls + ["ok"] * calls
    checked = barge_ins(seen)
    assert len(checked) == calls
    assert checked["matched"].all()
    for name in BARGE_INS:
        known = checked[f"{name}_true"].notna()
        assert (checked[name].notna() == known).all(), name
        if known.any():
            within(checked.loc[known, f"{name}_error"])
    # The caller speaks within one frame of 40 ms after the moment, 700 ms behind 100 ms of silence, or when a busy
    # machine comes to it.
    at_ms = turns.loc[turns["barge_in"].fillna(False), "barge_in_at_ms"]
    assert at_ms.min() > 795
    assert at_ms.median() < 845
    assert wire_events(seen, "conversation.item.truncated") == calls
    assert wire_events(seen, "error") == 0
    assert turns["in_audio"].notna().all(), "a cancelled response is billed"
    return checked


@pytest.mark.parametrize("mode", ["server", "client", pytest.param("manual", marks=pytest.mark.slow)])
def test_an_interruption_is_measured_to_the_truth(tmp_path: Path, mode: str) -> None:
    seen = run_of(tmp_path, TALKER | REACTION, *CUT_IN, session=MODES[mode])
    checked = check_cut_ins(seen, mode, CALLS)
    if mode == "manual":
        assert (checked["barge_in_stop_ms"] < 1).all()
        assert checked["barge_in_seen_ms"].isna().all()
    else:
        assert checked["barge_in_stop_ms"].std() > 20
        assert (checked["barge_in_stop_ms"] == checked["talk_over_ms"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_fifty_callers_at_once_are_measured_to_the_truth(tmp_path: Path, mode: str) -> None:
    check_cut_ins(run_of(tmp_path, TALKER | REACTION, *CUT_IN, session=MODES[mode], calls=50), mode, 50)


@pytest.mark.slow
def test_a_reply_that_was_sent_before_it_was_heard_is_stopped_too(tmp_path: Path) -> None:
    seen = run_of(tmp_path, TALKER | {"delivery_speed": 20}, *CUT_IN)
    checked = check_cut_ins(seen, "server", CALLS)
    assert (checked["discarded_audio_ms"] > 2_500).all()
    assert all(event["status"] == "completed" for s in seen.truth.values() for event in s.events if "status" in event)


def test_a_server_that_does_not_stop_fails_a_threshold(tmp_path: Path) -> None:
    bounds = ["barge_in_stop_ms: p50 < 400ms", "talk_over_rate < 10%"]
    profile = TALKER | {"barge_in": {"reaction": "20s"}}
    seen = run_of(tmp_path, profile, *CUT_IN, thresholds=bounds)
    assert seen.code == 1, seen.out
    checked = barge_ins(seen)
    for name in BARGE_INS:
        within(checked[f"{name}_error"])
    spoken_ms = seen.run.turns.loc[seen.run.turns["barge_in"].fillna(False), "speech_ms"].iloc[0]
    assert (checked["barge_in_stop_ms"] > spoken_ms).all()
    assert np.allclose(checked["talk_over_ms"], spoken_ms, atol=1)


@pytest.mark.slow
def test_a_caller_who_comes_too_late_has_an_ordinary_turn(tmp_path: Path) -> None:
    seen = run_of(tmp_path, {"reply_length": "500ms"}, *CUT_IN, calls=4)
    assert seen.code == 0, seen.out
    assert set(seen.run.turns["status"]) == {"ok"}
    assert list(seen.run.turns["barge_in"].dropna()) == [False] * 4
    assert barge_ins(seen).empty


def test_a_greeting_can_be_cut_into(tmp_path: Path) -> None:
    profile = TALKER | REACTION | {"greeting": {"length": "4s"}}
    seen = run_of(tmp_path, profile, {"listen": "3s"}, CUT_IN[1], calls=4)
    assert seen.code == 0, seen.out
    assert list(seen.run.turns["barge_in"]) == [True] * 4
    assert (seen.run.sessions["greeting_ms"] > 0).all()
    for name in BARGE_INS:
        within(barge_ins(seen)[f"{name}_error"])


@pytest.mark.slow
def test_a_word_of_the_reply_may_be_the_moment(tmp_path: Path) -> None:
    words = {"say": "yes-rms"}, {"interrupt": {"words": 4, "say": "no-wrong-kal16"}}
    profile = TALKER | {"reply": "one two three four five six seven eight nine ten"}
    seen = run_of(tmp_path, profile, *words, calls=4)
    at_ms = seen.run.turns["barge_in_at_ms"].dropna()
    assert len(at_ms) == 4
    # Ten words in 4.1 s of audio, so that the fourth ends after some 1.6 s; chunks of 200 ms place them no better.
    assert at_ms.between(1_400, 1_900).all(), at_ms
