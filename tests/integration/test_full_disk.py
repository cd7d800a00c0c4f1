"""A disk that fills in mid-run: calls hang up, every row that was made is reported, and the folder can be finished."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import ExitCode
from tests.support.processes import voice_server

RUN = """
set -e
mount -t tmpfs -o size=200k tmpfs "$DISK"
set +e
$BENCH run "$SCENARIO" --url "$URL" --out "$DISK/run" --set load.callers=8 --set load.sessions=200 >"$LOG/run.txt" 2>&1
echo $? >"$LOG/run.rc"
cat "$DISK"/run/spool/*-turns.jsonl | wc -l >"$LOG/rows"
$BENCH report "$DISK/run" >"$LOG/again.txt" 2>&1
echo $? >"$LOG/again.rc"
$BENCH report "$DISK/run" --out "$LOG/elsewhere" >"$LOG/elsewhere.txt" 2>&1
echo $? >"$LOG/elsewhere.rc"
mount -o remount,size=20m "$DISK"
$BENCH report "$DISK/run" >"$LOG/freed.txt" 2>&1
echo $? >"$LOG/freed.rc"
cp "$DISK"/run/turns.csv "$LOG/freed.csv"
"""


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="no user namespaces: a small disk cannot be mounted without being root")
def test_a_full_disk_ends_the_run_and_loses_no_row(scenario: Path, tmp_path: Path) -> None:
    disk, log = tmp_path / "disk", tmp_path / "log"
    for folder in (disk, log):
        folder.mkdir()
    with voice_server() as url:
        env = {**os.environ, "DISK": str(disk), "LOG": str(log), "SCENARIO": str(scenario), "URL": url}
        command = ["unshare", "-rm", "sh", "-c", RUN]
        env["BENCH"] = f"{sys.executable} -m bench"
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)
    texts = {path.stem: path.read_text() for path in log.glob("*.txt")}
    assert done.returncode == 0, done.stderr
    codes = {path.stem: int(path.read_text()) for path in log.glob("*.rc")}
    assert codes == dict.fromkeys(("run", "again", "elsewhere", "freed"), ExitCode.INCOMPLETE), texts
    assert "rows cannot be written (No space left on device): hanging up" in texts["run"]
    assert "--out DIR" in texts["run"]
    assert "--out DIR" in texts["again"]
    assert not any("Traceback" in text for text in texts.values())
    rows = int((log / "rows").read_text())
    assert rows >= 8
    assert len((log / "freed.csv").read_text().splitlines()) == rows + 1
    summary = json.loads((log / "elsewhere" / "summary.json").read_text())
    assert summary["turns"]["total"] == rows
    assert summary["verdict"]["name"] == "incomplete"
