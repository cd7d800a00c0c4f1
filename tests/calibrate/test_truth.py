"""The checker: right on a real run against the simulated server, and seen to fail when a value is shifted by hand."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from bench.calibrate.sent import TrueSession, log_files, read_truth
from bench.calibrate.truth import LATENCIES, check_turns, summarise, true_turn
from bench.errors import BenchError
from bench.facts.timeline import Timeline
from bench.store.reader import Run, iter_timelines, read_run
from tests.measure.build import SPEECH_END_NS, T0_NS, facts, ns, timeline
from tests.server.support import server_process
from tests.support.processes import ROOT, bench

PROFILE = """
seed: 5
endpointing: {lognormal: {median: 300ms, sigma: 0.1}}
first_token: {gamma: {mean: 400ms, shape: 60}}
first_audio: {gamma: {mean: 480ms, shape: 60}}
leading_silence: {gamma: {mean: 90ms, shape: 9}}
reply_length: 700ms
transcription: {errors: {substitutions: 1, deletions: 0.1}}
faults:
  - {kind: cut, at_turn: 1, sessions: [1]}
  - {kind: done, at_turn: 1, sessions: [2], status: failed}
  - {kind: no_reply, at_turn: 1, sessions: [3]}
  - {kind: missing_usage, at_turn: 1, sessions: [4]}
  - {kind: duplicate_events, at_turn: 1, sessions: [5]}
  - {kind: silent_reply, at_turn: 1, sessions: [6]}
  - {kind: split_turn, at_turn: 1, sessions: [7, 8]}
