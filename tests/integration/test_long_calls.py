"""Calls that outlive a session: renewed before the end or ended by it; turns, words and costs stay in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from bench.calibrate.renewals import check_renewals
from bench.calibrate.sent import log_files, read_truth
from bench.calibrate.truth import check_turns
from bench.store.reader import iter_timelines, read_run
from tests.support.processes import bench, simulated_server

PROFILE = {
    "limits": {"session_lifetime": "3s", "notice": "1500ms"},
    "endpointing": "250ms",
    "first_token": "350ms",
    "first_audio": "400ms",
    "reply_length": "200ms",
}
PATIENT = {"health": {"client_late": "10s"}}


def play(folder: Path, dialect: str, body: dict[str, Any]) -> str:
    (folder / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
    truth = folder / "truth.jsonl"
    with simulated_server(folder / "profile.yaml", truth_log=truth, dialect=dialect) as url:
        (folder / "scenario.yaml").write_text(yaml.safe_dump(body).replace("URL", url))
        done = bench("run", folder / "scenario.yaml", "--out", folder / "run")
    return done.stdout + done.stderr


def calls_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "run" / "sessions.parquet").sort_values("session_index")


@pytest.fixture(scope="module")
def openai(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One call that is renewed, one whose new session is told what was said, one that is not renewed."""
    folder = tmp_path_factory.mktemp("long")
    at = {"url": "URL", "model": "gpt-realtime-mini"}
    renew = {"before_expiry": "1500ms"}
    body = {
        "name": "long",
        "targets": {
            "renewed": {**at, "session": {"renew": renew}},
            "retold": {**at, "session": {"renew": {**renew, "context": "text"}}},
            "ended": at,
        },
        "conversation": [{"say": "yes-slt"}] * 3,
        "load": {"interleave": True, "callers": 3, "sessions": 3},
        **PATIENT,
    }
    return folder, play(folder, "openai", body)


def test_a_call_is_renewed_or_ends_as_expired(openai: tuple[Path, str]) -> None:
    calls = calls_of(openai[0]).set_index("target")
    assert set(calls.loc[["renewed", "retold"], "status"]) == {"ok"}, openai[1]
    assert (calls.loc[["renewed", "retold"], "renewals"] >= 1).all()
    assert calls.loc["renewed", "renewed_by"].startswith("expiry x ")
    ended = calls.loc["ended"]
    assert (ended["status"], ended["error_kind"], ended["error_code"]) == ("failed", "closed", "session_expired")
    assert ended["renewals"] == 0
    assert calls["session_lifetime_s"].between(1.5, 3.1).all()


def test_the_turns_and_the_bill_stay_one_call(openai: tuple[Path, str]) -> None:
    folder, _ = openai
    turns = pd.read_parquet(folder / "run" / "turns.parquet").sort_values("turn")
    calls = calls_of(folder).set_index("target")
    for target in ("renewed", "retold"):
        mine = turns[turns["target"] == target]
        assert list(mine["status"]) == ["ok"] * 3
        assert mine["renewals"].is_monotonic_increasing
        assert mine["renewals"].iloc[-1] >= 1
        assert calls.loc[target, "cost_usd"] == pytest.approx(mine["cost_usd"].sum())
        assert (mine["wer"] == 0).all()


def test_a_new_session_knows_what_it_is_told_and_no_more(openai: tuple[Path, str]) -> None:
    folder, _ = openai
    turns = pd.read_parquet(folder / "run" / "turns.parquet").sort_values("turn")
    calls = calls_of(folder).set_index("target")
    first = {target: rows["in_text"].iloc[0] for target, rows in turns.groupby("target")}
    later = turns[turns["renewals"] > 0]
    after = {target: rows["in_text"].iloc[0] for target, rows in later.groupby("target")}
    assert after["renewed"] == first["renewed"]
    assert after["retold"] > first["retold"]
    assert calls.loc["retold", "renewals_retold"] >= 2
    assert calls.loc["renewed", "renewals_retold"] == 0


