"""Every dialect against the server's side of it: errors against the truth, typed faults, rows measured again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.calibrate.truth import check_turns
from bench.store.reader import iter_timelines
from tests.support.processes import bench, simulated_server
from tests.support.taking import Seen, run_of, within

FIFTY_CALLS_MS = 2.0
"""The bound of a p99 at fifty calls: tighter than that of short tests on a busy machine."""
PROFILE = {
    "seed": 4,
    "endpointing": "300ms",
    "first_audio": {"gamma": {"mean": "300ms", "shape": 40}},
    "leading_silence": "60ms",
    "reply_length": "400ms",
}
FAULTS = [
    {"kind": "cut", "sessions": [0]},
    {"kind": "done", "status": "failed", "sessions": [1]},
    {"kind": "no_reply", "sessions": [2]},
    {"kind": "missing_usage", "sessions": [3]},
    {"kind": "silent_reply", "sessions": [4]},
    {"kind": "http", "status": 429, "sessions": [5]},
]
SHORT = {"timeouts": {"reply": "2s", "transcription": "1s"}}


def checked(seen: Seen) -> pd.DataFrame:
    """The run's turns beside the truth: every one is known to the server, and judged alike."""
    table = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    assert table["matched"].all()
    assert (table["status"] == table["true_status"]).all(), table[["status", "true_status"]]
    return table


@pytest.mark.parametrize("mode", ["server_vad", "manual"])
def test_a_beta_server_is_measured_as_it_was(tmp_path: Path, mode: str) -> None:
    session = {"turn_detection": mode}
    seen = run_of(tmp_path, PROFILE, {"say": "yes-rms"}, calls=6, dialect="openai-beta", session=session)
    assert seen.code == 0, seen.out
    table = checked(seen)
    for name in ("first_audio_ms", "first_audible_ms"):
        within(table[f"{name}_error"])
    turns = seen.run.turns
    assert turns["endpoint_ms"].notna().all() == (mode == "server_vad")
    assert turns["out_audio"].notna().all()
    assert turns["in_cached_audio"].isna().all() if "in_cached_audio" in turns else True
    assert (turns["wer"] == 0).all()
    assert {truth.facts["dialect"] for truth in seen.truth.values()} == {"openai-beta"}


SLOW_VARIANTS = [pytest.param(name, marks=pytest.mark.slow) for name in ("azure-voice-live", "xai")]


@pytest.mark.parametrize("dialect", ["qwen-omni", *SLOW_VARIANTS])
def test_a_variant_is_measured_as_it_was(tmp_path: Path, dialect: str) -> None:
    seen = run_of(tmp_path, PROFILE, {"say": "yes-rms"}, calls=4, dialect=dialect)
    assert seen.code == 0, seen.out
    table = checked(seen)
    for name in ("first_audio_ms", "first_audible_ms", "endpoint_ms"):
        within(table[f"{name}_error"])
    assert (seen.run.turns["wer"] == 0).all()
    assert seen.run.turns["out_audio"].notna().all()


@pytest.mark.parametrize("mode", ["server_vad", "manual"])
def test_gemini_live_is_measured_as_it_was(tmp_path: Path, mode: str) -> None:
    session = {"turn_detection": mode}
    seen = run_of(tmp_path, PROFILE, {"say": "yes-rms"}, calls=4, dialect="gemini-live", session=session)
    assert seen.code == 0, seen.out
    table = checked(seen)
    for name in ("first_audio_ms", "first_audible_ms"):
        within(table[f"{name}_error"])
    turns = seen.run.turns
    assert turns["endpoint_ms"].isna().all(), "the server never says when it heard the caller stop"
    assert (turns["wer"] == 0).all()
    assert turns["out_audio"].notna().all()


def test_elevenlabs_agents_are_measured_as_they_were(tmp_path: Path) -> None:
    seen = run_of(tmp_path, PROFILE, {"say": "yes-rms"}, calls=4, dialect="elevenlabs-agents")
    assert seen.code == 0, seen.out
    table = checked(seen)
    for name in ("ttft_ms", "first_audio_ms", "first_audible_ms"):
        within(table[f"{name}_error"])
    turns = seen.run.turns
    assert turns["endpoint_ms"].isna().all(), "the server never says when it heard the caller stop"
    assert (turns["wer"] == 0).all()
    assert turns["out_audio"].isna().all(), "usage is not told in the call"


def test_a_bot_behind_twilio_is_measured_as_it_was(tmp_path: Path) -> None:
    profile = {**PROFILE, "faults": FAULTS[2:3]}
    blocks = {"session": {"frame": "20ms"}, **SHORT}
    steps = [{"press": "1#"}, {"listen": "2s"}, {"say": "yes-rms"}]
    seen = run_of(tmp_path, profile, *steps, calls=5, dialect="twilio-media-streams", **blocks)
    table = checked(seen)
    silent = table["status"] == "no_reply"
    assert silent.sum() == 1
    for name in ("first_audio_ms", "first_audible_ms"):
        within(table.loc[~silent, f"{name}_error"])
    assert seen.run.turns["wer"].isna().all(), "a bot does not say what it heard"
    assert {truth.facts["dialect"] for truth in seen.truth.values()} == {"twilio-media-streams"}


