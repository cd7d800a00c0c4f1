"""The search for a ceiling, against simulated servers whose ceiling is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
import yaml

from bench.scenario.ceiling_search import SearchBounds
from tests.support.bursts import RATE, noise_burst
from tests.support.perfect_search import perfect_calls
from tests.support.processes import bench, simulated_server

FAST: dict[str, Any] = {
    "seed": 1,
    "catalogue": "catalogue.yaml",
    "endpointing": "180ms",
    "first_token": "250ms",
    "first_audio": "300ms",
    "leading_silence": 0,
    "reply_length": "300ms",
}
"""A call of one turn takes about 1.5 s."""
SLOW_MACHINE = {"client_late": "300ms", "max_client_late": 0.5}
"""These tests are about the target, on whatever machine they run."""


def searched(
    folder: Path, profile: dict[str, Any], load: dict[str, Any], *words: str, code: int, **scenario: Any
) -> tuple[dict[str, Any], pd.DataFrame, str]:
    """The summary's ceiling, the calls, and the text of a search."""
    soundfile.write(folder / "burst.wav", noise_burst(60, 300, 60), RATE, subtype="PCM_16")
    (folder / "catalogue.yaml").write_text(
        yaml.safe_dump({"fixtures": [{"id": "burst", "file": "burst.wav", "text": "Hello, there!"}]})
    )
    (folder / "profile.yaml").write_text(yaml.safe_dump(FAST | profile))
    body = {
        "name": "search",
        "fixtures": "catalogue.yaml",
        "session": {"transcription": None},
        "conversation": [{"say": "burst"}],
        "load": load,
        "health": SLOW_MACHINE,
        **scenario,
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    with simulated_server(folder / "profile.yaml") as url:
        done = bench("run", folder / "scenario.yaml", "--url", url, "--out", folder / "run", *words, timeout_s=400)
    assert done.returncode == code, done.stdout + done.stderr
    summary = json.loads((folder / "run" / "summary.json").read_text())
    calls = pd.read_parquet(folder / "run" / "sessions.parquet")
    return summary["ceiling"], calls, done.stdout


def test_a_small_ceiling_is_found_and_named(tmp_path: Path) -> None:
    load = {"search": {"from": 2, "most": 4, "settle": "1s", "level": "3s"}, "planned_peak": 4}
    found, calls, text = searched(tmp_path, {"limits": {"max_sessions": 3}}, load, code=1)
    assert (found["ceiling"], found["high"], found["limit"]) == (3, 4, "sessions")
    assert "1 too few" in text
    assert not calls["session_index"].duplicated().any()
    assert set(calls["phase"]) == {"2-callers", "3-callers", "4-callers"}


def test_a_search_ends_at_its_budget_with_what_it_knows(tmp_path: Path) -> None:
    load = {"search": {"from": 2, "most": 64, "settle": "1s", "level": "2s"}}
    found, calls, text = searched(tmp_path, {}, load, code=6, budget={"max_sessions": 20})
    assert not found["finished"]
    assert "so far: the search was cut off" in text
    assert len(calls) <= 20


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_number_of_sessions(tmp_path: Path, workers: str) -> None:
    load = {"search": {"from": 4, "most": 64, "settle": "3s", "level": "8s"}, "planned_peak": 37}
    profile = {"limits": {"max_sessions": 37}}
    found, calls, _ = searched(tmp_path, profile, load, "--workers", workers, code=0)
    assert (found["ceiling"], found["high"], found["limit"]) == (37, 38, "sessions")
    # A perfect search halves between nothing and the most, and is told the truth at each level. It would play a level
    # for as long as this one does, in which a caller makes several calls.
    levels = {row["level"] for row in found["rows"]}
    each = found["calls"] / sum(levels)
    perfect = perfect_calls(SearchBounds(first=4, most=64, precision=0.05), 37)
    assert len(calls) == found["calls"] < 3 * perfect * max(each, 1)
    assert sum(levels) < 3 * perfect


@pytest.mark.slow
@pytest.mark.parametrize("refusal", ["429", "503"])
def test_refused_handshakes(tmp_path: Path, refusal: str) -> None:
    load = {"search": {"from": 4, "most": 32, "settle": "3s", "level": "6s"}}
    found, _, _ = searched(tmp_path, {"limits": {"max_sessions": 9, "refuse_with": refusal}}, load, code=0)
    assert (found["ceiling"], found["limit"]) == (9, "sessions")


@pytest.mark.slow
def test_tokens_per_minute(tmp_path: Path) -> None:
    """The limit is what 20.5 callers need, by what the server counted of a call before."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    _, calls, _ = searched(before, {}, {"callers": 4, "duration": "10s"}, code=0)
    turns, whole = pd.read_parquet(before / "run" / "turns.parquet"), calls[calls["status"] == "ok"]
    used = (turns["in_total"] + turns["out_total"])[turns["session_id"].isin(whole["session_id"])].sum()
    per_caller = used / (whole["duration_ms"].sum() / 60_000)
    limits = {"tokens_per_min": round(20.5 * per_caller), "reserve_tokens": 100}
    load = {"search": {"from": 4, "most": 64, "settle": "5s", "level": "10s"}, "planned_peak": 40}
    found, _, text = searched(after, {"limits": limits}, load, code=1)
    assert found["limit"] == "tokens"
    assert 19 <= found["ceiling"] <= 21
    assert "ask for tokens per minute" in text


@pytest.mark.slow
def test_a_knee_of_latency(tmp_path: Path) -> None:
    """Above 20 open calls each adds 100 ms: the 27th call makes a turn take 1,000 ms."""
    profile = {"first_audio": {"constant": "300ms", "growth": {"above": 20, "per_session": "100ms"}}}
    load = {"search": {"from": 4, "most": 64, "settle": "4s", "level": "8s"}}
    found, _, _ = searched(tmp_path, profile, load, code=0, objectives=["first_audible_ms < 950ms"])
    assert found["limit"] == "latency"
    assert 25 <= found["ceiling"] <= 27


@pytest.mark.slow
def test_our_own_machine_is_the_limit(tmp_path: Path) -> None:
    """A worker whose loop is held again and again: late by itself, whatever the server does."""
    load = {"search": {"from": 4, "most": 64, "settle": "2s", "level": "6s"}, "planned_peak": 60}
    late = {"client_late": "20ms", "max_client_late": 0.05}
    found, _, text = searched(tmp_path, {}, load, "--workers", "1", "--burner", "40", code=4, health=late)
    assert found["limit"] == "generator"
    assert found["at_least"]
    assert "this machine, not the target" in text


@pytest.mark.slow
def test_a_rate_of_calls(tmp_path: Path) -> None:
    """So many calls begin in the time of a call as there are sessions."""
    load = {"search": {"of": "rate", "from": "40/min", "most": "320/min", "level": "10s"}}
    found, calls, _ = searched(tmp_path, {"limits": {"max_sessions": 3}}, load, code=0)
    assert found["unit"] == "calls per minute"
    call_min = calls.loc[calls["status"] == "ok", "duration_ms"].mean() / 60_000
    assert found["ceiling"] == pytest.approx(3 / call_min, rel=0.1)
    assert found["limit"] in {"sessions", "handshake"}
