"""The calls of a plan, before any is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.load.factory import CallFactory, RunIdentity, fixtures_of
from bench.run.planned_calls import exchanges, number_of_calls, outline
from bench.run.replies import of_embedded_agent, stated
from bench.scenario.model import LoadConfig, Scenario
from bench.scenario.read import load_scenario
from tests.support.processes import ROOT

QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"


def scenario(tmp_path: Path, conversation: str, **more: str) -> Scenario:
    path = tmp_path / "s.yaml"
    lines = [f"{key}: {value}" for key, value in more.items()]
    path.write_text("\n".join(["name: s", f"conversation: {conversation}", *lines, ""]))
    return load_scenario(path)


def test_the_draws_are_those_of_the_run() -> None:
    quickstart = load_scenario(QUICKSTART, url="ws://127.0.0.1:9/")
    assert quickstart.target is not None
    factory = CallFactory(quickstart, quickstart.target, RunIdentity("r", "w0"))
    fixtures = fixtures_of(quickstart)
    for index in range(20):
        plan = factory.plan(index, caller=0, intended_ns=0)
        drawn = tuple(step.fixture.id if hasattr(step, "fixture") else None for step in plan.steps)
        assert outline(quickstart, fixtures, index).spoken == drawn


def test_what_a_server_takes_in_of_a_turn(tmp_path: Path) -> None:
    one = scenario(tmp_path, "[{say: balance-rms}, {pause: 2s}, {say: balance-rms}]")
    fixtures = fixtures_of(one)
    fixture = fixtures["balance-rms"]
    speech_s = (fixture.speech_end_ms - fixture.speech_start_ms) / 1000
    first, second = exchanges(one, fixtures, outline(one, fixtures, 0), stated(one.estimate))
    # The silence that ends the turn, and what comes before it as far as there is any.
    assert first.heard_s == pytest.approx(speech_s + 0.5 + fixture.speech_start_ms / 1000)
    assert second.heard_s == pytest.approx(speech_s + 0.5 + 0.3)
    assert second.caller_s - first.caller_s == pytest.approx(2.0), "a pause lengthens the call and is not billed"
    assert (first.reply_s, first.reply_words) == (6.0, 15.0)


def test_push_to_talk_ends_with_the_release(tmp_path: Path) -> None:
    one = scenario(tmp_path, "[{say: balance-rms}]", session="{turn_detection: {type: manual, release: 200ms}}")
    fixtures = fixtures_of(one)
    (only,) = exchanges(one, fixtures, outline(one, fixtures, 0), stated(one.estimate))
    assert only.heard_s == pytest.approx(fixtures["balance-rms"].speech_end_ms / 1000 + 0.2)


def test_a_reply_in_text_has_words_and_no_sound(tmp_path: Path) -> None:
    one = scenario(tmp_path, "[{say: balance-rms}]", session="{output: text}")
    fixtures = fixtures_of(one)
    (only,) = exchanges(one, fixtures, outline(one, fixtures, 0), stated(one.estimate))
    assert (only.reply_s, only.reply_words) == (0.0, 15.0)


def test_the_embedded_agent_greets_and_answers_in_order(tmp_path: Path) -> None:
    one = scenario(tmp_path, "[{listen: 5s}, {say: balance-rms}, {say: opening-hours-rms}]")
    fixtures = fixtures_of(one)
    found = exchanges(one, fixtures, outline(one, fixtures, 0), of_embedded_agent())
    assert [each.is_turn for each in found] == [False, True, True]
    assert found[0].heard_s == 0
    assert found[1].reply_s == pytest.approx(7.4, rel=0.1), "as it was measured"
    assert found[2].reply_s == pytest.approx(4.09, rel=0.1)


@pytest.mark.parametrize(("moment", "heard_s"), [("after: 900ms", 0.9), ("words: 5", 2.0)])
def test_a_reply_that_is_cut_into(tmp_path: Path, moment: str, heard_s: float) -> None:
    one = scenario(tmp_path, f"[{{say: balance-rms}}, {{interrupt: {{{moment}, say: balance-slt}}}}]")
    fixtures = fixtures_of(one)
    first, second = exchanges(one, fixtures, outline(one, fixtures, 0), stated(one.estimate))
    assert (first.heard_reply_s, second.heard_reply_s) == (pytest.approx(heard_s), None)


@pytest.mark.parametrize(
    ("load", "calls"),
    [
        ({}, 1),
        ({"callers": 6, "sessions": 100, "warmup": 10}, 110),
        # Calls of 10 s: each caller begins one at 0, 10, ... 50 s.
        ({"callers": 2, "duration": "60s"}, 12),
        ({"callers": 2, "duration": "61s"}, 14),
        # Callers join at 0 and 10 s.
        ({"callers": 2, "ramp": "20s", "duration": "60s"}, 11),
        ({"callers": 1000, "duration": "1h"}, 360_000),
        ({"arrival": "constant", "rate": "60/min", "duration": "30s"}, 30),
        # One arrives each second, and each room is free again after 10 s.
        ({"arrival": "constant", "rate": "60/min", "duration": "30s", "max_open": 5}, 15),
    ],
)
def test_number_of_calls(load: dict[str, Any], calls: int) -> None:
    assert number_of_calls(LoadConfig.model_validate(load), 1, lambda _index: 10.0, 10.0) == calls


def test_a_sound_that_is_made_while_a_reply_is_heard_asks_for_nothing(tmp_path: Path) -> None:
    plain = scenario(tmp_path, "[{say: balance-rms}]")
    nodding = scenario(tmp_path, "[{say: balance-rms}, {backchannel: cough}]")
    planned = []
    for each in (plain, nodding):
        fixtures = fixtures_of(each)
        planned.append(exchanges(each, fixtures, outline(each, fixtures, 0), stated(each.estimate)))
    assert planned[0] == planned[1]
