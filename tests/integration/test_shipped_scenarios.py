"""Every shipped scenario without a target of its own in a short form: one call of each, all at once, in one process."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise

import gevent
import pytest
import yaml

from bench.facts.timeline import Timeline
from bench.load.factory import CallFactory, RunIdentity
from bench.measure.outcome import ANSWERED
from bench.measure.records import TurnRecord
from bench.scenario.model import Scenario
from bench.scenario.read import load_scenario
from bench.session.call import Call
from tests.support.play import Rows
from tests.support.processes import ROOT, simulated_server

MOST_STEPS = 4
"""The first steps of a longer conversation are enough to see that it can be played."""
PROFILE = {
    "endpointing": "180ms",
    "first_token": "220ms",
    "first_audio": "240ms",
    "reply_length": "1500ms",
    "greeting": {"length": "600ms"},
    "barge_in": {"shortest": "700ms"},
    "tools": {"calls": [{"name": "lookup_order", "arguments": {"order_id": "4719"}}], "after": "200ms"},
}


def short(name: str, url: str | None = None) -> Scenario:
    scenario = load_scenario(ROOT / "scenarios" / f"{name}.yaml", url=url, env={"CALLERS": "2", "PART": "4s"})
    return scenario.model_copy(update={"conversation": scenario.conversation[:MOST_STEPS]})


PLAYED = [
    path.stem
    for path in sorted((ROOT / "scenarios").glob("*.yaml"))
    if not {"target", "targets"} & yaml.load(path.read_text(), yaml.CSafeLoader).keys()
]


@dataclass
class Played:
    """A call of a scenario for each cell of its matrix, one without a matrix."""

    scenario: Scenario
    calls: list[Timeline] = field(default_factory=list)
    rows: list[TurnRecord] = field(default_factory=list)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    profile = tmp_path_factory.mktemp("shipped") / "profile.yaml"
    profile.write_text(yaml.safe_dump(PROFILE))
    found: dict[str, Played] = {}
    with simulated_server(profile) as url:
        calls = []
        for name in PLAYED:
            scenario = short(name, url)
            found[name] = Played(scenario)
            assert scenario.target is not None
            factory = CallFactory(scenario, scenario.target, RunIdentity("run", "w0"))
            factory.prepare()
            calls += [(found[name], factory, index) for index in range(max(1, len(scenario.cells)))]
        with gevent.Timeout(60):
            gevent.joinall([gevent.spawn(_play, *each) for each in calls], raise_error=True)
    return found


def _play(into: Played, factory: CallFactory, index: int) -> None:
    rows = Rows()
    plan = factory.plan(index, caller=index, intended_ns=time.monotonic_ns())
    into.calls.append(Call(plan, factory.dialect(), rows).run())
    into.rows += rows.turns


@pytest.mark.parametrize("name", PLAYED)
def test_every_turn_is_answered(played: dict[str, Played], name: str) -> None:
    seen = played[name]
    assert [call.failure for call in seen.calls] == [None] * len(seen.calls)
    assert len(seen.rows) == seen.scenario.turns * len(seen.calls)
    assert {row.status for row in seen.rows} <= ANSWERED, [(row.status, row.error_code) for row in seen.rows]


def test_a_telephone_line_is_one_on_the_wire(played: dict[str, Played]) -> None:
    seen = played["telephony"]
    assert {row.condition for row in seen.rows} == {"good-line", "lossy-line", "bad-line"}
    assert {call.output_rate_hz for call in seen.calls} == {8_000}
    assert {call.frame_ms for call in seen.calls} == {20}


def test_a_later_turn_of_a_long_call_takes_more_in(played: dict[str, Played]) -> None:
    rows = sorted(played["long-conversation"].rows, key=lambda row: row.turn)
    taken_in = [(row.in_text or 0) + (row.in_audio or 0) for row in rows]
    assert len(taken_in) == 2
    assert all(after > before for before, after in pairwise(taken_in)), taken_in


def test_a_soak_in_a_short_form_has_its_three_equal_parts() -> None:
    scenario = short("soak")
    assert [phase.name for phase in scenario.load.phases] == ["settle", "first", "middle", "last"]
    assert len({(phase.callers, phase.duration_ms) for phase in scenario.load.phases[1:]}) == 1


def test_a_row_says_what_its_step_is_called_and_who_spoke(played: dict[str, Played]) -> None:
    rows = played["telephony"].rows
    assert {(row.step, row.step_id) for row in rows} == {(0, "order"), (2, "balance")}
    assert {row.caller_kind for row in rows} == {"synthetic"}