def test_openai_live_is_measured_as_it_was(tmp_path: Path) -> None:
    profile = {**PROFILE, "delivery_speed": 1, "faults": [FAULTS[1], FAULTS[5]]}
    blocks = {"pricing": {"model": "gpt-live-1"}, **SHORT}
    seen = run_of(tmp_path, profile, {"say": "yes-rms"}, calls=6, dialect="openai-live", **blocks)
    table = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    good = table["status"] == "ok"
    assert good.sum() == 4
    for name in ("ttft_ms", "first_audio_ms", "first_audible_ms"):
        within(table.loc[good, f"{name}_error"])
    turns = seen.run.turns
    assert turns["endpoint_ms"].isna().all(), "there are no events about turns"
    assert (turns.loc[turns["status"] == "ok", "wer"] == 0).all()
    assert (turns.loc[turns["status"] == "ok", "transcription_ms"] < 1_000).all(), "when its last words came"
    assert set(turns["error_kind"].dropna()) == {"server"}
    assert "rate_limit" in set(seen.run.sessions["error_kind"].dropna())
    calls = seen.run.sessions[seen.run.sessions["server_session_id"].notna()]
    assert len(calls) == 5
    held = [seen.truth[name] for name in calls["server_session_id"]]
    billed_s = np.array([(each.close["at_ns"] - each.facts["at_ns"]) / 1e9 for each in held if each.close is not None])
    assert (billed_s > 1).all()
    assert calls["cost_usd"].to_numpy(float) / 0.05 * 60 == pytest.approx(billed_s, abs=0.1), "silence included"


PUSH_TO_TALK = ("openai-beta", "azure-voice-live", "xai", "qwen-omni", "gemini-live")
NEVER_PUSH_TO_TALK = ("elevenlabs-agents", "twilio-media-streams", "openai-live")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dialect", "mode"),
    [(name, "server_vad") for name in (*PUSH_TO_TALK, *NEVER_PUSH_TO_TALK)]
    + [(name, "manual") for name in PUSH_TO_TALK],
)
def test_fifty_calls_at_once(tmp_path: Path, dialect: str, mode: str) -> None:
    session = {"turn_detection": mode, "frame": "20ms"}
    seen = run_of(tmp_path, PROFILE, {"say": "yes-rms"}, calls=50, dialect=dialect, session=session)
    table = checked(seen)
    for name in ("first_audio_ms", "first_audible_ms"):
        within(table[f"{name}_error"], FIFTY_CALLS_MS)


@pytest.mark.parametrize("dialect", ["openai-beta", "gemini-live"])
def test_faults_are_told_by_their_types(tmp_path: Path, dialect: str) -> None:
    profile = {**PROFILE, "faults": FAULTS}
    seen = run_of(tmp_path, profile, {"say": "yes-rms"}, calls=7, dialect=dialect, **SHORT)
    turns = seen.run.turns
    assert sorted(turns["status"]) == ["failed", "failed", "no_reply", "no_reply", "ok", "ok"]
    assert turns["out_audio"].isna().sum() >= 1, "usage that was not given is unknown"
    assert "rate_limit" in set(seen.run.sessions["error_kind"].dropna())


@pytest.mark.slow
def test_faults_of_an_agent_that_tells_no_usage(tmp_path: Path) -> None:
    profile = {**PROFILE, "faults": FAULTS}
    seen = run_of(tmp_path, profile, {"say": "yes-rms"}, calls=7, dialect="elevenlabs-agents", **SHORT)
    turns = seen.run.turns
    assert sorted(turns["status"]) == ["failed", "failed", "no_reply", "no_reply", "ok", "ok"]
    assert set(turns["error_kind"].dropna()) >= {"server", "closed"}
    assert "rate_limit" in set(seen.run.sessions["error_kind"].dropna())


TITLES = {
    "openai": "the GA shape",
    "openai-beta": "the beta shape",
    "elevenlabs-agents": "the protocol of ElevenLabs Agents",
    "openai-live": "the OpenAI Live protocol",
}


@pytest.mark.parametrize(
    ("spoken", "used"),
    [("openai-beta", "openai"), ("openai", "openai-beta"), ("elevenlabs-agents", "openai"), ("openai-live", "openai")],
)
def test_the_wrong_shape_is_the_first_line_of_the_report(tmp_path: Path, spoken: str, used: str) -> None:
    (tmp_path / "profile.yaml").write_text("reply_length: 400ms\n")
    with simulated_server(tmp_path / "profile.yaml", dialect=spoken) as url:
        done = bench(
            "run", "quickstart", "--url", url, "--set", f"target.dialect={used}", "--set", "load.sessions=2",
            "--set", "load.callers=2", "--set", "health.client_late=10s", "--out", tmp_path / "run",
        )  # fmt: skip
    assert done.returncode == 8
    lines = [line.strip() for line in done.stdout.splitlines()]
    verdict = next(place for place, line in enumerate(lines) if "UNREACHABLE" in line)
    assert lines[verdict + 1] == f"this server speaks {TITLES[spoken]}; use dialect: {spoken}"
