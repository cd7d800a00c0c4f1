"""Before and after the calls: what does not fit is refused, and a run that stopped anyhow is a finished folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.load.spec import RunSpec, WorkersFacts, Workforce
from bench.pricing.book import books_for
from bench.run.lifecycle import PreparedRun, check_file_limit, finish, run_scenario
from bench.scenario.model import LoadConfig
from bench.scenario.read import load_scenario
from bench.store.folder import RunFolder
from tests.report import build
from tests.run.workers import ScriptedWorkers
from tests.support.processes import ROOT

QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"


@pytest.mark.parametrize(
    ("load", "workers", "fits"),
    [
        ({"callers": 40}, 1, True),
        ({"callers": 900_000_000}, 1, False),
        ({"arrival": "poisson", "rate": "1/s", "duration": "9s", "max_open": 900_000_000}, 2, False),
        ({"arrival": "poisson", "rate": "1/s", "duration": "9s"}, 1, True),
    ],
)
def test_a_load_that_needs_too_many_files_is_refused(load: dict[str, Any], workers: int, fits: bool) -> None:
    asked = LoadConfig.model_validate(load)
    if fits:
        check_file_limit(asked, workers=workers)
        return
    with pytest.raises(BenchError, match="open files") as refused:
        check_file_limit(asked, workers=workers)
    assert "ulimit -n" in (refused.value.hint or "")


def test_workers_elsewhere_need_a_target(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot reach the embedded server"):
        run_scenario(load_scenario(QUICKSTART), out=tmp_path / "run", workforce=Workforce(remote=1))
    assert not (tmp_path / "run").exists()


def test_a_finished_run_holds_what_its_workers_said(tmp_path: Path) -> None:
    scenario = load_scenario(QUICKSTART, url="ws://127.0.0.1:9/")
    assert scenario.target is not None
    folder, kept = RunFolder(tmp_path / "run"), build.manifest(ended_at=None, health={}, losses=["lost before"])
    build.write_spool(folder, kept, *build.rows(calls=3, fails=0, warm=0))

    class Told(ScriptedWorkers):
        def facts(self) -> WorkersFacts:
            return WorkersFacts(kept.workers, kept.counts.workers, ["worker w1 was lost"], kept.health)

    spec = RunSpec(scenario, scenario.target, folder, "r", books_for(None), {})
    found = finish(PreparedRun(spec, kept, Told()), "crashed")
    stored = json.loads(folder.manifest.read_text())
    assert (stored["state"], stored["stop_reason"]) == ("finished", "crashed")
    assert stored["losses"] == ["lost before", "worker w1 was lost"]
    assert found.incomplete
    assert len(found.turns) == 15
    assert not folder.spool.exists()
