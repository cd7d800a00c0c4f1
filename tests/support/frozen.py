"""A run whose process is stopped again and again, beside a server whose truth is known.

SIGSTOP is what a paused machine or a loop that does not let go looks like from inside. Out: every turn against what the
server wrote down, the summary, and the exit code.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml

from bench.calibrate.sent import log_files, read_truth
from bench.calibrate.truth import LATENCIES, check_turns
from bench.store.reader import iter_timelines, read_run
from tests.support.processes import simulated_server

FIRST_AUDIO_MS = 400.0
ROUTE_MS = 15.0
"""What the server's own clockwork and the loopback may add to a delay that it was told to keep."""


@dataclass(frozen=True)
class Frozen:
    """What came of the run; `turns` are its rows with the columns of the comparison beside them."""

    turns: pd.DataFrame
    summary: dict[str, Any]
    health: dict[str, Any]
    code: int
    said: str
    stops: int

    @property
    def kept(self) -> pd.DataFrame:
        """Turns that stay in the statistics."""
        return self.turns[~self.turns["client_late"].astype(bool)]

    def worst_ms(self) -> float:
        """How far any latency of a kept turn is from what the server did."""
        errors = self.kept[[f"{name}_error" for name in LATENCIES]].abs()
        return float(errors.max().max())


def scenario(mode: str, *, callers: int, calls: int, reply: str) -> dict[str, Any]:
    """Two short turns a call."""
    return {
        "name": "frozen",
        "target": {"url": "ws://127.0.0.1:9/v1/realtime", "model": "simulated"},
        "session": {"turn_detection": mode},
        "conversation": [{"say": ["yes-rms", "yes-slt"]}, {"pause": "200ms"}, {"say": "yes-rms"}],
        "load": {"callers": callers, "sessions": calls},
        "timeouts": {"reply": reply, "transcription": "2s"},
    }


def play(
    folder: Path, body: dict[str, Any], stops_s: Sequence[float], *, pause_s: Sequence[float], words: Sequence[str] = ()
) -> Frozen:
    """Run `body` with stops of these lengths in turn, each after the next of the pauses."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = {"seed": 3, "first_token": "300ms", "first_audio": f"{FIRST_AUDIO_MS:g}ms", "reply_length": "600ms"}
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile))
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    out, log = folder / "run", folder / "truth.jsonl"
    with simulated_server(folder / "profile.yaml", truth_log=log) as url:
        command = [sys.executable, "-m", "bench", "run", str(folder / "scenario.yaml"), "--url", url, "--out", str(out)]
        with subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            done = _stop_again_and_again(process, out, stops_s, pause_s)
            said, _ = process.communicate(timeout=120)
    run = read_run(out)
    checked = check_turns(run, iter_timelines(run.folder.root), read_truth(log_files(log)))
    extra = [name for name in checked.columns if name not in run.turns.columns]
    key = ["session_id", "turn"]
    turns = run.turns.merge(checked[key + extra], on=key)
    assert len(turns) == len(run.turns)
    return Frozen(
        turns=turns,
        summary=json.loads((out / "summary.json").read_text()),
        health=json.loads((out / "run.json").read_text())["health"],
        code=process.returncode,
        said=said,
        stops=done,
    )


def _stop_again_and_again(
    process: subprocess.Popen[str], out: Path, stops_s: Sequence[float], pauses_s: Sequence[float]
) -> int:
    until, done = time.monotonic() + 300, 0
    while process.poll() is None and not list(out.glob("*.jsonl")) and not list(out.glob("rows/*")) and _idle(out):
        time.sleep(0.02)
    for stop_s, pause_s in zip(itertools.cycle(stops_s), itertools.cycle(pauses_s), strict=False):
        with suppress(subprocess.TimeoutExpired):
            process.wait(pause_s)
        if process.poll() is not None or time.monotonic() > until or (out / "summary.json").exists():
            return done
        family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
        _signal(family, signal.SIGSTOP)
        time.sleep(stop_s)
        _signal(family, signal.SIGCONT)
        done += 1
    return done


def _idle(out: Path) -> bool:
    """Whether no worker has begun: its clocks stand in the manifest from then on."""
    manifest = out / "run.json"
    return not manifest.exists() or not json.loads(manifest.read_text()).get("workers")


def _signal(family: Sequence[int], number: int) -> None:
    for pid in family:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
