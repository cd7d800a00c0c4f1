"""A mistake of the harness's own, made on purpose: it is called that, and never a server that did not answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import ROOT, voice_server

SABOTAGE = {
    "reader": """
from bench.dialects.openai import OpenAIDialect as owner
name, breaks = "receive", lambda self, data, at_ns: ".delta" in str(data)
""",
    "microphone": """
from bench.session.microphone import Microphone as owner
name, breaks = "take", lambda self: self._next > 40
""",
    "conversation": """
from bench.session.tracker import Tracker as owner
name, breaks = "over", lambda self, now_ns: True
""",
}
RUN = """
healthy = getattr(owner, name)

def broken(*words):
    if breaks(*words):
        raise ZeroDivisionError("made on purpose")
    return healthy(*words)

setattr(owner, name, broken)
from bench.cli import main
main()
"""


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=[] if part == "conversation" else pytest.mark.slow) for part in SABOTAGE]
)
def test_an_error_of_our_own_is_named_and_the_run_goes_on(scenario: Path, tmp_path: Path, part: str) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        done = subprocess.run(
            [sys.executable, "-c", SABOTAGE[part] + RUN, "run", str(scenario), "--url", url, "--out", str(out)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
    turns, sessions = pd.read_parquet(out / "turns.parquet"), pd.read_parquet(out / "sessions.parquet")
    assert len(sessions) == 2
    assert len(turns) == 2, done.stdout
    assert set(turns["status"]) <= {"failed", "no_reply"}
    assert set(zip(turns["error_kind"], turns["error_code"], strict=True)) == {("harness", "ZeroDivisionError")}
    assert set(sessions["status"]) == {"failed"}
    assert "made on purpose" in done.stderr
    assert done.returncode == ExitCode.INVALID_GENERATOR, done.stdout


CRASH = """
import sys
from pathlib import Path
import bench.workers.link
from bench.load.watchers import Watcher
from bench.run.lifecycle import run_scenario
from bench.load.spec import Workforce
from bench.scenario.read import load_scenario

def guard(progress):
    if progress.tally.turns >= 2:
        raise ZeroDivisionError("made on purpose")

class Broken(Watcher):
    def turn(self, row):
        raise OSError("no space left")

scenario = load_scenario(Path(sys.argv[1]), url=sys.argv[2], overrides=["load.sessions=40"])
force = Workforce(local=int(sys.argv[4]))
run_scenario(scenario, out=Path(sys.argv[3]), workforce=force, guards=[guard], watchers=[lambda spec: Broken()])
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_crash_in_mid_run_still_ends_in_a_finished_reported_folder(
    scenario: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        done = subprocess.run(
            [sys.executable, "-c", CRASH, str(scenario), url, str(out), str(workers)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            cwd=ROOT,
        )
    assert "ZeroDivisionError: made on purpose" in done.stderr
    assert f"what was measured until then: {out / 'report.html'}" in done.stderr
    assert "no space left" not in done.stderr, "a broken watcher hurts nobody"
    manifest = json.loads((out / "run.json").read_text())
    assert (manifest["state"], manifest["stop_reason"], manifest["verdict"]) == ("finished", "crashed", "incomplete")
    assert "the harness itself failed in mid-run: ZeroDivisionError: made on purpose" in manifest["reasons"]
    turns = pd.read_parquet(out / "turns.parquet")
    assert len(turns) >= 2
    assert (turns["status"] == "ok").any()
    assert "made on purpose" in (out / "report.md").read_text()


TWICE = """
import sys
from pathlib import Path
import bench.workers.link
from bench.run.lifecycle import run_scenario
from bench.load.spec import Workforce
from bench.scenario.read import load_scenario

scenario = load_scenario(Path(sys.argv[1]), url=sys.argv[2])
for name, workers in (("a", 0), ("b", 2), ("c", 0)):
    outcome = run_scenario(scenario, out=Path(sys.argv[3]) / name, workforce=Workforce(local=workers))
    print(name, outcome.exit_code, outcome.summary.turns.measured, flush=True)
"""


@pytest.mark.slow
def test_several_runs_in_one_process(scenario: Path, tmp_path: Path) -> None:
    with voice_server() as url:
        done = subprocess.run(
            [sys.executable, "-c", TWICE, str(scenario), url, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=ROOT,
        )
    assert done.stdout.split("\n")[:3] == ["a 0 4", "b 0 4", "c 0 4"], done.stdout + done.stderr
    assert done.stderr == ""
    rows = [pd.read_parquet(tmp_path / name / "turns.parquet") for name in "abc"]
    assert [len(each) for each in rows] == [4, 4, 4]
