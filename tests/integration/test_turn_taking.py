"""Where a turn ends: what a run measures of it, against the truth log of a server that behaves and misbehaves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.calibrate.truth import check_turns
from bench.store.reader import iter_timelines
from tests.support.taking import CALLS, Seen, run_of, wire_events, within

SPLITTER = {"seed": 2, "reply_length": "600ms", "faults": [{"kind": "split_turn", "rate": 0.4, "after": "900ms"}]}


def check_splits(seen: Seen, calls: int) -> pd.DataFrame:
    checked = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    assert len(checked) == calls
    assert checked["matched"].all()
    assert (checked["split_turn"] == checked["true_split_turn"]).all()
    assert (checked["status"] == checked["true_status"]).all()
    for name in ("endpoint_ms", "first_audio_ms", "first_audible_ms"):
        within(checked[f"{name}_error"])
    return checked


def test_split_utterances_are_counted_and_judged_by_the_answer_to_the_whole(tmp_path: Path) -> None:
    seen = run_of(tmp_path, SPLITTER, {"say": "balance-slt"}, thresholds=["split_turn < 10%", "error_rate < 1%"])
    assert seen.code == 1, seen.out
    split = check_splits(seen, CALLS)["split_turn"].astype(bool)
    assert 0 < split.sum() < CALLS
    turns = seen.run.turns
    assert set(turns["status"]) == {"ok"}
    assert (turns.loc[split.to_numpy(), "responses"] == 2).all()
    assert f"{split.sum()} of {CALLS}" in seen.out
    assert (turns["wer"] == 0).all(), "the words of both halves"


@pytest.mark.slow
def test_fifty_callers_of_whom_some_are_split(tmp_path: Path) -> None:
    seen = run_of(tmp_path, SPLITTER, {"say": "balance-slt"}, calls=50)
    assert 0 < check_splits(seen, 50)["split_turn"].sum() < 50


def test_a_first_half_that_goes_on_is_no_answer(tmp_path: Path) -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    seen = run_of(tmp_path, SPLITTER, {"say": "balance-slt"}, session={"turn_detection": detection}, calls=6)
    split = seen.run.turns["split_turn"].astype(bool)
    assert set(seen.run.turns.loc[split, "status"]) == {"no_reply"}
    assert set(seen.run.turns.loc[~split, "status"]) == {"ok"}


@pytest.mark.parametrize(
    ("eagerness", "endpoint_ms"),
    [
        ("auto", 700),
        pytest.param("low", 1_200, marks=pytest.mark.slow),
        pytest.param("high", 400, marks=pytest.mark.slow),
    ],
)
def test_the_end_of_a_turn_by_meaning(tmp_path: Path, eagerness: str, endpoint_ms: float) -> None:
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    seen = run_of(
        tmp_path, {"reply_length": "400ms"}, {"say": "yes-rms"}, session={"turn_detection": detection}, calls=3
    )
    assert seen.code == 0, seen.out
    assert seen.run.sessions["session_differences"].isna().all()
    checked = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    within(checked["endpoint_ms_error"])
    within(checked["first_audio_ms_error"])
    # A busy machine only makes the server later.
    assert checked["endpoint_ms_true"].min() == pytest.approx(endpoint_ms, abs=50)


def test_a_server_that_does_not_answer_by_itself_is_asked(tmp_path: Path) -> None:
    detection = {"type": "server_vad", "create_response": False}
    seen = run_of(tmp_path, {"reply_length": "400ms"}, *[{"say": "yes-rms"}] * 2, session={"turn_detection": detection})
    assert seen.code == 0, seen.out
    assert set(seen.run.turns["status"]) == {"ok"}
    assert wire_events(seen, "error") == 0


@pytest.mark.slow
def test_speech_of_the_servers_own_after_silence_is_billed_to_the_call(tmp_path: Path) -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    steps = {"say": "yes-rms"}, {"listen": "8s"}, {"say": "yes-slt"}
    seen = run_of(tmp_path, {"reply_length": "400ms"}, *steps, session={"turn_detection": detection}, calls=4)
    assert seen.code == 0, seen.out
    calls, turns = seen.run.sessions, seen.run.turns
    assert wire_events(seen, "input_audio_buffer.timeout_triggered") == calls["idle_timeouts"].sum() == 4
    assert list(turns["status"]) == ["ok"] * 8
    assert (turns["responses"] == 1).all()
    assert (calls["other_responses"] == 1).all()
    assert (calls["other_out_audio"] > 0).all()
    assert calls["greeting_ms"].isna().all(), "it came after the caller had spoken"
    checked = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    for name in ("first_audio_ms", "in_audio", "out_audio"):
        within(checked[f"{name}_error"])


@pytest.mark.slow
def test_a_server_that_keeps_silent_is_not_waited_for_longer(tmp_path: Path) -> None:
    steps = {"say": "yes-rms"}, {"listen": "700ms"}, {"say": "yes-slt"}
    seen = run_of(tmp_path, {"reply_length": "400ms"}, *steps, calls=2)
    assert seen.code == 0, seen.out
    assert (seen.run.sessions["idle_timeouts"] == 0).all()
    assert (seen.run.sessions["other_responses"] == 0).all()
    assert list(seen.run.turns["status"]) == ["ok"] * 4


HASTY = {"seed": 4, "reply_length": "600ms", "faults": [{"kind": "early_reply", "rate": 0.4, "after": "600ms"}]}


def check_early(seen: Seen, calls: int) -> None:
    checked = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    assert len(checked) == calls
    assert (checked["status"] == checked["true_status"]).all()
    early = checked["status"] == "early"
    assert 0 < early.sum() < calls
    assert (checked.loc[early, "first_audio_ms"] < 0).all(), "kept, with a latency below zero"
    assert f"{early.sum()} of {calls}" in seen.out
    for name in ("endpoint_ms", "first_audio_ms", "first_audible_ms"):
        within(checked[f"{name}_error"])
    assert (seen.run.turns.loc[seen.run.turns["status"] == "early", "talk_over_ms"] > 100).all()


def test_replies_that_begin_too_soon_are_kept_and_counted(tmp_path: Path) -> None:
    bounds = ["early_rate < 10%", "talk_over_rate < 10%"]
    seen = run_of(tmp_path, HASTY, {"say": "balance-slt"}, thresholds=bounds)
    assert seen.code == 1, seen.out
    check_early(seen, CALLS)


@pytest.mark.slow
def test_fifty_callers_of_whom_some_are_answered_too_soon(tmp_path: Path) -> None:
    check_early(run_of(tmp_path, HASTY, {"say": "balance-slt"}, calls=50), 50)
