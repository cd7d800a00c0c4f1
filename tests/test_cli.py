"""The command line: verbs, exit codes, errors as sentences, and how light its import is."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import yaml

from bench.cli import main
from bench.errors import ExitCode
from tests.support.bursts import RATE, noise_burst
from tests.support.processes import ROOT, bench

QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, bench.cli; print(*(m for m in sys.modules if m in set(sys.argv[1:])))"
    heavy = ["locust", "gevent", "pandas", "numpy", "matplotlib", "pyarrow", "pydantic", "jiwer", "yaml"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        ("fixtures list", ["bench.scenario.model", "pandas", "pyarrow", "locust"]),
        ("run quickstart --dry-run", ["bench.report.findings", "pandas", "pyarrow", "locust"]),
    ],
)
def test_a_light_verb_imports_little(words: str, unneeded: list[str]) -> None:
    code = (
        "import sys\nfrom bench.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n"
        f"    print(*(name for name in {unneeded} if name in sys.modules), file=sys.stderr)\n    sys.exit(end.code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []


def test_preparing_a_run_leaves_the_standard_library_alone() -> None:
    code = "import sys, bench.run.lifecycle; print('locust' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["no-such-verb"], ExitCode.USAGE)])
def test_nothing_is_collected_as_garbage_at_the_end_of_a_command(
    words: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, frozen) == (code, [True])


def test_help_names_every_verb() -> None:
    done = bench("--help")
    assert done.returncode == 0
    for verb in ("run", "report", "serve", "validate", "schema", "init", "fixtures", "worker"):
        assert verb in done.stdout


def test_validate_says_what_would_run() -> None:
    done = bench("validate", QUICKSTART)
    assert done.returncode == 0
    assert "12 calls of 2 turns each, 6 at a time" in done.stdout


def test_validate_takes_a_file_with_several_targets(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    body = yaml.safe_load(QUICKSTART.read_text())
    body["fixtures"] = str(ROOT / "fixtures" / "audio" / "catalogue.yaml")
    body["targets"] = {"here": {"url": "ws://127.0.0.1:9/"}, "nowhere": {"model": "m"}}
    path.write_text(yaml.safe_dump(body))
    assert bench("validate", path).returncode == 0
    assert bench("validate", path, "--target", "here").returncode == 0
    refused = bench("validate", path, "--target", "nowhere")
    assert (refused.returncode, "no url" in refused.stderr) == (ExitCode.USAGE, True)


def test_a_bad_scenario_is_told_by_line_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: x\nconversation: [say: balance-rms]\nload: {callerz: 5}\nsession: {voice: marinn}\n")
    done = bench("validate", path)
    assert done.returncode == ExitCode.USAGE
    assert "bad.yaml:3" in done.stderr
    assert "callers" in done.stderr
    assert "bad.yaml:4" in done.stderr
    assert "did you mean 'marin'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["run", "no-such.yaml"],
        ["report", "no-such-folder"],
        ["frobnicate"],
        ["run"],
        ["fixtures", "check", "--catalogue", "x"],
    ],
)
def test_bad_usage_is_exit_2_and_no_traceback(words: list[str]) -> None:
    done = bench(*words)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_dry_run_prints_the_plan_and_sends_nothing(tmp_path: Path) -> None:
    done = bench("run", QUICKSTART, "--dry-run", "--seed", "9", "--set", "load.callers=4", "--out", tmp_path / "x")
    assert done.returncode == 0
    plan = yaml.safe_load(done.stdout)
    assert (plan["seed"], plan["load"]["callers"]) == (9, 4)
    assert not (tmp_path / "x").exists()


def test_schema_is_json() -> None:
    assert json.loads(bench("schema").stdout)["properties"]["load"]


def test_init_writes_a_scenario_that_is_valid(tmp_path: Path) -> None:
    assert bench("init", tmp_path / "mine.yaml").returncode == 0
    assert bench("validate", tmp_path / "mine.yaml").returncode == 0
    assert bench("init", tmp_path / "mine.yaml").returncode == ExitCode.USAGE


def test_fixtures_are_listed_checked_and_added(tmp_path: Path) -> None:
    listed = bench("fixtures", "list")
    assert "balance-rms" in listed.stdout
    recording = tmp_path / "my recording.flac"
    soundfile.write(recording, noise_burst(300, 900, 400), RATE)
    catalogue = tmp_path / "catalogue.yaml"
    added = bench("fixtures", "add", recording, "--text", "hello", "--accent", "welsh", "--catalogue", catalogue)
    assert added.returncode == 0, added.stderr
    entry = yaml.safe_load(catalogue.read_text())["fixtures"][0]
    assert abs(entry["speech_end_ms"] - 1200) < 2
    assert entry["accent"] == "welsh"
    sharp = "speech ends at 1,200 ms; by the sound itself it may be between 1,200 and 1,200 ms"
    assert f"{sharp}\n" in added.stdout
    assert f"my-recording: {sharp}\n" in bench("fixtures", "check", "--catalogue", catalogue).stdout
    shown = bench("fixtures", "show", "my-recording", "--catalogue", catalogue, "--out", tmp_path / "x.png")
    assert f"{sharp}\n" in shown.stdout
    catalogue.write_text(catalogue.read_text().replace("by level", "by hand"))
    by_hand = bench("fixtures", "check", "--catalogue", catalogue)
    assert "my-recording: speech ends at 1,200 ms, by hand\n" in by_hand.stdout
    assert by_hand.returncode == 0
    again = bench("fixtures", "add", recording, "--text", "hello", "--catalogue", catalogue)
    assert again.returncode == ExitCode.USAGE
    assert "my-recording" in again.stderr


def test_a_tampered_recording_fails_the_check(tmp_path: Path) -> None:
    recording = tmp_path / "one.wav"
    soundfile.write(recording, noise_burst(300, 900, 400), RATE, subtype="PCM_16")
    catalogue = tmp_path / "catalogue.yaml"
    bench("fixtures", "add", recording, "--text", "hello", "--catalogue", catalogue)
    stored = tmp_path / yaml.safe_load(catalogue.read_text())["fixtures"][0]["file"]
    soundfile.write(stored, noise_burst(300, 700, 600), RATE, subtype="PCM_16")
    done = bench("fixtures", "check", "--catalogue", catalogue)
    assert done.returncode == ExitCode.THRESHOLD_FAILED
    assert "sha256" in done.stdout
