"""One call as it happened: every act and event once, in order, with the times that its row has."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.report.call_events import CallEvent, call_events
from bench.store.reader import iter_timelines
from tests.support.processes import ROOT, bench, simulated_server


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("events") / "run"
    with simulated_server(ROOT / "scenarios" / "profiles" / "steady.yaml") as url:
        words = ("--set", "load={callers: 1, sessions: 1}", "--set", "conversation=[{say: yes-slt}, {say: yes-slt}]")
        done = bench("run", "quickstart", "--url", url, "--out", out, *words)
    assert done.returncode in {0, 4}, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def events(run: Path) -> list[CallEvent]:
    (timeline,) = iter_timelines(run)
    return call_events(timeline)


def test_times_are_those_of_the_row(run: Path, events: list[CallEvent]) -> None:
    row = pd.read_parquet(run / "turns.parquet").iloc[0]
    first = {
        each.what.split(" x ")[0]: each
        for each in reversed(events)
        if each.turn == 0 and each.since_speech_ms is not None
    }
    for what, column in (
        ("speech stopped", "endpoint_ms"),
        ("text delta", "ttft_ms"),
        ("audio delta", "first_audio_ms"),
    ):
        assert first[what].since_speech_ms == pytest.approx(row[column], abs=0.01)
    assert first["speech ends"].since_speech_ms == 0
    assert [each.at_ms for each in events] == sorted(each.at_ms for each in events)


def test_audio_is_counted_whole_and_shown_in_few_lines(run: Path, events: list[CallEvent]) -> None:
    rows = pd.read_parquet(run / "turns.parquet")
    (timeline,) = iter_timelines(run)
    assert len(events) < len(timeline.entries)
    shown = [each for each in events if each.what.startswith("audio delta")]
    heard_ms = sum(float(each.detail.split()[0].replace(",", "")) for each in shown)
    assert heard_ms == pytest.approx(rows["reply_audio_ms"].sum(), abs=len(shown))


@pytest.mark.parametrize("call", ["0", "run/000000"])
def test_by_number_or_id_and_one_turn_alone(run: Path, call: str) -> None:
    said = CliRunner().invoke(app, ["events", str(run), call, "--turn", "2", "--json"])
    assert said.exit_code == 0, said.output
    turns = [json.loads(line)["turn"] for line in said.output.splitlines()]
    assert turns
    assert set(turns) == {1}


def test_a_call_or_turn_that_is_not_there_names_what_is(run: Path) -> None:
    missing = bench("events", run, "run/000009")
    assert missing.returncode == 2
    assert "stored are run/000000 to run/000000" in missing.stderr
    assert "the call has 2 turns" in bench("events", run, "0", "--turn", "3").stderr
