"""The servers that a run starts itself: the embedded one of a scenario without a target, one for each cascade.

In: a scenario. Out: the same with the addresses of its cascades, so that its targets are called like any others.
Trap: an address is that of this run alone; what is stored of the scenario must not have it (`as_written`).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.errors import BenchError
from bench.run.server_process import ServerProcess, embedded_target
from bench.scenario.model import Scenario
from bench.scenario.target import Target
from bench.server.options import ServeOptions


@dataclass(slots=True)
class OwnServers:
    """Those of one run."""

    scenario: Scenario
    embedded: Target | None = None
    """The target of a scenario that names none."""
    processes: list[ServerProcess] = field(default_factory=list)

    @property
    def losses(self) -> list[str]:
        """Which of them ended by themselves, for the record of the run."""
        ends = [process.ended() for process in self.processes]
        return [f"the embedded server ended in mid-run ({how})" for how in ends if how is not None]


def start_servers(scenario: Scenario, stack: ExitStack) -> OwnServers:
    """Start them; `stack` stops them. Raises `BenchError` when one, or a service of a cascade, is not there."""
    own = OwnServers(scenario)

    def start(options: ServeOptions, what: str) -> ServerProcess:
        server = ServerProcess(options, what=what)
        stack.callback(server.stop)
        own.processes.append(server)
        return server

    def started(name: str, target: Target) -> Target:
        if target.cascade is None:
            return target
        options = ServeOptions(
            port=0,
            dialect=target.dialect,
            engine="cascade",
            cascade=target.cascade.model_dump(mode="json"),
            base=scenario.base.resolve(),
        )
        return target.model_copy(update={"url": start(options, f"the cascade of target '{name}'").url})

    if scenario.target is not None:
        own.scenario = scenario.model_copy(update={"target": started(scenario.target_names[0], scenario.target)})
    elif scenario.targets:
        targets = {name: started(name, each) for name, each in scenario.targets.items()}
        own.scenario = scenario.model_copy(update={"targets": targets})
    else:
        own.embedded = embedded_target(start(ServeOptions(port=0), "the embedded server"))
    return own


def as_written(scenario: Scenario) -> Scenario:
    """The scenario without the addresses of its cascades."""

    def plain(target: Target) -> Target:
        return target if target.cascade is None else target.model_copy(update={"url": None})

    if scenario.target is not None:
        return scenario.model_copy(update={"target": plain(scenario.target)})
    return scenario.model_copy(update={"targets": {name: plain(each) for name, each in scenario.targets.items()}})


def has_cascade(scenario: Scenario) -> bool:
    """Whether some target is one."""
    targets = (scenario.target, *scenario.targets.values())
    return any(each is not None and each.cascade is not None for each in targets)


def check_reachable(scenario: Scenario) -> None:
    """Refuse what workers on other machines cannot call: a server that this run starts for itself."""
    if scenario.target is None and not scenario.targets:
        raise BenchError(
            "the scenario has no target, and workers on other machines cannot reach the embedded server here",
            hint="name a target in the scenario, or give --url with an address that every worker can reach",
        )
    if has_cascade(scenario):
        raise BenchError(
            "a target is a cascade, and workers on other machines cannot reach the server that this run starts for it",
            hint="start it where they can (bench serve --engine cascade --config FILE), and give its address as url",
        )