"""
# The kernel deals the calls to two processes, each of which numbers its own (0, 2, 4 ... and 1, 3, 5 ...): of ten calls
# at least one is number 7 or number 8, whichever way they fall.


@pytest.fixture(scope="module")
def checked_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Timeline], dict[str, TrueSession]]:
    """Ten calls of two turns, their timelines, and what two server processes wrote of them."""
    folder = tmp_path_factory.mktemp("truth")
    (folder / "profile.yaml").write_text(PROFILE)
    scenario = {
        "name": "truth",
        "target": {"url": "ws://127.0.0.1:9/v1/realtime", "model": "simulated"},
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "session": {"transcription": {"model": "gpt-4o-mini-transcribe"}},
        "conversation": [{"say": ["hours-friday-slt", "agent-awb"]}, {"say": ["balance-slt", "plan-prices-awb"]}],
        "load": {"callers": 10, "sessions": 10},
        "timeouts": {"reply": "3s", "transcription": "1s"},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    log = folder / "truth.jsonl"
    options = {"engine": "simulated", "profile": folder / "profile.yaml", "processes": 2, "truth_log": log}
    with server_process(**options) as (_, address):
        url = address.replace("http", "ws") + "/v1/realtime"
        bench("run", folder / "scenario.yaml", "--url", url, "--out", folder / "run")
    run = read_run(folder / "run")
    return run, list(iter_timelines(folder / "run")), read_truth(log_files(log))


def disagreements(checked: pd.DataFrame) -> pd.DataFrame:
    """The turns whose outcome or fixture is not what the server did or heard (matched turns that were heard)."""
    matched = checked[checked["matched"].astype(bool)]
    status = (matched["true_status"].notna()) & (matched["status"] != matched["true_status"])
    fixture = (matched["true_fixture"].notna()) & (matched["fixture"] != matched["true_fixture"])
    return matched[status | fixture]


def check(parts: tuple[Run, list[Timeline], dict[str, TrueSession]]) -> pd.DataFrame:
    return check_turns(*parts)


def errors(checked: pd.DataFrame, metric: str) -> np.ndarray:
    return checked[f"{metric}_error"].dropna().to_numpy(dtype=float)


def test_what_was_measured_is_what_the_server_did(
    checked_run: tuple[Run, list[Timeline], dict[str, TrueSession]],
) -> None:
    checked = check(checked_run)
    assert len(checked) == len(checked_run[0].turns) == 20
    assert checked["matched"].all()
    assert disagreements(checked).empty, disagreements(checked)[["turn", "status", "true_status", "fixture"]]
    assert set(checked["status"]) >= {"ok", "failed", "no_reply"}
    assert checked["split_turn"].sum() == checked["true_split_turn"].sum() >= 1
    for metric in LATENCIES:
        if metric != "commit_to_first_audio_ms":
            assert len(errors(checked, metric)) >= 14, metric
            assert np.median(np.abs(errors(checked, metric))) < 2, metric  # a busy machine; calibration bounds it
    for metric in ("substitutions", "deletions", "insertions", "in_audio", "out_audio", "out_text"):
        assert len(errors(checked, metric)) >= 14, metric
        assert not np.abs(errors(checked, metric)).any(), metric
    assert (checked["substitutions_true"].dropna() == 1).all()
    assert checked["late_ms"].abs().median() < 20
    summary = summarise(checked).set_index("metric")
    assert summary.loc["first_audio_ms", "unmatched"] == 0
    assert summary["one_sided"].sum() == 0


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("input_audio_buffer.speech_stopped", "endpoint_ms"),
        ("response.output_audio_transcript.delta", "ttft_ms"),
        ("response.output_audio.delta", "first_audio_ms"),
        ("response.output_audio.delta", "first_audible_ms"),
        ("response.done", "response_done_ms"),
    ],
)
def test_a_shifted_event_is_found(
    checked_run: tuple[Run, list[Timeline], dict[str, TrueSession]], kind: str, metric: str
) -> None:
    run, timelines, sessions = checked_run
    before = errors(check(checked_run), metric)
    shifted = copy.deepcopy(sessions)
    for session in shifted.values():
        session.events = [
            {**event, "at_ns": event["at_ns"] - 7_000_000 if event["type"] == kind else event["at_ns"]}
            for event in session.events
        ]
    assert errors(check_turns(run, timelines, shifted), metric) == pytest.approx(before + 7.0, abs=1e-6)


def test_wrong_silence_words_usage_and_outcome_are_found(
    checked_run: tuple[Run, list[Timeline], dict[str, TrueSession]],
) -> None:
    run, timelines, sessions = checked_run
    wrong = copy.deepcopy(sessions)
    for session in wrong.values():
        for turn in session.turns:
            turn["expected"]["substitutions"] += 1  # type: ignore[index]
            turn["fixture"] = "yes-rms"  # type: ignore[index]
        for event in session.events:
            if event.get("silent_samples"):
                event["silent_samples"] -= 240  # type: ignore[index]
            if event["type"] == "response.done" and event["usage"] is not None:
                event["usage"]["output_token_details"]["audio_tokens"] += 3
    checked = check_turns(run, timelines, wrong)
    assert (errors(checked, "substitutions") == -1).all()
    assert (errors(checked, "out_audio") <= -3).all()
    # a shorter silence is heard earlier, unless it was none or its chunk was cut in two
    assert np.median(errors(checked, "first_audible_ms")) == pytest.approx(10, abs=3)
    assert len(disagreements(checked)) == len(checked)


def test_turns_that_cannot_be_joined_stay_with_their_reason(
    checked_run: tuple[Run, list[Timeline], dict[str, TrueSession]],
) -> None:
    run, timelines, sessions = checked_run
    missing = sorted(sessions)[0]
    checked = check_turns(run, timelines, {name: value for name, value in sessions.items() if name != missing})
    assert len(checked) == 20
    lost = checked[~checked["matched"]]
    assert len(lost) == 2
    assert set(lost["reason"]) == {"the server's log has no such session"}
    assert (summarise(checked)["unmatched"] == 2).all()
    without = check_turns(run, timelines[1:], sessions)
    assert set(without[~without["matched"]]["reason"]) == {"the run kept no timeline of this turn"}
    silent = copy.deepcopy(sessions)
    for session in silent.values():
        session.events, session.turns = [], []
    unheard = check_turns(run, timelines, silent)
    assert not unheard["matched"].any()
    one_sided = copy.deepcopy(sessions)
    for session in one_sided.values():
        session.events = [event for event in session.events if event["type"] != "input_audio_buffer.speech_stopped"]
    summary = summarise(check_turns(run, timelines, one_sided)).set_index("metric")
    assert summary.loc["endpoint_ms", "n"] == 0
    assert summary.loc["endpoint_ms", "one_sided"] == 20


def test_the_log_of_a_killed_process_is_read_up_to_the_cut(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    head = b'{"kind":"session","session":"s","at_ns":1,"peer":"","number":0}\n'
    log.write_bytes(head + b'{"kind":"event","session":"s","at_ns":2,"by')
    assert list(read_truth([log])) == ["s"]
    log.write_bytes(b'{"kind":"event"\n' + head)
    with pytest.raises(BenchError, match=r"truth\.jsonl:1: not a line"):
        read_truth([log])
    with pytest.raises(BenchError, match="no such truth log"):
        log_files(tmp_path / "other.jsonl")


def sent(ms: float, kind: str, **more: object) -> dict[str, object]:
    return {"kind": "event", "at_ns": ns(ms), "type": kind, "bytes": 1, **more}


def test_the_truth_of_one_turn_by_hand() -> None:
    session = TrueSession(
        {},
        [
            sent(-900, "input_audio_buffer.speech_stopped"),
            sent(-890, "response.created", response="r0"),
            sent(-500, "response.done", response="r0", status="cancelled", details=None, usage=None),
            sent(400, "input_audio_buffer.speech_stopped"),
            sent(410, "response.created", response="r1"),
            sent(500, "response.output_audio_transcript.delta", response="r1", text="Hi"),
            sent(600, "response.output_audio.delta", response="r1", samples=2400, silent_samples=2400),
            sent(650, "response.output_audio.delta", response="r1", samples=2400, silent_samples=480),
            sent(900, "response.done", response="r1", status="completed", details=None, usage=None),
            sent(5000, "response.created", response="r2"),
        ],
        [
            {
                "turn": 0,
                "items": ["u"],
                "fixture": "balance",
                "speech_end_ns": SPEECH_END_NS + 3_000_000,
                "expected": None,
            }
        ],
    )
    turn = facts()
    truth = true_turn(timeline([], turn), turn, ns(4000), session)
    assert {name: truth[name] for name in LATENCIES} == {
        "endpoint_ms": 400,
        "ttft_ms": 500,
        "first_audio_ms": 600,
        "first_audible_ms": 720,  # the second delta is heard behind the first: 600 + 100 + 20
        "commit_to_first_audio_ms": None,
        "response_done_ms": 900,
    }
    assert truth["status"] == "cancelled"  # the server had begun to answer before the caller was done
    assert truth["late_ms"] == 3.0
    assert truth["reason"] is None
    session.events = session.events[3:]
    assert true_turn(timeline([], turn), turn, ns(4000), session)["status"] == "ok"
    early = facts(speech_end_ns=ns(700), t0_ns=T0_NS)
    assert true_turn(timeline([], early), early, ns(4000), session)["status"] == "early"
