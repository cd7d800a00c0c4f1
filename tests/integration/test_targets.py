"""Two simulated servers called in turn in one run: who gets which call, and what is said of each."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
import yaml

from bench.errors import ExitCode
from tests.support.books import DEAR
from tests.support.bursts import RATE, noise_burst
from tests.support.processes import bench, simulated_server

PROFILE = """
seed: {seed}
catalogue: catalogue.yaml
endpointing: 180ms
first_token: {first_token}ms
first_audio: {{lognormal: {{median: {first_audio}ms, sigma: 0.05}}}}
leading_silence: 0ms
reply_length: 200ms
"""
NOBODY = "ws://127.0.0.1:9/v1/realtime"
QUICK_LOAD = ("--set", "load.sessions=12", "--set", "load.callers=4")


def scenario_of(folder: Path, **urls: str) -> Path:
    """Two turns a call, dealt out to the targets at `urls`."""
    body: dict[str, Any] = {
        "name": "targets",
        "targets": {name: {"url": url, "model": name} for name, url in urls.items()},
        "fixtures": "catalogue.yaml",
        "session": {"transcription": None},
        "conversation": [{"say": ["burst-0", "burst-1"]}, {"say": "burst-0"}],
        "load": {"interleave": True, "callers": 8, "sessions": 48},
        "health": {"client_late": "10s"},
        "timeouts": {"connect": "2s", "ready": "2s", "reply": "3s", "transcription": "1s"},
    }
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of two short utterances, and a profile that is 40 ms slower than the other."""
    root = tmp_path_factory.mktemp("targets")
    entries = []
    for place, length_ms in enumerate((420, 300)):
        soundfile.write(root / f"burst-{place}.wav", noise_burst(60, length_ms, 60, place), RATE, subtype="PCM_16")
        entries.append({"id": f"burst-{place}", "file": f"burst-{place}.wav", "text": "Hello, there!"})
    (root / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": entries}))
    for seed, (name, first_audio) in enumerate((("fast", 300), ("equal", 300), ("slow", 340))):
        text = PROFILE.format(seed=seed, first_audio=first_audio, first_token=first_audio - 50)
        (root / f"{name}.yaml").write_text(text)
    return root


@pytest.fixture(scope="module")
def urls(folder: Path) -> Iterator[dict[str, str]]:
    """Where the servers listen, by the name of their profile."""
    with ExitStack() as stack:
        names = ("fast", "equal", "slow")
        yield {name: stack.enter_context(simulated_server(folder / f"{name}.yaml")) for name in names}


def run_of(scenario: Path, out: Path, *words: str, code: int = 0) -> tuple[dict[str, Any], pd.DataFrame, str]:
    """The summary, the turns and the text of a run that ended with `code`."""
    done = bench("run", scenario, "--out", out, *words)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads((out / "summary.json").read_text()), pd.read_parquet(out / "turns.parquet"), done.stdout


@pytest.mark.slow
def test_any_number_of_workers_makes_the_same_calls_to_the_same_targets(
    folder: Path, urls: dict[str, str], tmp_path: Path
) -> None:
    path = scenario_of(folder, fast=urls["fast"], slow=urls["slow"])
    keys = ["session_index", "caller", "turn", "fixture", "target", "model"]
    found = []
    for workers in ("0", "2"):
        _, turns, _ = run_of(path, tmp_path / workers, *QUICK_LOAD, "--workers", workers)
        found.append(sorted(map(tuple, turns[keys].to_numpy())))
        assert turns["target"].value_counts().to_dict() == {"fast": 12, "slow": 12}
        assert turns["model"].equals(turns["target"])
        rounds = turns.assign(round=turns["session_index"] // 2).groupby(["round", "turn"])
        assert (rounds["fixture"].nunique() == 1).all(), "both targets are asked the same in a round"
        assert (rounds["target"].nunique() == 2).all()
    assert found[0] == found[1]


def test_a_target_that_is_not_there_leaves_the_other_its_numbers(
    folder: Path, urls: dict[str, str], tmp_path: Path
) -> None:
    path = scenario_of(folder, up=urls["fast"], down=NOBODY)
    summary, turns, text = run_of(path, tmp_path / "run", *QUICK_LOAD, code=int(ExitCode.UNREACHABLE))
    assert set(turns["target"]) == {"up"}
    assert (turns["status"] == "ok").sum() == 12
    assert summary["verdict"]["reasons"][0].startswith("down: none of 6 calls became ready; most often: connect")
    assert summary["verdict"]["reasons"][1] == "answered: up 12 of 12 turns"
    assert [(row["name"], row["ready"], row["answered"]) for row in summary["targets"]["rows"]] == [
        ("up", 6, 12),
        ("down", 0, 0),
    ]
    assert summary["targets"]["rows"][1]["p50"]["value"] is None
    assert {row["target"] for row in summary["errors"]} == {"down"}
    assert "targets: UNREACHABLE (exit code 8)" in text
    by_name = {each["threshold"]: each["ok"] for each in summary["thresholds"]}
    assert by_name["error_rate{target=up} <= 5%"] is True
    assert by_name["session_error_rate{target=down} <= 5%"] is False


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_two_targets_that_differ_by_40_ms_are_ranked_right(
    folder: Path, urls: dict[str, str], tmp_path: Path, workers: str
) -> None:
    path = scenario_of(folder, late=urls["slow"], soon=urls["fast"])
    summary, _, text = run_of(path, tmp_path / "run", "--workers", workers)
    first, last = summary["targets"]["rows"]
    assert [(each["name"], each["rank"]) for each in (first, last)] == [("soon", 1), ("late", 2)]
    middle = next(each for each in last["differences"] if each["statistic"] == "p50")
    assert (middle["metric"], middle["judged"]) == ("first_audible_ms", "worse")
    assert 0 < middle["low"] < middle["value"] < middle["high"]
    assert middle["low"] < 40 < middle["high"] + 5
    assert f"late: slower by {middle['value']:,.0f} ms" in text
    assert "COMPARED WITH soon" in text
    report = bench("report", tmp_path / "run", "--recompute")
    assert report.returncode == 0, report.stderr
    again = json.loads((tmp_path / "run" / "summary.json").read_text())
    for before, after in zip(summary["targets"]["rows"], again["targets"]["rows"], strict=True):
        assert after["p50"]["value"] == pytest.approx(before["p50"]["value"])
        assert [each["judged"] for each in after["differences"]] == [each["judged"] for each in before["differences"]]


@pytest.mark.slow
def test_of_two_equal_targets_it_cannot_tell_and_says_what_it_would_have_seen(
    folder: Path, urls: dict[str, str], tmp_path: Path
) -> None:
    path = scenario_of(folder, one=urls["fast"], other=urls["equal"])
    summary, _, text = run_of(path, tmp_path / "run")
    rows = summary["targets"]["rows"]
    assert [each["rank"] for each in rows] == [1, 1]
    middle = next(each for each in rows[1]["differences"] if each["statistic"] == "p50")
    assert middle["judged"] == "cannot tell"
    assert middle["low"] < 0 < middle["high"]
    assert 0 < middle["detectable"] < 40
    assert "cannot tell" in text
    assert "ms would have been seen" in text


@pytest.mark.slow
def test_a_target_that_hangs_does_not_take_the_places_of_the_other(
    folder: Path, urls: dict[str, str], tmp_path: Path
) -> None:
    """Twelve calls arrive for each; the one that never answers the upgrade keeps its own five places and no more."""
    load = "load={interleave: true, arrival: constant, rate: 4/s, sessions: 24, max_open: 10, graceful_stop: 1s}"
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        path = scenario_of(folder, up=urls["fast"], hangs=f"ws://127.0.0.1:{silent.getsockname()[1]}/")
        words = ("--set", load, "--set", "timeouts.connect=12s")
        run_of(path, tmp_path / "run", *words, code=int(ExitCode.UNREACHABLE))
    calls = pd.read_parquet(tmp_path / "run" / "sessions.parquet")
    assert (calls["target"] == "hangs").sum() == 5
    assert ((calls["target"] == "up") & (calls["turns_ended"] == 2)).sum() == 12


def test_a_cap_that_leaves_a_target_of_a_worker_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    path = scenario_of(folder, a=NOBODY, b=NOBODY)
    load = "load={interleave: true, arrival: constant, rate: 4/s, sessions: 24, max_open: 3}"
    done = bench("run", path, "--out", tmp_path / "run", "--set", load, "--workers", "2")
    assert done.returncode == ExitCode.USAGE
    assert "load.max_open = 3 does not give each of 2 workers a call for each of 2 targets" in done.stderr
    assert not (tmp_path / "run").exists()


def test_each_target_is_billed_as_its_own_model_and_the_budget_counts_both(
    folder: Path, urls: dict[str, str], tmp_path: Path
) -> None:
    path = scenario_of(folder, cheap=urls["fast"], dear=urls["equal"])
    (folder / "dear.yaml").write_text(DEAR)
    body = yaml.safe_load(path.read_text())
    body["targets"]["cheap"]["pricing"] = {"model": "gpt-realtime-mini"}
    body["targets"]["dear"]["pricing"] = {"model": "dear", "book": "dear.yaml"}
    body |= {"budget": {"max_usd": 0.12}, "estimate": {"reply": "200ms", "cache_from": 0}}
    path.write_text(yaml.safe_dump(body))
    run = tmp_path / "run"
    summary, turns, _ = run_of(path, run, code=int(ExitCode.BUDGET))
    spent = turns.groupby("target")["cost_usd"].sum()
    assert spent["dear"] > 10 * spent["cheap"] > 0
    assert 0.04 < spent.sum() < 0.12
    assert summary["cost"]["budget"]["known_usd"] == pytest.approx(summary["cost"]["total_usd"])
    assert {each["name"] for each in summary["run"]["price_books"]} == {"openai-2026-11", "dear"}
    (folder / "dear.yaml").unlink()
    report = bench("report", run, "--recompute")
    assert report.returncode == ExitCode.BUDGET, report.stderr
    again = pd.read_parquet(run / "turns.parquet").groupby("target")["cost_usd"].sum()
    assert again["dear"] == pytest.approx(spent["dear"])
    assert again["cheap"] == pytest.approx(spent["cheap"])
