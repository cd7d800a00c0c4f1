"""A run as one message: the scenario, its targets, the recordings and the prices, for a worker on any machine.

In: a `RunSpec` of the master; out: plain data, and back. Secrets stay references and are resolved where the worker
runs; recordings travel as they are in the catalogue, with their annotations. Trap: a path of the master means nothing
on a worker, so paths are replaced by content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from bench.dialects.session_config import with_files_read
from bench.load.factory import fixtures_of
from bench.load.spec import Callee, RunSpec, Stretch, Workforce
from bench.pricing.book import Books
from bench.scenario.model import Scenario
from bench.scenario.read import expanded, scenario_from_dict
from bench.scenario.target import Target
from bench.store.folder import RunFolder


def pack(spec: RunSpec) -> dict[str, Any]:
    """Everything of the run that does not depend on the worker."""
    body = expanded(_with_files_read(spec.scenario))
    for key in ("target", "targets", "fixtures", "pricing"):
        body.pop(key, None)
    return {
        "run_id": spec.run_id,
        "workers": spec.workforce.processes,
        "scenario": body,
        "targets": [_packed(each, spec.scenario.targets.get(each.name, each.target)) for each in spec.callees],
        "fixtures": [
            {key: value for key, value in asdict(fixture).items() if key not in {"file", "where"}}
            | {"suffix": fixture.file.suffix, "audio": fixture.file.read_bytes()}
            for fixture in spec.fixtures.values()
        ],
        "stretch": asdict(spec.stretch) if spec.stretch is not None else None,
    }


def _with_files_read(scenario: Scenario) -> Scenario:
    """The scenario with what its tools answer from files in the place of their paths."""
    return scenario.model_copy(update={"session": with_files_read(scenario.session)})


def _packed(callee: Callee, target: Target) -> dict[str, Any]:
    """A target as the scenario has it, with what it changes for itself; its prices travel as books."""
    ca_file = target.ca_file
    if target.session is not None:
        target = target.model_copy(update={"session": with_files_read(target.session)})
    return {
        "name": callee.name,
        "target": target.model_dump(mode="json", by_alias=True, exclude={"ca_file", "pricing"}),
        "ca": ca_file.read_text(encoding="utf-8") if ca_file is not None else None,
        "books": callee.books.model_dump(mode="json"),
    }


def unpack(data: Mapping[str, Any], root: Path, folder_of: Callable[[str], RunFolder]) -> RunSpec:
    """The run of `pack`, with the recordings written into the folder `root`; `folder_of` a run's id takes its rows.

    Raises `BenchError` when it is not what this version understands.
    """
    entries = []
    for number, raw in enumerate(data["fixtures"]):
        name = f"{number:04d}{raw['suffix']}"
        (root / name).write_bytes(raw["audio"])
        entries.append({**{key: value for key, value in raw.items() if key not in {"audio", "suffix"}}, "file": name})
    (root / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": entries}, allow_unicode=True), encoding="utf-8")
    targets = {}
    for place, each in enumerate(data["targets"]):
        target = dict(each["target"])
        if each["ca"] is not None:
            target["ca_file"] = f"ca-{place}.pem"
            (root / target["ca_file"]).write_text(each["ca"], encoding="utf-8")
        targets[each["name"]] = target
    body = {**data["scenario"], "fixtures": "catalogue.yaml", "targets": targets}
    scenario = scenario_from_dict(body, source=root / "scenario.yaml")
    books = {each["name"]: Books.model_validate(each["books"]) for each in data["targets"]}
    callees = [
        Callee(name, part, part.target, books[name])
        for name, part in scenario.parts().items()
        if part.target is not None
    ]
    first = callees[0]
    return RunSpec(
        scenario=scenario if len(callees) > 1 else first.scenario,
        target=first.target,
        folder=folder_of(data["run_id"]),
        run_id=data["run_id"],
        books=first.books,
        fixtures=fixtures_of(scenario),
        workforce=Workforce(local=data["workers"]),
        interleaved=tuple(callees) if len(callees) > 1 else (),
        stretch=Stretch(**data["stretch"]) if data["stretch"] is not None else None,
    )
