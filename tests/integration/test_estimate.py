"""The estimate of a run, against what the run is billed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from bench.errors import ExitCode
from tests.integration.test_budget import scenario  # noqa: F401
from tests.support.processes import bench, simulated_server

SCENARIO = {
    "name": "five-turns",
    "session": {"instructions": "You are the telephone agent of a bank and shop."},
    "conversation": [
        {"say": "balance-rms"},
        {"say": ["appointment-slt", "appointment-awb"]},
        {"say": "cancel-refund-slt"},
        {"pause": "300ms"},
        {"say": "opening-hours-rms"},
        {"say": "password-reset-slt"},
    ],
    "load": {"callers": 2, "sessions": 2},
    "health": {"client_late": "10s"},
}


@pytest.mark.slow
def test_the_embedded_server(tmp_path: Path) -> None:
    """Five turns, so that most of the input is what was said before."""
    path, out = tmp_path / "scenario.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(SCENARIO))
    done = bench("run", path, "--out", out)
    assert done.returncode == ExitCode.PASS, done.stdout + done.stderr
    cost = json.loads((out / "summary.json").read_text())["cost"]
    before, bill = cost["estimate"], cost["total_usd"]
    assert before["usd"] == pytest.approx(bill, rel=0.2)
    assert before["low_usd"] < bill < before["high_usd"]
    assert before["minutes"] == pytest.approx(cost["conversation_minutes"], rel=0.2)
    assert "Expected before the run: $0.0" in done.stdout


def test_as_in_a_run_against_the_same_server(scenario: Path, tmp_path: Path) -> None:  # noqa: F811
    small, large = tmp_path / "small", tmp_path / "large"
    with simulated_server(tmp_path / "profile.yaml") as url:
        for out, calls in ((small, 2), (large, 12)):
            load = f"load={{callers: {calls}, sessions: {calls}}}"
            done = bench("run", scenario, "--url", url, "--out", out, "--set", load)
            assert done.returncode == ExitCode.PASS, done.stdout + done.stderr
    bill = json.loads((large / "summary.json").read_text())["cost"]["total_usd"]
    told = bench("cost", scenario, "--url", url, "--set", "load.sessions=12", "--like", small)
    assert told.returncode == ExitCode.PASS, told.stderr
    first = told.stdout.splitlines()[0]
    assert float(first.split("estimated cost: $")[1].split()[0]) == pytest.approx(bill, rel=0.1)
    assert "replies are as in small (8 turns" in told.stdout
