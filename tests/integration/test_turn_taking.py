"""What a run measures of turn taking, against the truth log of a simulated server that behaves and misbehaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bench.calibrate.sent import TrueSession, log_files, read_truth
from bench.calibrate.truth_conversation import check_greetings
from bench.store.reader import Run, read_run
from tests.support.processes import ROOT, bench, simulated_server

CALLS = 12
BOUND_MS = 5
"""Nine of ten figures are within this of the truth: a busy machine holds up the server too."""


@dataclass
class Seen:
    """A run, what the server wrote of it, and how the command ended."""

    run: Run
    truth: dict[str, TrueSession]
    code: int
    out: str


def run_of(folder: Path, profile: dict[str, Any], *steps: dict[str, Any], calls: int = CALLS, **blocks: Any) -> Seen:
    """`calls` calls at once of `steps` against a simulated server; rows are the same when measured again."""
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile))
    scenario = {
        "name": "taking",
        "target": {"url": "ws://127.0.0.1:9/v1/realtime", "model": "simulated"},
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "conversation": list(steps),
        "load": {"callers": calls, "sessions": calls, "ramp": "1s"},
        "health": {"client_late": "10s"},
        "timeouts": {"reply": "4s", "transcription": "1s"},
        **blocks,
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    out = folder / "run"
    with simulated_server(folder / "profile.yaml", truth_log=folder / "truth.jsonl") as url:
        done = bench("run", folder / "scenario.yaml", "--url", url, "--out", out)
    seen = Seen(
        read_run(out), read_truth(log_files(folder / "truth.jsonl")), done.returncode, done.stdout + done.stderr
    )
    again = bench("report", out, "--recompute")
    assert again.returncode == done.returncode, again.stdout + again.stderr
    same(seen.run, read_run(out))
    return seen


def same(run: Run, again: Run) -> None:
    """Every row measured again is the row that was written."""
    for name, keys in (("turns", ["session_index", "turn"]), ("sessions", ["session_index"])):
        pair = [getattr(each, name).sort_values(keys).reset_index(drop=True) for each in (run, again)]
        pd.testing.assert_frame_equal(*pair)


def within(errors: pd.Series, bound_ms: float = BOUND_MS) -> None:
    """Nine of ten are within the bound."""
    absolute = np.abs(errors.to_numpy(dtype=float))
    assert not np.isnan(absolute).any()
    assert np.percentile(absolute, 90) < bound_ms, absolute


def test_a_greeting_is_measured_to_the_truth(tmp_path: Path) -> None:
    profile = {"greeting": {"after": {"gamma": {"mean": "300ms", "shape": 4}}, "length": "400ms"}}
    seen = run_of(tmp_path, profile, {"listen": "4s"}, {"say": "yes-rms"})
    assert seen.code == 0, seen.out
    checked = check_greetings(seen.run, seen.truth)
    assert checked["matched"].all()
    assert len(checked) == CALLS
    assert checked["greeting_ms"].std() > 30
    within(checked["greeting_ms_error"])
    assert set(seen.run.turns["status"]) == {"ok"}
    assert (seen.run.sessions["other_responses"] == 1).all()
    assert (seen.run.sessions["other_out_audio"] > 0).all()


def test_callers_whom_nobody_greets_are_counted_and_fail_a_threshold(tmp_path: Path) -> None:
    bounds = ["no_greeting_rate <= 10%", "greeting_ms: p50 < 3s"]
    profile = {"greeting": {"share": 0.4, "length": "400ms"}}
    seen = run_of(tmp_path, profile, {"listen": "1500ms"}, {"say": "yes-rms"}, thresholds=bounds)
    assert seen.code == 1, seen.out
    checked = check_greetings(seen.run, seen.truth)
    missing = checked["greeting_ms_true"].isna()
    assert 0 < missing.sum() < CALLS
    assert (checked["greeting_ms"].isna() == missing).all()
    assert f"{missing.sum()} of {CALLS}" in seen.out
    assert "no_greeting_rate" in seen.out
