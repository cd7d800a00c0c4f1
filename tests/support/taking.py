"""Runs against a simulated server whose turn taking is known, and what is asserted of all of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bench.calibrate.sent import TrueSession, log_files, read_truth
from bench.store.reader import Run, iter_timelines, read_run
from tests.support.processes import ROOT, bench, simulated_server
from tests.support.truth_conversation import check_barge_ins

CALLS = 12
BOUND_MS = 5
"""Figures are within this of the instant at which the server wrote."""
MANY = 50
"""Of so many figures or more, the p99 is within the bound. Of fewer, nine of ten are: with a dozen the p99 is the worst
one, and a busy machine holds up our process: what arrives meanwhile bears the stamp of the last of it."""


@dataclass
class Seen:
    """A run, what the server wrote of it, and how the command ended."""

    run: Run
    truth: dict[str, TrueSession]
    folder: Path
    code: int
    out: str


def wire_events(seen: Seen, kind: str) -> int:
    """How often the server sent or got an event of this kind, over all calls."""
    return sum(event["type"] == kind for session in seen.truth.values() for event in session.events)


def run_of(
    folder: Path,
    profile: dict[str, Any],
    *steps: dict[str, Any],
    calls: int = CALLS,
    dialect: str = "openai",
    **blocks: Any,
) -> Seen:
    """`calls` calls at once of `steps` against a simulated server; rows are the same when measured again."""
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile))
    scenario = {
        "name": "taking",
        "target": {"dialect": dialect, "url": "ws://127.0.0.1:9/v1/realtime", "model": "simulated"},
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "conversation": list(steps),
        "load": {"callers": calls, "sessions": calls, "ramp": "1s"},
        "health": {"client_late": "10s"},
        "timeouts": {"reply": "4s", "transcription": "1s"},
        **blocks,
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    out = folder / "run"
    with simulated_server(folder / "profile.yaml", truth_log=folder / "truth.jsonl", dialect=dialect) as url:
        done = bench("run", folder / "scenario.yaml", "--url", url, "--out", out)
    truth = read_truth(log_files(folder / "truth.jsonl"))
    seen = Seen(read_run(out), truth, out, done.returncode, done.stdout + done.stderr)
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
    """The p99 of many errors is within the bound; of a few, nine of ten of them are."""
    absolute = np.abs(errors.to_numpy(dtype=float))
    assert not np.isnan(absolute).any()
    percent = 99 if len(absolute) >= MANY else 90
    busy = f"p{percent} of {errors.name}, in ms, worst last; a busy machine? (load {os.getloadavg()[0]:.1f})"
    assert np.percentile(absolute, percent) < bound_ms, (busy, np.sort(absolute).round(3).tolist())


TALKER = {"seed": 3, "reply_length": "4s", "delivery_speed": 2, "chunk": "200ms"}
REACTION = {"barge_in": {"reaction": {"gamma": {"mean": "260ms", "shape": 8}}}}


def barge_ins(seen: Seen) -> pd.DataFrame:
    return check_barge_ins(seen.run, iter_timelines(seen.folder), seen.truth)
