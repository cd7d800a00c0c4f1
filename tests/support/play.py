"""Playing calls of scenarios in this process, without a run around them."""

from __future__ import annotations

import time
from collections.abc import Mapping
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

Body = dict[str, Any]
Played = tuple[Timeline, "Rows"]


@dataclass
class Rows:
    """An observer that keeps the row of each turn."""

    open_sessions: int = 0
    talking_sessions: int = 0
    delays: Delays = field(default_factory=Delays)
    turns: list[TurnRecord] = field(default_factory=list)

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None:
        self.turns.append(measure_turn(timeline, turn, wall_anchor=WallAnchor(0, 0.0)))


def play(body: Body, folder: Path) -> Played:
    """The one call of the scenario `body`, and the rows of its turns."""
    return play_together({"call": body}, folder)["call"]


def play_together(bodies: Mapping[str, Body], folder: Path) -> dict[str, Played]:
    """As `play` for each of several scenarios, by name, all at the same time."""
    calls = {name: _call(body, folder) for name, body in bodies.items()}
    with gevent.Timeout(60):
        playing = {name: gevent.spawn(call.run) for name, (call, _) in calls.items()}
        gevent.joinall(playing.values(), raise_error=True)
    found = {name: (playing[name].value, rows) for name, (_, rows) in calls.items()}
    assert all((rows.open_sessions, rows.talking_sessions) == (0, 0) for _, rows in found.values())
    return found


def _call(body: Body, folder: Path) -> tuple[Call, Rows]:
    scenario = scenario_from_dict({"name": "toy", **body}, source=folder / "scenario.yaml")
    assert scenario.target is not None
    factory = CallFactory(scenario, scenario.target, RunIdentity("run", "w0"))
    factory.prepare()
    rows = Rows()
    plan = factory.plan(0, caller=0, intended_ns=time.monotonic_ns())
    return Call(plan, factory.dialect(), rows), rows
