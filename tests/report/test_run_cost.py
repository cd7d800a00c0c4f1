"""`bench cost RUN` from the command line: what is printed, what is refused, and the same as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.store.manifest import CalledTarget
from tests.report import bills
from tests.report.test_bill import BY_HAND, DATES


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cost") / "run"
    bills.stored(folder, calls=[(bills.FIRST, bills.SECOND)] * 6)
    return folder


def cost(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["cost", *map(str, arguments)])


def test_the_four_models_of_the_hand_calculation_side_by_side(run: Path) -> None:
    """Six calls of the kind of which two were worked out by hand, at two dates."""
    for book in ("openai-2025-08", "openai-2026-11"):
        by_hand = {model: usd for each, model, usd in BY_HAND if each == book}
        found = json.loads(cost(run, "--models", ",".join(by_hand), "--prices", book, "--json").stdout)
        assert [each["model"] for each in found["models"]] == list(by_hand)
        for each in found["models"]:
            usd = by_hand[each["model"]]
            assert each["usd"] == (None if usd is None else pytest.approx(3 * usd))
            assert each["per_1000"]["usd"] == (None if usd is None else pytest.approx(500 * usd))
            assert bool(each["lacking"]) == (usd is None)
            assert each["books"] == ([] if usd is None else [f"{book} of {DATES[book]}"])


def test_the_whole_page(run: Path) -> None:
    launch = ["--calls-per-day", 4000, "--minutes", 3, "--peak-hour", "12%"]
    done = cost(run, *launch, "--models", "gpt-live-1,gpt-9", "--prices", "openai-2026-11")
    assert done.exit_code == 0, done.output
    for said in (
        "12 turns in 6 calls, model gpt-realtime",
        "Prices: openai-2026-11 of 2026-11-22",
        "Cached audio input",
        "COST BY TURN OF A CALL",
        "PROJECTION, learned from 6 calls",
        "A month of 30 days",
        "Peak hour, 12 % of a day         480 calls",
        "    Calls open at once, mean           24.0",
        "    Lines                                35",
        "gpt-9: tokens (no price for model gpt-9 in",
        "PRICE HISTORY",
    ):
        assert said in done.output


def test_without_a_launch_none_is_projected(run: Path) -> None:
    assert "PROJECTION" not in cost(run).output
    assert json.loads(cost(run, "--json").stdout)["projections"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peak-hour", "12"], "add --calls-per-day"),
        (["--calls-per-day", "10", "--peak-hour", "12"], "found '12'; allowed: a part of the day's calls above 0 %"),
        (["--calls-per-day", "10", "--peak-hour", "120%"], "up to 100 %"),
        (["--calls-per-day", "0"], "--calls-per-day: found 0; allowed: a number above 0"),
        (["--minutes", "nan"], "--minutes: found nan; allowed"),
        (["--minutes", "1000"], "240 at most"),
        (["--url", "ws://here"], "leave out --url"),
        (["--like", "elsewhere"], "bench cost SCENARIO --like RUN"),
        (["--target", "b"], "the run has one target"),
        (["--transcription-model", "whisper-1"], "goes with --models"),
        (["--prices", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Path, arguments: list[str], said: str) -> None:
    error: Any = cost(run, *arguments).exception
    assert said in f"{error.message} {error.hint}"


def test_options_of_a_run_are_refused_with_a_scenario() -> None:
    error: Any = cost("quickstart", "--calls-per-day", 10, "--models", "gpt-realtime").exception
    assert "is not a run folder" in error.message
    assert "leave out --calls-per-day, --models" in error.hint


def test_a_run_whose_transcription_has_no_name_is_priced_as_one_that_has(tmp_path: Path) -> None:
    spoken = {**bills.FIRST, "transcription_in_audio": 1_000_000, "transcription_out_text": 0}
    bills.stored(tmp_path / "run", calls=[(spoken,)])
    (bare,) = json.loads(cost(tmp_path / "run", "--models", "gpt-realtime", "--json").stdout)["models"]
    assert bare["usd"] is None
    assert "transcription" in bare["lacking"][0]
    asked = ["--models", "gpt-realtime", "--transcription-model", "gpt-4o-transcribe", "--json"]
    (named,) = json.loads(cost(tmp_path / "run", *asked).stdout)["models"]
    # .1 x 4 + .05 x 32 + .02 x 16 + .04 x 64 and 1 x 2.5
    assert named["usd"] == pytest.approx(0.4 + 1.6 + 0.32 + 2.56 + 2.5)


def test_targets_are_projected_one_by_one(tmp_path: Path) -> None:
    run = bills.stored(
        tmp_path / "run",
        calls=[(bills.FIRST, bills.SECOND)] * 4,
        targets=[CalledTarget(name="a", model="gpt-realtime"), CalledTarget(name="b", model="gpt-realtime-mini")],
    )
    for frame in (run.turns, run.sessions):
        frame["target"] = ["a" if int(name[-1]) < 3 else "b" for name in frame["session_id"]]
    run.turns.to_parquet(run.folder.turns_parquet)
    run.sessions.to_parquet(run.folder.sessions_parquet)
    found = json.loads(cost(tmp_path / "run", "--minutes", 2, "--json").stdout)["projections"]
    assert [(each["target"], each["calls"]) for each in found] == [("a", 3), ("b", 1)]
    only = json.loads(cost(tmp_path / "run", "--target", "b", "--json").stdout)
    assert only["calls"] == 1
    error: Any = cost(tmp_path / "run", "--target", "c").exception
    assert "name one of: a, b" in error.hint
