"""A mistake of the harness's own, made on purpose: it is called that, and never a server that did not answer."""

from __future__ import annotations

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


@pytest.mark.parametrize("part", list(SABOTAGE))
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
    assert done.returncode == ExitCode.NO_DATA, done.stdout
