"""Calls that get the words of others: marked, named, and failing the run; sound calls are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.store.reader import Run, read_run
from tests.support.processes import ROOT, bench, simulated_server

ASKED = ["order-number-rms", "digits-card-rms", "digits-phone-awb", "hours-friday-slt", "password-reset-rms", "yes-rms"]
PROFILE: dict[str, Any] = {
    "seed": 1,
    "endpointing": "300ms",
    "first_token": "350ms",
    "first_audio": "400ms",
    "reply_length": "300ms",
    "transcription": {"delay": "50ms", "errors": {"substitutions": 0.1, "deletions": 0.05}},
}

UNDERSTOOD = {"transcription": {"delay": "50ms"}}


def played(
    folder: Path, faults: list[dict[str, Any]], load: dict[str, Any], asked: list[str], *words: str, well: bool = False
) -> tuple[Run, int, str]:
    folder.mkdir(exist_ok=True)
    (folder / "profile.yaml").write_text(yaml.safe_dump({**PROFILE, "faults": faults, **(UNDERSTOOD if well else {})}))
    body = {
        "name": "isolation",
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "conversation": [{"say": asked, "choose": "in_turn"}],
        "load": load,
        "health": {"client_late": "300ms"},
        "thresholds": ["error_rate < 60%"],
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    with simulated_server(folder / "profile.yaml") as url:
        done = bench("run", folder / "scenario.yaml", "--url", url, "--out", folder / "run", *words, timeout_s=200)
    return read_run(folder / "run"), done.returncode, done.stdout + done.stderr


def test_answers_of_others_are_found_and_named(tmp_path: Path) -> None:
    faults = [{"kind": "cross_talk", "how": "transcript", "sessions": [1, 3]}]
    run, code, text = played(tmp_path, faults, {"callers": 6, "sessions": 6}, ASKED)
    assert code == 1, text
    bad = run.turns[run.turns["error_kind"] == "cross_talk"]
    assert 1 <= len(bad) <= 2
    assert set(bad["status"]) == {"failed"}
    for _, row in bad.iterrows():
        other = run.turns[run.turns["session_id"] == row["cross_talk_with"]].iloc[0]
        assert other["session_id"] != row["session_id"]
        assert other["reference"] != row["reference"]
        assert row["session_id"] in text
        assert other["session_id"] in text
    calls = run.sessions.set_index("session_id").loc[list(bad["session_id"])]
    assert set(calls["error_kind"]) == {"cross_talk"}
    assert "with words of another call" in text.splitlines()[1] + text.splitlines()[2]
    assert bench("report", tmp_path / "run", "--recompute").returncode == 1
    again = read_run(tmp_path / "run").turns
    assert again["cross_talk_with"].dropna().tolist() == run.turns["cross_talk_with"].dropna().tolist()


@pytest.mark.slow
def test_a_thousand_sound_calls_raise_no_alarm(tmp_path: Path) -> None:
    run, code, text = played(tmp_path, [], {"callers": 40, "ramp": "4s", "sessions": 1000}, ASKED)
    assert code == 0, text
    assert len(run.turns) == 1000
    assert run.turns["cross_talk_with"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["transcript", "both"])
def test_every_swap_of_fifty_calls_is_found(tmp_path: Path, how: str) -> None:
    faults = [{"kind": "cross_talk", "how": how, "rate": 0.2}]
    run, code, text = played(
        tmp_path, faults, {"callers": 50, "ramp": "2s", "sessions": 100}, ASKED[:5], "--workers", "2"
    )
    assert code == 1, text
    bad = run.turns[run.turns["error_kind"] == "cross_talk"]
    far = run.turns[(run.turns["wer"] >= 0.5) & (run.turns["status"] != "failed")]
    assert len(bad) >= 10
    assert far.empty, "nothing that was heard as something else entirely goes unnamed"
