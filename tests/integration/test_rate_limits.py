"""Limits that a server tells of and what calls use of them, from the wire to the report, against the server's log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pandas as pd
import pytest
import soundfile
import yaml

from bench.measure.rate_limits import from_text
from tests.support.bursts import RATE, noise_burst
from tests.support.processes import bench, simulated_server

TOKENS_PER_MIN = 9_000
PROFILE = f"""
seed: 5
endpointing: 150ms
first_token: 170ms
first_audio: 200ms
reply_length: 300ms
recognition: {{unknown_after: 150ms}}
limits:
  tokens_per_min: {TOKENS_PER_MIN}
  requests_per_min: 600
  told: [tokens]
  max_sessions: 3
  refuse_with: "429"
  retry_after: 2s
"""
CALLERS, TURNS = 4, 4


class Made(NamedTuple):
    folder: Path
    summary: dict[str, Any]
    turns: pd.DataFrame
    calls: pd.DataFrame
    log: list[dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three callers who come through and one who is refused."""
    root = tmp_path_factory.mktemp("limits")
    soundfile.write(root / "burst.wav", noise_burst(60, 400, 60), RATE, subtype="PCM_16")
    (root / "catalogue.yaml").write_text(
        yaml.safe_dump({"fixtures": [{"id": "burst", "file": "burst.wav", "text": "Hello, there!"}]})
    )
    (root / "profile.yaml").write_text(PROFILE)
    with simulated_server(root / "profile.yaml", truth_log=root / "truth.jsonl") as url:
        body = {
            "name": "limits",
            "target": {"url": url, "model": "mine"},
            "fixtures": "catalogue.yaml",
            "session": {"transcription": None, "max_output_tokens": 100},
            "conversation": [{"say": "burst"}] * TURNS,
            "load": {"callers": CALLERS, "sessions": CALLERS, "planned_peak": 300},
            "health": {"client_late": "10s"},
        }
        (root / "scenario.yaml").write_text(yaml.safe_dump(body))
        done = bench("run", root / "scenario.yaml", "--out", root / "run")
    folder = root / "run"
    assert (folder / "summary.json").exists(), done.stdout + done.stderr
    log = [orjson.loads(line) for line in (root / "truth.jsonl").read_bytes().splitlines()]
    turns, calls = pd.read_parquet(folder / "turns.parquet"), pd.read_parquet(folder / "sessions.parquet")
    return Made(folder, json.loads((folder / "summary.json").read_text()), turns, calls, log)


def test_every_event_reaches_the_rows(made: Made) -> None:
    told = [each["rate_limits"][0] for each in made.log if each.get("type") == "rate_limits.updated"]
    calls = made.calls[made.calls["status"] == "ok"]
    limits = [limit for text in calls["rate_limits"] for limit in from_text(text) if limit.source == "event"]
    assert sum(limit.told for limit in limits) == len(told) == len(made.turns)
    assert min(limit.lowest or 0 for limit in limits) == min(each["remaining"] for each in told)
    assert (made.turns["rate_limit_tokens_limit"] == TOKENS_PER_MIN).all()
    known = {each["remaining"] for each in told} | {TOKENS_PER_MIN}
    assert set(made.turns["rate_limit_tokens_remaining"]) <= known
    assert made.turns["rate_limit_tokens_remaining"].nunique() > 1


def test_headers_of_accepted_and_refused_handshakes_reach_the_rows(made: Made) -> None:
    assert (made.calls["rate_limit_requests_limit"] == 600).all()
    refused = made.calls[made.calls["http_status"] == 429]
    logged = [each for each in made.log if each["kind"] == "refusal"]
    assert len(refused) == len(logged) == 1
    assert refused["retry_after_s"].tolist() == [2.0]
    assert made.calls.loc[made.calls["status"] == "ok", "retry_after_s"].isna().all()
    (row,) = (each for each in made.summary["headroom"][0]["limits"] if each["name"] == "requests")
    assert (row["source"], row["limit"]) == ("header", 600)
    assert made.summary["headroom"][0]["retry_after_s"] == 2


def test_calls_at_100_percent_are_what_the_servers_log_says(made: Made) -> None:
    """Tokens a minute over the tokens that the server counted for each minute of its calls."""
    done = [each for each in made.log if each.get("type") == "response.done"]
    used = sum(each["usage"]["total_tokens"] for each in done)
    opened = {each["session"]: each["at_ns"] for each in made.log if each["kind"] == "session"}
    minutes = sum((each["at_ns"] - opened[each["session"]]) / 60e9 for each in made.log if each["kind"] == "close")
    found = made.summary["headroom"][0]
    (row,) = (each for each in found["limits"] if each["name"] == "tokens")
    assert (row["source"], row["told"]) == ("event, header", len(done) + CALLERS)
    assert row["calls_at_once"]["value"] == pytest.approx(TOKENS_PER_MIN / (used / minutes), rel=0.03)
    assert row["peak_share"] == pytest.approx(300 * used / minutes / TOKENS_PER_MIN, rel=0.03)
    assert found["requests_per_call"]["value"] == TURNS
    assert row["binding"]


def test_measured_again_the_limits_are_the_same(made: Made) -> None:
    done = bench("report", made.folder, "--recompute", "--out", made.folder / "again")
    again = pd.read_parquet(made.folder / "sessions.parquet")
    assert (made.folder / "sessions.as-run.parquet").exists(), done.stdout + done.stderr
    columns = [name for name in again if name.startswith("rate_limit") or name == "retry_after_s"]
    assert len(columns) == 8
    keyed = [frame.set_index("session_id").sort_index()[columns] for frame in (made.calls, again)]
    pd.testing.assert_frame_equal(*keyed)
