"""Made-up nights through the whole gate: an equal one passes, a slower one is a regression and no baseline later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bench.report.compare.matters import Matters
from bench.report.compare.measures import measures
from bench.report.gate.findings import GateReport
from bench.report.gate.gate import Settings, gate, usual_measures
from bench.report.gate.text import annotations_of, render_junit, render_step_summary, render_text
from bench.report.gate.window import window_of
from bench.report.gate.write import write_gate
from bench.report.view import view_of
from bench.store.manifest import write_manifest
from bench.store.reader import read_run
from tests.report.build import START
from tests.report.compare.build import run_of
from tests.site.nights import REGRESSION, TARGETS, name_of, night_run

NIGHTS = 9


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine nights of the same server, the eighth of which (n7) is slower."""
    root = tmp_path_factory.mktemp("nights")
    for night in range(NIGHTS):
        at = START + timedelta(days=night)
        times = {"started_at": at, "ended_at": at + timedelta(minutes=3)}
        run_of(root / f"n{night}", night + 1, calls=40, slower=1.25 if night == 7 else 1.0, run_id=f"n{night}", **times)
    return root


def judged(root: Path, name: str, baseline: str = "last:7", *, accept: bool = False) -> GateReport:
    view = view_of(read_run(root / name))
    settings = Settings(usual_measures(view), Matters(), accept=accept)
    return gate(view, window_of(view, [baseline]), baseline, settings)


def test_a_slower_night_alarms_and_is_skipped_by_the_next_until_it_is_accepted(nights: Path) -> None:
    slower = judged(nights, "n7")
    assert (slower.verdict, slower.exit_code) == ("regression", 7)
    assert "first audible p50" in slower.reasons[0]
    assert 'failures="' in render_junit(slower)
    assert "exit code 7" in render_step_summary(slower)
    write_gate(slower, nights / "n7")
    after = judged(nights, "n8")
    assert (after.verdict, after.exit_code) == ("pass", 0)
    assert [each.run_id for each in after.window] == [f"n{night}" for night in range(7)]
    assert "regression itself" in after.skipped[0].why
    assert after.false_alarms is not None
    assert after.false_alarms <= after.alpha + 0.015
    accepted = judged(nights, "n7", accept=True)
    assert accepted.exit_code == 0
    write_gate(accepted, nights / "n7")
    anew = judged(nights, "n8")
    assert [each.run_id for each in anew.window] == ["n7"]
    assert (anew.verdict, anew.exit_code) == ("no data", 3)


def test_two_runs_are_no_window(nights: Path) -> None:
    found = judged(nights, "n2")
    assert (found.verdict, found.exit_code) == ("no data", 3)
    assert "at least 3" in render_text(found)


def test_a_window_that_is_too_small_is_no_error_of_the_run(nights: Path) -> None:
    found = judged(nights, "n2")
    assert [line.partition(" ")[0] for line in annotations_of(found)] == ["::warning"]
    assert 'failures="0" errors="0"' in render_junit(found)
    assert "<skipped" in render_junit(found)


def test_a_lucky_night_of_a_server_that_stays_slow_is_no_measure_for_the_next(tmp_path: Path) -> None:
    slower = {7: 1.3, 8: 1.06, 9: 1.3, 10: 1.0, 11: 1.0}
    reports = {}
    for night in range(12):
        at = START + timedelta(days=night)
        times = {"started_at": at, "ended_at": at + timedelta(minutes=3)}
        seed = night + 1 if night < 7 else 4
        run_of(tmp_path / f"n{night}", seed, calls=40, slower=slower.get(night, 1.0), run_id=f"n{night}", **times)
        if night >= 7:
            reports[night] = judged(tmp_path, f"n{night}")
            write_gate(reports[night], tmp_path / f"n{night}")
    assert [each.verdict for each in reports.values()] == ["regression", "pass", "regression", "pass", "pass"]
    lucky = reports[8]
    assert "first_audible_ms: p50" in lucky.not_back
    assert any("first audible p50 was a regression and is not back" in each for each in lucky.warnings)
    assert [each.run_id for each in reports[9].window] == [f"n{night}" for night in range(7)]
    assert "not recovered" in reports[9].skipped[-1].why
    assert reports[10].not_back == []
    assert [each.run_id for each in reports[11].window][-1] == "n10"


def test_a_folder_is_a_window_without_the_run_itself(nights: Path) -> None:
    found = judged(nights, "n6", str(nights))
    assert "n6" not in [each.run_id for each in found.window]
    assert found.verdict == "pass"


def test_why_a_run_cannot_be_used_is_annotated_once(tmp_path: Path) -> None:
    run = run_of(tmp_path / "n0", 1, calls=12, run_id="n0")
    run.manifest.verdict, run.manifest.exit_code = "invalid", 4
    run.manifest.reasons = ["the generator was overloaded", "all CPUs were busy"]
    write_manifest(run.folder, run.manifest)
    found = judged(tmp_path, "n0")
    assert found.verdict == "not usable"
    assert len(found.reasons) > 1
    errors = [line for line in annotations_of(found) if line.startswith("::error")]
    assert len(errors) == 1
    assert errors[0].endswith("there is nothing to judge")


def test_each_target_of_a_run_is_judged_by_its_own_nights(tmp_path: Path) -> None:
    slower = REGRESSION + 1
    for night in (*range(REGRESSION - 5, REGRESSION), slower):
        night_run(tmp_path, night)
    found = judged(tmp_path, name_of(slower))
    assert found.verdict == "regression"
    assert {row.measure for row in found.family if row.verdict == "regression"} <= {
        f"first_audible_ms{{target=brio}}: {fold}" for fold in ("p50", "p95")
    }
    assert {row.measure.partition("target=")[2].partition("}")[0] for row in found.family} == set(TARGETS)
    assert "(target brio)" in found.reasons[0]
    assert not [each for each in found.warnings if "judged together" in each]


def test_targets_that_a_metric_pools_are_said_to_be_judged_together(tmp_path: Path) -> None:
    for night in range(4):
        night_run(tmp_path, night, calls=18)
    view = view_of(read_run(tmp_path / name_of(3)))
    settings = Settings(measures(["first_audible_ms: p50", "wer{target=brio}"]), Matters())
    found = gate(view, window_of(view, ["last:7"]), "last:7", settings)
    (said,) = [each for each in found.warnings if "the 3 targets of the run are judged together" in each]
    assert said.startswith("first_audible_ms: p50: ")
    assert "judged together" in render_text(found)
