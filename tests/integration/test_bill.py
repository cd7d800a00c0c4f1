"""The bill of a run in overload, against what the server says that it billed; and the same from the run folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
import soundfile
import yaml

from bench.errors import ExitCode
from tests.support.bursts import RATE, noise_burst
from tests.support.processes import bench, simulated_server

PROFILE = """
seed: 5
endpointing: 150ms
first_token: 170ms
first_audio: 200ms
reply_length: 300ms
recognition: {unknown_after: 150ms}
faults:
  - {kind: done, rate: 0.2, status: failed, error_code: rate_limit_exceeded}
"""
PRICES = """
book: mine
date: 2026-11-20
models:
  my-deployment:
    tokens_usd_per_million:
      text: {input: 1, cached: 0.1, output: 2}
      audio: {input: 10, cached: 1, output: 20}
    source: our contract
    source_date: 2026-11-20
"""


def test_a_run_with_rate_limited_turns_has_a_known_cost(tmp_path: Path) -> None:
    log, out = tmp_path / "truth.jsonl", tmp_path / "run"
    soundfile.write(tmp_path / "burst.wav", noise_burst(60, 400, 60), RATE, subtype="PCM_16")
    (tmp_path / "catalogue.yaml").write_text(
        yaml.safe_dump({"fixtures": [{"id": "burst", "file": "burst.wav", "text": "Hello, there!"}]})
    )
    (tmp_path / "mine.yaml").write_text(PRICES)
    (tmp_path / "profile.yaml").write_text(PROFILE)
    with simulated_server(tmp_path / "profile.yaml", truth_log=log) as url:
        body = {
            "name": "overload",
            "target": {"url": url, "model": "my-deployment"},
            "fixtures": "catalogue.yaml",
            "session": {"transcription": {"model": "my-transcriber"}},
            "conversation": [{"say": "burst"}] * 4,
            "load": {"callers": 5, "sessions": 5},
            "health": {"client_late": "10s"},
            "pricing": {"book": "mine.yaml", "transcription_model": "whisper-1"},
        }
        (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(body))
        done = bench("run", tmp_path / "scenario.yaml", "--out", out)
    assert done.returncode == ExitCode.THRESHOLD_FAILED, done.stdout + done.stderr
    turns, calls = pd.read_parquet(out / "turns.parquet"), pd.read_parquet(out / "sessions.parquet")
    limited = turns["error_kind"] == "rate_limit"
    assert 2 <= limited.sum() <= 8
    assert (turns.loc[limited, "cost_output_usd"] == 0).all()
    assert turns["cost_usd"].notna().all()
    assert calls["cost_usd"].notna().all()
    true_usd = billed(log)
    assert calls["cost_usd"].sum() == pytest.approx(true_usd)
    summary = json.loads((out / "summary.json").read_text())["cost"]
    assert (summary["at_least"], summary["unknown"]) == (False, [])
    assert summary["total_usd"] == pytest.approx(true_usd)
    assert summary["per_conversation_minute_usd"] is not None
    assert summary["failed_turns"] == limited.sum()

    # The prices are in the folder: the book itself may be gone, and the scenario's own names still hold.
    (tmp_path / "mine.yaml").unlink()
    assert bench("report", out, "--recompute").returncode == ExitCode.THRESHOLD_FAILED
    pd.testing.assert_frame_equal(sorted_rows(pd.read_parquet(out / "turns.parquet")), sorted_rows(turns))
    pd.testing.assert_frame_equal(sorted_rows(pd.read_parquet(out / "sessions.parquet")), sorted_rows(calls))


def sorted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    keys = [key for key in ("session_index", "turn") if key in rows]
    return rows.sort_values(keys).reset_index(drop=True)


def billed(log: Path) -> float:
    """USD of everything in the truth log, by the prices of this file and the shipped one of the transcription."""
    usd = 0.0
    for event in map(orjson.loads, log.read_bytes().splitlines()):
        usage = event.get("usage")
        if event["kind"] != "event" or usage is None:
            continue
        into = usage.get("input_token_details", {})
        if event["type"] == "response.done":
            cached, out = into["cached_tokens_details"], usage["output_token_details"]
            usd += (into["text_tokens"] - cached["text_tokens"]) * 1 + cached["text_tokens"] * 0.1
            usd += (into["audio_tokens"] - cached["audio_tokens"]) * 10 + cached["audio_tokens"] * 1
            usd += out["text_tokens"] * 2 + out["audio_tokens"] * 20
        else:
            usd += usage["seconds"] / 60 * 0.006 * 1e6
    assert np.isfinite(usd)
    return usd / 1e6
