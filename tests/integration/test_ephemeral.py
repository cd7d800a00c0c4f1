"""Calls with short-lived keys: how long a key took against what the server says, each failure, and no key on disk."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from bench.calibrate.sent import log_files, read_truth
from bench.calibrate.tokens import check_tokens, read_secrets
from bench.run.server_process import ServerProcess
from bench.server.options import ServeOptions
from bench.store.reader import iter_timelines
from tests.support.processes import ROOT, bench

KEY = "sk-long-lived-0123456789abcdef"
REFUSED = {1: 401, 2: 429, 3: 503}
DEAD = 4


def call(
    folder: Path, faults: list[dict[str, Any]], load: dict[str, Any], auth: Any, *words: str, dialect: str = "openai"
) -> Any:
    profile = {"client_secrets": {"delay": "60ms"}, "reply_length": "200ms", "faults": faults}
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile))
    body = {
        "name": "short",
        "target": {
            "dialect": dialect,
            "url": "ws://127.0.0.1:9/v1/realtime",
            "model": "simulated",
            "api_key": "env:K",
            "auth": auth,
        },
        "conversation": [{"say": "yes-slt"}],
        "load": load,
        "health": {"client_late": "10s"},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    profile_file, truth = folder / "profile.yaml", folder / "truth.jsonl"
    options = ServeOptions(
        engine="simulated", profile=profile_file, port=0, truth_log=truth, api_key=KEY, dialect=dialect
    )
    server = ServerProcess(options, what="the simulated server")
    try:
        where = ["--url", server.url, "--out", folder / "run", *words]
        return bench("run", folder / "scenario.yaml", *where, env=os.environ | {"K": KEY}, cwd=ROOT)
    finally:
        server.stop()


def errors_ms(folder: Path) -> pd.DataFrame:
    logs = log_files(folder / "truth.jsonl")
    return check_tokens(iter_timelines(folder / "run"), read_truth(logs), read_secrets(logs))


@pytest.fixture(scope="module", params=[0, pytest.param(2, marks=pytest.mark.slow)])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Six calls, the first and the last of which are healthy."""
    folder = tmp_path_factory.mktemp("short")
    faults: list[dict[str, Any]] = [
        {"kind": "secret_http", "sessions": [number], "status": status} for number, status in REFUSED.items()
    ]
    faults.append({"kind": "dead_secret", "sessions": [DEAD]})
    workers = ["--workers", str(request.param)] if request.param else []
    done = call(folder, faults, {"callers": 6, "sessions": 6, "ramp": "900ms"}, "ephemeral", *workers)
    return folder, done.stdout + done.stderr


def test_the_time_of_a_key_is_that_of_the_server(ran: tuple[Path, str]) -> None:
    folder, output = ran
    checked = errors_ms(folder)
    assert len(checked) == 2, output
    assert (checked["token_ms_true"] > 60).all()
    assert checked["token_ms_error"].between(0, 15).all()


def test_each_failure_is_typed(ran: tuple[Path, str]) -> None:
    sessions = pd.read_parquet(ran[0] / "run" / "sessions.parquet").sort_values("session_index")
    found = {
        (row["stage"], row["error_kind"], int(row["http_status"]))
        for row in sessions.to_dict("records")
        if row["status"] == "failed"
    }
    assert found == {
        ("token", "auth", 401),
        ("token", "rate_limit", 429),
        ("token", "server", 503),
        ("upgrade", "auth", 401),
    }
    good = sessions[sessions["status"] == "ok"]
    assert set(good["token"]) == {"new"}
    assert (good["connect_ms"] > good["token_ms"]).all()
    assert sessions[sessions["stage"] == "token"]["token_ms"].isna().all()


def test_the_report_has_the_time_of_the_keys(ran: tuple[Path, str]) -> None:
    assert "Short-lived key, ms" in ran[1]


def test_no_key_is_kept_or_shown(ran: tuple[Path, str]) -> None:
    folder, output = ran
    texts = {"output": output}
    for path in (folder / "run").rglob("*"):
        if path.suffix == ".parquet":
            texts[path.name] = pd.read_parquet(path).to_csv()
        elif path.is_file():
            data = path.read_bytes()
            texts[path.name] = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("latin-1")
    assert len(texts) > 8
    assert [name for name, text in texts.items() if re.search(r"ek_[0-9a-zA-Z]{4}", text) or KEY in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("auth", ["ephemeral", {"type": "ephemeral", "reuse": True}])
@pytest.mark.parametrize("dialect", ["gemini-live", "openai-beta"])
def test_keys_of_other_shapes(tmp_path: Path, auth: Any, dialect: str) -> None:
    done = call(tmp_path, [], {"callers": 3, "sessions": 6, "ramp": "1s"}, auth, dialect=dialect)
    assert done.returncode == 0, done.stdout + done.stderr
    sessions = pd.read_parquet(tmp_path / "run" / "sessions.parquet")
    made = len(read_secrets(log_files(tmp_path / "truth.jsonl")))
    assert (made, set(sessions["token"])) == ((6, {"new"}) if auth == "ephemeral" else (1, {"new", "kept"}))
    if auth == "ephemeral":
        assert errors_ms(tmp_path)["token_ms_error"].between(0, 15).all()
    for path in (tmp_path / "run").rglob("*.gz"):
        assert b"auth_tokens" not in gzip.decompress(path.read_bytes())
    assert "auth_tokens" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_fifty_calls_at_once(tmp_path: Path, workers: int) -> None:
    words = ["--workers", str(workers)] if workers else []
    done = call(tmp_path, [], {"callers": 50, "sessions": 50, "ramp": "3s"}, "ephemeral", *words)
    errors = errors_ms(tmp_path)["token_ms_error"].to_numpy()
    assert len(errors) == 50, done.stdout
    assert np.quantile(np.abs(errors), 0.99) <= 2


@pytest.mark.slow
def test_shared_keys_are_renewed(tmp_path: Path) -> None:
    """Keys of ten seconds, each replaced after two."""
    auth = {"type": "ephemeral", "lifetime": "10s", "reuse": True, "renew": "8s"}
    done = call(tmp_path, [], {"callers": 2, "duration": "9s"}, auth)
    assert done.returncode == 0, done.stdout
    sessions = pd.read_parquet(tmp_path / "run" / "sessions.parquet")
    made = len(read_secrets(log_files(tmp_path / "truth.jsonl")))
    assert 3 <= made <= 5
    assert set(sessions["token"]) == {"new", "kept"}
    assert sessions[sessions["token"] == "kept"]["token_ms"].isna().all()
