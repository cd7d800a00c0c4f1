"""A generator that could not keep its own time says so instead of passing its delay off as the server's."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import voice_server
from tests.support.warm import WarmRun


def run_with_pauses(out: Path, *words: str | Path) -> tuple[int, str]:
    """`bench run` on a machine that takes the processor away for 150 ms again and again; exit code and output."""
    process = WarmRun(["run", "--out", str(out), *map(str, words)])
    until = time.monotonic() + 90
    while process.poll() is None and not out.exists():
        time.sleep(0.02)
    while process.poll() is None and time.monotonic() < until:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.15)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.15)
    said, _ = process.communicate(timeout=30)
    assert process.returncode is not None
    return process.returncode, said


@pytest.mark.parametrize(
    ("bound", "late", "code", "verdict"),
    [
        ("60ms", True, ExitCode.INVALID_GENERATOR, "invalid"),
        pytest.param("10s", False, ExitCode.PASS, "pass", marks=pytest.mark.slow),
    ],
)
def test_late_turns_leave_the_percentiles_and_make_the_run_invalid(
    scenario: Path, tmp_path: Path, bound: str, late: bool, code: int, verdict: str
) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        sets = [f"health.client_late={bound}", "load.callers=4", "load.sessions=4"]
        words = [word for each in sets for word in ("--set", each)]
        returncode, said = run_with_pauses(out, scenario, "--url", url, *words)
    turns = pd.read_parquet(out / "turns.parquet")
    assert len(turns) == 8
    assert set(turns["status"]) == {"ok"}
    assert set(turns["client_late"]) == {late}, said
    # A stop is seen by the frames: 150 ms, less what was left of the interval when it began.
    assert turns["send_late_ms"].min() > 60
    summary = json.loads((out / "summary.json").read_text())
    assert summary["verdict"]["name"] == verdict
    assert returncode == code, said
    assert ("INVALID" in said) == late
    shown = next(metric for metric in summary["metrics"] if metric["name"] == "first_audible_ms")
    assert shown["n"] == (0 if late else 8)
    assert (shown["percentiles"][0]["value"] is None) == late
