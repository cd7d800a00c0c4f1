"""Nights of real runs through the gate: those in which nothing changed, and those whose server is 10 % slower."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from tests.support.bursts import RATE, noise_burst
from tests.support.processes import bench, simulated_server

WINDOW, NIGHTS = 7, 10
SLOWER = 1.10
DOUBT = 0.01
"""How unlikely a count must be under what the gate states before the statement is called wrong."""


def night(root: Path, name: str, seed: int, factor: float) -> Path:
    """A run of 120 turns against a server whose delays differ from turn to turn, all of them times `factor`."""

    def delay(median_ms: int, sigma: float) -> dict[str, Any]:
        return {"lognormal": {"median": f"{round(median_ms * factor)}ms", "sigma": sigma}}

    profile = {
        "seed": seed,
        "catalogue": "catalogue.yaml",
        "endpointing": delay(250, 0.05),
        "first_token": delay(500, 0.08),
        "first_audio": delay(600, 0.08),
        "leading_silence": 0,
        "reply_length": "300ms",
    }
    (root / "profile.yaml").write_text(yaml.safe_dump(profile))
    body = {
        "name": "nightly",
        "seed": seed,
        "fixtures": "catalogue.yaml",
        "session": {"transcription": None},
        "conversation": [{"say": "burst"}] * 6,
        "load": {"callers": 20, "ramp": "2s", "sessions": 20},
        "health": {"client_late": "300ms"},
    }
    (root / "scenario.yaml").write_text(yaml.safe_dump(body))
    with simulated_server(root / "profile.yaml") as url:
        done = bench("run", root / "scenario.yaml", "--url", url, "--out", root / name)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / name


def at_most(hits: int, n: int, share: float) -> float:
    """How likely so few or fewer hits of `n` are (binomial)."""
    return sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(hits + 1))


def gate(run: Path, before: list[Path]) -> dict[str, Any]:
    """What the gate says of the median and of p95."""
    words = [word for folder in before for word in ("--baseline", str(folder))]
    metrics = [word for fold in ("p50", "p95") for word in ("--metric", f"first_audible_ms: {fold}")]
    done = bench("gate", run, *words, *metrics)
    assert done.returncode in {0, 7}, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((run / "gate.json").read_text())
    assert found["exit_code"] == done.returncode
    return found


@pytest.mark.slow
def test_nights_raise_as_few_alarms_and_find_as_much_as_is_stated(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "burst.wav", noise_burst(60, 300, 60), RATE, subtype="PCM_16")
    fixtures = {"fixtures": [{"id": "burst", "file": "burst.wav", "text": "Hello, there!"}]}
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump(fixtures))
    same = [night(tmp_path, f"same-{n:02d}", n + 1, 1.0) for n in range(WINDOW + NIGHTS)]
    quiet = [gate(same[n], same[n - WINDOW : n]) for n in range(WINDOW, WINDOW + NIGHTS)]
    slower = [night(tmp_path, f"slower-{n:02d}", 100 + n, SLOWER) for n in range(NIGHTS)]
    found = [gate(run, same[-WINDOW:]) for run in slower]

    alarms = sum(each["verdict"] == "regression" for each in quiet)
    stated = max(each["false_alarms"] for each in quiet)
    hits = sum(each["verdict"] == "regression" for each in found)
    middle = [next(row for row in each["rows"] if row["measure"].endswith("p50")) for each in found]
    seen = sorted(row["detectable"] / row["baseline"] for row in middle)
    print(f"false alarms: {alarms} of {NIGHTS}, stated at most {stated:.3f}")
    print(f"found: {hits} of {NIGHTS}; changes found in 80 of 100 nights: {seen[0]:.1%} to {seen[-1]:.1%}")

    assert stated <= 0.05
    assert 1 - at_most(alarms - 1, NIGHTS, 0.05) > DOUBT, f"{alarms} false alarms in {NIGHTS} nights"
    # What a night detects is found in 80 of 100 nights, and what is larger more often.
    assert seen[-1] < SLOWER - 1, "these nights promise to find 10 %"
    assert at_most(hits, NIGHTS, 0.8) > DOUBT, f"{hits} of {NIGHTS} slower nights were found"
