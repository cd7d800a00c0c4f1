"""Callers make sounds while they listen: what is measured of it, against the truth log of a simulated server."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.store.reader import iter_timelines
from tests.support.taking import CALLS, TALKER, Seen, barge_ins, run_of, within
from tests.support.truth_conversation import BARGE_INS, check_backchannels

NODS = (
    {"say": "yes-rms"},
    {"backchannel": ["mm-hm", "uh-huh", "cough", "door"], "after": "600ms"},
    {"backchannel": ["okay", "right"], "after": "2s"},
    {"say": "yes-slt"},
)


def check_nods(seen: Seen, calls: int) -> pd.DataFrame:
    checked = check_backchannels(seen.run, iter_timelines(seen.folder), seen.truth)
    assert len(checked) == calls
    assert checked["matched"].all()
    assert (checked["false_barge_in"] == checked["false_barge_in_true"]).all()
    return checked


@pytest.mark.slow
def test_replies_that_go_on_beneath_a_sound(tmp_path: Path) -> None:
    profile = TALKER | {"barge_in": {"shortest": "800ms"}}
    seen = run_of(tmp_path, profile, *NODS, thresholds=["false_barge_in < 1%"])
    assert seen.code == 0, seen.out
    assert not check_nods(seen, CALLS)["false_barge_in"].any()
    assert set(seen.run.turns["status"]) == {"ok"}
    assert (seen.run.turns["backchannels"].dropna() == 2).all()
    assert (seen.run.sessions["other_responses"] == 0).all()


@pytest.mark.parametrize(("speed", "calls"), [(1.2, 5), pytest.param(20, CALLS, marks=pytest.mark.slow)])
def test_replies_that_stop_for_some_sounds_fail_a_threshold(tmp_path: Path, speed: float, calls: int) -> None:
    profile = TALKER | {"delivery_speed": speed, "barge_in": {"shortest": "800ms", "false_stops": 0.4}}
    bounds = ["false_barge_in < 10%", "error_rate < 100%"]
    seen = run_of(tmp_path, profile, *NODS, thresholds=bounds, calls=calls)
    assert seen.code == 1, seen.out
    stopped = check_nods(seen, calls)["false_barge_in"]
    assert 0 < stopped.sum() < calls
    assert f"{stopped.sum()} of {calls}" in seen.out
    # What was already sent cannot be cancelled, and the caller does not hear it on all the same.
    statuses = set(seen.run.turns.loc[seen.run.turns["false_barge_in"].fillna(False), "status"])
    assert statuses == ({"cancelled"} if speed == 1.2 else {"ok"})
    assert seen.run.sessions["other_responses"].sum() == stopped.sum(), "the server answers the sound"
    assert (seen.run.turns["hypothesis"].notna()).all()
    assert set(seen.run.turns.loc[seen.run.turns["turn"] == 1, "status"]) == {"ok"}


@pytest.mark.slow
def test_fifty_callers_who_make_sounds(tmp_path: Path) -> None:
    profile = TALKER | {"barge_in": {"shortest": "800ms", "false_stops": 0.3}}
    seen = run_of(tmp_path, profile, *NODS, thresholds=["error_rate < 100%"], calls=50)
    assert 0 < check_nods(seen, 50)["false_barge_in"].sum() < 50


def test_an_interruption_after_a_sound(tmp_path: Path) -> None:
    profile = TALKER | {"barge_in": {"shortest": "700ms"}}
    cut_in = {"interrupt": {"after": "2s", "say": "no-wrong-kal16"}}
    seen = run_of(tmp_path, profile, *NODS[:2], cut_in, calls=4)
    assert seen.code == 0, seen.out
    assert not check_nods(seen, 4)["false_barge_in"].any()
    assert sorted(seen.run.turns["status"]) == ["interrupted"] * 4 + ["ok"] * 4
    for name in BARGE_INS:
        within(barge_ins(seen)[f"{name}_error"])
    # Nobody knows before that the sound will last.
    assert (barge_ins(seen)["barge_in_stop_ms"] > 600).all()
