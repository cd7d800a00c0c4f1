"""What a calibration is asked for, and when a level passes: without a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.calibrate.levels import DECISIVE, CalibrateOptions, describe, failures, limits
from bench.errors import BenchError
from bench.store.calibration import Level
from bench.store.certificate import Spread
from bench.store.reader import Run
from tests.report import build


def level(**changes: Any) -> Level:
    values: dict[str, Any] = {
        "calls": 50,
        "turns": 120,
        "errors": {name: Spread(n=120, p99_ms=0.4) for name in DECISIVE},
        "frame_late": Spread(n=9000, p99_ms=2.0),
        "recv_lag": Spread(n=9000, p99_ms=1.0),
        "client_cpu": {"w0": 0.4},
        "server_cpu": {"pid 7": 0.3},
        "ok": True,
    }
    return Level(**{**values, **changes})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return build.finished(tmp_path / "run", *build.rows(calls=4, fails=0, warm=0))


def test_levels_and_frames_from_the_command_line() -> None:
    found = CalibrateOptions.at("200,50,50", "100ms", workers=2)
    assert (found.levels, found.frame_ms, found.workers) == ((50, 200), 100, 2)


@pytest.mark.parametrize(
    ("levels", "frame", "said"),
    [
        ("many", "20ms", "--at 'many': allowed: whole numbers of calls"),
        ("50,", "20ms", "--at '50,': allowed: whole numbers of calls"),
        ("50", "20", "--frame"),
    ],
)
def test_what_is_no_level_is_a_sentence(levels: str, frame: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        CalibrateOptions.at(levels, frame)


def test_a_level_within_its_bounds_passes(run: Run) -> None:
    assert failures(level(), run, CalibrateOptions()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"errors": {name: Spread(n=9, p99_ms=1.2) for name in DECISIVE}}, "error p99 of ttft_ms is 1.20 ms"),
        ({"errors": {name: Spread(n=0) for name in DECISIVE}}, "first_audio_ms was not measured"),
        ({"frame_late": Spread(n=9, p99_ms=11.0)}, "frames are late by 11.00 ms at p99"),
        ({"frame_late": Spread(n=0)}, "frames are late by - at p99"),
        ({"turns_unmatched": 3}, "3 turns have no counterpart in the truth log"),
    ],
)
def test_a_level_beyond_a_bound_says_which(run: Run, changes: dict[str, Any], said: str) -> None:
    assert said in "; ".join(failures(level(**changes), run, CalibrateOptions()))


def test_turns_without_an_answer_fail_a_level(tmp_path: Path) -> None:
    failed = build.finished(tmp_path / "run", *build.rows(calls=4, fails=2, warm=0))
    answered = int((failed.turns["status"] == "ok").sum())
    said = failures(level(), failed, CalibrateOptions())
    assert f"{len(failed.turns) - answered} of {len(failed.turns)} turns were not answered ok" in said


def test_who_had_no_more_of_a_core_is_named() -> None:
    assert limits({"w0": 0.5}, {"pid 7": 0.5}) == []
    busy = limits({"w0": 0.95}, {"pid 7": 0.99})
    assert "worker w0 used 95 % of a core" in busy[0].replace("95%", "95 %")
    assert "it, not the client, may be the limit" in busy[1]


def test_a_level_as_a_line() -> None:
    assert "error p99 ttft 0.40 ms" in describe(level())
    assert describe(level()).endswith("; ok")
    assert describe(level(ok=False, reasons=["late", "slow"])).endswith("NOT OK: late; slow")
