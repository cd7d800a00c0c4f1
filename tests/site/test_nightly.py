"""What runs a night: the script with a stand-in for `bench`, and the files that call it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import ROOT

FOLDER = ROOT / "deploy" / "nightly"
MADE = 'echo "{}" > "$2/run.json"'
STAND_IN = """#!/bin/sh
echo "$*" >> {log}
verb=$1
if [ "$verb" = run ]; then
    while [ $# -gt 0 ]; do [ "$1" = --out ] && mkdir -p "$2" && {{ {made}; }}; shift; done
fi
case $verb in run) exit {run} ;; gate) exit {gate} ;; site) exit {site} ;; esac
"""


def night(
    folder: Path, *words: str, run: int = 0, gate: int = 0, site: int = 0, made: str = MADE, **more: str
) -> tuple[int, list[str]]:
    """Exit code of the script, and what it asked `bench` to do."""
    log, bench = folder / "log", folder / "bench"
    bench.write_text(STAND_IN.format(log=log, run=run, gate=gate, site=site, made=made))
    bench.chmod(0o755)
    env = {
        "BENCH": str(bench),
        "PATH": "/usr/bin:/bin",
        "REPORTS": str(folder / "reports"),
        "SITE": str(folder / "s"),
    } | more
    done = subprocess.run([FOLDER / "nightly.sh", *words], env=env, cwd=folder, capture_output=True, check=False)
    return done.returncode, log.read_text().splitlines()


def test_a_night_is_run_judged_pruned_and_published(tmp_path: Path) -> None:
    code, asked = night(tmp_path, "--set", "load.sessions=3")
    assert code == 0
    run, gate, history, site = asked
    assert run.startswith(f"run nightly --out {tmp_path}/reports/2")
    assert run.endswith("-nightly --set load.sessions=3")
    assert gate.endswith("--baseline last:7")
    assert history == f"history prune {tmp_path}/reports --older-than 90d --keep 30 --yes"
    assert site == f"site {tmp_path}/reports --out {tmp_path}/s --copy"


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({"gate": 7}, 7),
        ({"gate": 3}, 0),
        ({"run": 1, "gate": 7}, 1),
        ({"run": 8, "gate": 8}, 8),
        ({"site": 2}, 2),
        ({"gate": 7, "site": 2}, 7),
    ],
)
def test_the_exit_code_is_that_of_the_run_then_of_the_gate(
    tmp_path: Path, codes: dict[str, int], expected: int
) -> None:
    code, asked = night(tmp_path, **codes)
    assert code == expected
    assert [line.split()[0] for line in asked] == ["run", "gate", "history", "site"]


def test_a_job_shows_the_reports_of_its_own_night_alone(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "gate-junit.xml").write_text("of last night")
    code, _ = night(tmp_path, NIGHT=str(tmp_path / "night"), made='echo new > "$2/run.json"; echo new > "$2/junit.xml"')
    assert code == 0
    assert {each.name: each.read_text() for each in (tmp_path / "night").iterdir()} == {"junit.xml": "new\n"}
    junit = read("gitlab-nightly.yml")["nightly"]["artifacts"]["reports"]["junit"]
    assert junit == ["night/junit.xml", "night/gate-junit.xml"]


def test_a_run_that_was_not_made_ends_the_night(tmp_path: Path) -> None:
    code, asked = night(tmp_path, run=2, made="true")
    assert (code, len(asked)) == (2, 1)


def read(name: str) -> Any:
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def test_github_and_gitlab_call_the_script() -> None:
    steps = read("github-nightly.yml")["jobs"]["measure"]["steps"]
    assert "deploy/nightly/nightly.sh" in [step.get("run") for step in steps]
    assert read("gitlab-nightly.yml")["nightly"]["script"] == ["deploy/nightly/nightly.sh"]


def test_systemd_and_cron_begin_at_the_same_time() -> None:
    assert "OnCalendar=*-*-* 02:17:00 UTC" in (FOLDER / "bench-nightly.timer").read_text()
    assert "\n17 2 * * * " in (FOLDER / "crontab").read_text()
    assert "ExecStart=/opt/bench/nightly.sh" in (FOLDER / "bench-nightly.service").read_text()
