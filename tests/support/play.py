"""Playing one call of a scenario in this process, without a run around it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent

from bench.facts.timeline import Timeline, TurnFacts
from bench.load.factory import CallFactory, RunIdentity
from bench.measure.records import TurnRecord, WallAnchor
from bench.measure.turns import measure_turn
from bench.scenario.read import scenario_from_dict
from bench.session.call import Call, Delays


@dataclass
class Rows:
    """An observer that keeps the row of each turn."""

    open_sessions: int = 0
    talking_sessions: int = 0
    delays: Delays = field(default_factory=Delays)
    turns: list[TurnRecord] = field(default_factory=list)

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None:
        self.turns.append(measure_turn(timeline, turn, wall_anchor=WallAnchor(0, 0.0)))


def play(body: dict[str, Any], folder: Path) -> tuple[Timeline, Rows]:
    """The one call of the scenario `body`, and the rows of its turns."""
    scenario = scenario_from_dict({"name": "toy", **body}, source=folder / "scenario.yaml")
    assert scenario.target is not None
    factory = CallFactory(scenario, scenario.target, RunIdentity("run", "w0"))
    factory.prepare()
    rows = Rows()
    plan = factory.plan(0, caller=0, intended_ns=time.monotonic_ns())
    with gevent.Timeout(60):
        timeline = Call(plan, factory.dialect(), rows).run()
    assert (rows.open_sessions, rows.talking_sessions) == (0, 0)
    return timeline, rows