def test_the_report_says_which(openai: tuple[Path, str]) -> None:
    assert "LONG CALLS" in openai[1]
    assert "1 of 3 (session_expired)" in openai[1]
    assert "Renewed before the end that the server told" in openai[1]


def test_the_time_of_a_renewal_and_the_turns_after_it_are_true(openai: tuple[Path, str]) -> None:
    folder, _ = openai
    sessions = read_truth(log_files(folder / "truth.jsonl"))
    checked = check_renewals(iter_timelines(folder / "run"), sessions)
    assert len(checked) == calls_of(folder)["renewals"].sum()
    assert checked["renew_ms_error"].between(0, 15).all()
    assert not checked["true_resumed"].any()
    turns = check_turns(read_run(folder / "run"), iter_timelines(folder / "run"), sessions)
    good = turns[turns["status"] == "ok"]
    assert good["matched"].all(), good["reason"].to_list()
    assert (good["first_audio_ms_error"].abs() < 15).all()


@pytest.fixture(scope="module")
def gemini(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("goaway")
    at = {"dialect": "gemini-live", "url": "URL", "model": "m"}
    body = {
        "name": "goaway",
        "targets": {"renewed": {**at, "session": {"renew": "before_expiry"}}, "ended": at},
        "conversation": [{"say": "yes-slt"}] * 3,
        "load": {"interleave": True, "callers": 2, "sessions": 2},
        **PATIENT,
    }
    return folder, play(folder, "gemini-live", body)


def test_a_notice_renews_the_session_with_its_context(gemini: tuple[Path, str]) -> None:
    folder, output = gemini
    call = calls_of(folder).set_index("target").loc["renewed"]
    assert (call["status"], call["renewed_by"], call["renewals_resumed"]) == ("ok", "notice x 1", 1), output
    assert call["expiry_notice_ms"] == 1500
    turns = pd.read_parquet(folder / "run" / "turns.parquet").sort_values("turn")
    words = turns[turns["target"] == "renewed"]["in_text"].to_list()
    assert words == sorted(set(words)), "what was said before the renewal is part of what follows it"
    checked = check_renewals(iter_timelines(folder / "run"), read_truth(log_files(folder / "truth.jsonl")))
    assert list(checked["true_resumed"]) == [True]


def test_an_end_without_a_word_is_the_end_that_was_announced(gemini: tuple[Path, str]) -> None:
    call = calls_of(gemini[0]).set_index("target").loc["ended"]
    assert (call["error_kind"], call["error_code"], call["close_code"]) == ("closed", "session_expired", 1001)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("dialect", ["openai", "gemini-live"])
def test_fifty_calls_at_once(tmp_path: Path, dialect: str, workers: int) -> None:
    body = {
        "name": "many",
        "target": {"dialect": dialect, "url": "URL", "model": "m"},
        "session": {"renew": {"before_expiry": "1500ms"}},
        "conversation": [{"say": "yes-slt"}] * 4,
        "load": {"callers": 50, "sessions": 50, "ramp": "3s"},
    }
    profile = tmp_path / "profile.yaml"
    profile.write_text(yaml.safe_dump(PROFILE))
    with simulated_server(profile, truth_log=tmp_path / "truth.jsonl", dialect=dialect) as url:
        (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(body).replace("URL", url))
        words = ["--workers", str(workers)] if workers else []
        done = bench("run", tmp_path / "scenario.yaml", "--out", tmp_path / "run", *words)
    assert done.returncode == 0, done.stdout
    calls = calls_of(tmp_path)
    assert (calls["status"] == "ok").all()
    checked = check_renewals(iter_timelines(tmp_path / "run"), read_truth(log_files(tmp_path / "truth.jsonl")))
    assert len(checked) == calls["renewals"].sum() >= 50
    assert np.quantile(checked["renew_ms_error"].abs(), 0.99) <= 2
