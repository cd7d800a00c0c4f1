"""The agent speaks first: what is measured of a greeting, against the truth log of a simulated server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.taking import CALLS, run_of, within
from tests.support.truth_conversation import check_greetings


def test_a_greeting_is_measured_to_the_truth(tmp_path: Path) -> None:
    profile = {"greeting": {"after": {"gamma": {"mean": "300ms", "shape": 4}}, "length": "400ms"}}
    seen = run_of(tmp_path, profile, {"listen": "4s"}, {"say": "yes-rms"})
    assert seen.code == 0, seen.out
    checked = check_greetings(seen.run, seen.truth)
    assert checked["matched"].all()
    assert len(checked) == CALLS
    assert checked["greeting_ms"].std() > 30
    within(checked["greeting_ms_error"])
    assert set(seen.run.turns["status"]) == {"ok"}
    assert (seen.run.sessions["other_responses"] == 1).all()
    assert (seen.run.sessions["other_out_audio"] > 0).all()


@pytest.mark.slow
def test_callers_whom_nobody_greets_are_counted_and_fail_a_threshold(tmp_path: Path) -> None:
    bounds = ["no_greeting_rate <= 10%", "greeting_ms: p50 < 3s"]
    profile = {"greeting": {"share": 0.4, "length": "400ms"}}
    seen = run_of(tmp_path, profile, {"listen": "1500ms"}, {"say": "yes-rms"}, thresholds=bounds)
    assert seen.code == 1, seen.out
    checked = check_greetings(seen.run, seen.truth)
    missing = checked["greeting_ms_true"].isna()
    assert 0 < missing.sum() < CALLS
    assert (checked["greeting_ms"].isna() == missing).all()
    assert f"{missing.sum()} of {CALLS}" in seen.out
    assert "no_greeting_rate" in seen.out


@pytest.mark.slow
def test_fifty_callers_who_are_greeted(tmp_path: Path) -> None:
    profile = {"greeting": {"after": {"gamma": {"mean": "300ms", "shape": 4}}, "length": "400ms"}}
    seen = run_of(tmp_path, profile, {"listen": "4s"}, {"say": "yes-rms"}, calls=50)
    within(check_greetings(seen.run, seen.truth)["greeting_ms_error"])
