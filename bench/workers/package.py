"""What a worker on another machine needs to make the same calls: the scenario, the target, the recordings.

In: a scenario as loaded on the master; out: plain data for one message, and back. Secrets stay references and are
resolved where the worker runs; recordings travel as they are in the catalogue, with their annotations. Trap: a path
of the master means nothing on a worker, so paths are replaced by content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from bench.audio.catalogue import Fixture
from bench.scenario.model import Scenario
from bench.scenario.read import expanded, scenario_from_dict
from bench.scenario.target import Target


def pack(scenario: Scenario, target: Target, fixtures: Mapping[str, Fixture]) -> dict[str, Any]:
    """Everything of the run that does not depend on the worker."""
    body = expanded(scenario)
    for key in ("target", "targets", "fixtures", "pricing"):
        body.pop(key, None)
    ca_file = target.ca_file
    return {
        "scenario": body,
        "target": target.model_dump(mode="json", by_alias=True, exclude={"ca_file"}),
        "ca": ca_file.read_text(encoding="utf-8") if ca_file is not None else None,
        "fixtures": [
            {**{key: value for key, value in asdict(fixture).items() if key not in {"file", "where"}}}
            | {"suffix": fixture.file.suffix, "audio": fixture.file.read_bytes()}
            for fixture in fixtures.values()
        ],
    }


def unpack(data: Mapping[str, Any], root: Path) -> tuple[Scenario, Target]:
    """The scenario and the target of `pack`, with the recordings written into the folder `root`.

    Raises `BenchError` when they are not what this version understands.
    """
    entries = []
    for number, raw in enumerate(data["fixtures"]):
        name = f"{number:04d}{raw['suffix']}"
        (root / name).write_bytes(raw["audio"])
        entries.append({**{key: value for key, value in raw.items() if key not in {"audio", "suffix"}}, "file": name})
    (root / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": entries}, allow_unicode=True), encoding="utf-8")
    target = dict(data["target"])
    if data.get("ca") is not None:
        (root / "ca.pem").write_text(data["ca"], encoding="utf-8")
        target["ca_file"] = "ca.pem"
    body = {**data["scenario"], "fixtures": "catalogue.yaml", "target": target}
    scenario = scenario_from_dict(body, source=root / "scenario.yaml")
    if scenario.target is None:
        raise ValueError("a packed scenario has a target")
    return scenario, scenario.target
