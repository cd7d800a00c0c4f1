"""From words on a command line to the target that a person talks to.

In: a scenario's path and what was overridden; where the embedded server listens, if that is the target. Out: a
`Callee`. The former goes from the run to the process of its page as JSON, in which a secret is what it is in the
scenario: a reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bench.errors import BenchError
from bench.load.spec import Callee, callees_of
from bench.run.server_process import EMBEDDED_MODEL
from bench.scenario.model import Scenario
from bench.scenario.read import load_scenario
from bench.scenario.target import Target


@dataclass(frozen=True, slots=True)
class TalkSource:
    """Whom to call, as the command line says it."""

    scenario: str
    overrides: Sequence[str] = ()
    url: str | None = None
    target: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "overrides": list(self.overrides)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(**value)

    def load(self) -> Scenario:
        """Raises `BenchError` for a scenario that is not right."""
        return load_scenario(Path(self.scenario), overrides=list(self.overrides), url=self.url, target_name=self.target)


def callee_of(scenario: Scenario, embedded_url: str | None = None) -> Callee:
    """The scenario's target, or the first of several. Raises `BenchError` without any, and no embedded server."""
    embedded = None
    if scenario.target is None and not scenario.targets:
        if embedded_url is None:
            raise BenchError("the scenario has no target", hint="give --url")
        embedded = Target(url=embedded_url, model=EMBEDDED_MODEL, provider="embedded")
    return callees_of(scenario, embedded)[0]
