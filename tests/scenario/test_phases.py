"""The `phases:` of a scenario: what they may say, what is told of a mistake, and what they are called in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.scenario.load_sentence import load_sentence
from bench.scenario.read import expanded, scenario_from_dict
from tests.scenario.conftest import Load, Problems

HEAD = "name: p\nconversation: [{say: yes-slt}]\n"
POOL = """
load:
  phases:
    - {name: warm-up, callers: 2, duration: 10s, warmup: true}
    - {name: ramp, callers: 8, ramp: true, duration: 20s}
    - {name: hold, callers: 8, duration: 1m30s, objectives: [first_audible_ms < 1s]}
    - {name: cool-down, callers: 0, ramp: 5s, duration: 10s}
objectives: [stalls < 1]
"""
RATES = """
load:
  max_open: 20
  phases:
    - {name: hold, rate: 30/min, duration: 2m}
    - {name: spike, rate: 2/s, ramp: 10s, duration: 20s}
"""


def test_the_sentence_names_each_phase(load: Load) -> None:
    pool, rates = load(HEAD + POOL), load(HEAD + RATES)
    assert load_sentence(pool.load, 1) == (
        "calls of 1 turn each, in 4 phases (2 min 10 s): warm-up (left out): 2 callers for 10 s; "
        "ramp: 2 to 8 callers over 20 s; hold: 8 callers for 1 min 30 s; cool-down: 8 to 0 callers over 5 s, "
        "10 s in all"
    )
    assert load_sentence(rates.load, 1) == (
        "calls of 1 turn each, arriving evenly spaced, in 2 phases (2 min 20 s): hold: 30/min for 2 min; "
        "spike: 30/min to 2/s over 10 s, 20 s in all, at most 20 open at once"
    )


@pytest.mark.parametrize("text", [POOL, RATES, RATES.replace("max_open: 20", "arrival: poisson")])
def test_what_is_stored_of_it_is_read_as_the_same(load: Load, tmp_path: Path, text: str) -> None:
    found = load(HEAD + text)
    assert scenario_from_dict(expanded(found), source=tmp_path / "s.yaml") == found


def test_phases_of_a_rate_arrive_and_phases_of_callers_do_not(load: Load) -> None:
    assert (load(HEAD + POOL).load.arrival, load(HEAD + RATES).load.arrival) == ("closed", "constant")
    assert "callers" not in expanded(load(HEAD + POOL))["load"]
    assert "phases" not in expanded(load(HEAD))["load"]


def test_turns_keep_the_objectives_of_their_phase(load: Load) -> None:
    found = [(each.phase, each.text) for each in load(HEAD + POOL).objectives_in_force]
    assert found == [
        ("warm-up", "stalls < 1"),
        ("ramp", "stalls < 1"),
        ("hold", "first_audible_ms < 1s"),
        ("cool-down", "stalls < 1"),
        ("finishing", "stalls < 1"),
    ]
    assert [each.phase for each in load(HEAD + "objectives: [stalls < 1]").objectives_in_force] == [None]


def test_thresholds_may_choose_a_phase(load: Load, problems: Problems) -> None:
    kept = POOL + "thresholds: ['first_audible_ms{phase=hold}: p95 < 1s', 'session_error_rate{phase=ramp} < 1%']"
    assert len(load(HEAD + kept).thresholds) == 2
    (found,) = problems(HEAD + POOL + "thresholds: ['goodput{phase=hodl} > 9%']")
    allowed = "allowed: cool-down, finishing, hold, ramp, warm-up"
    assert f"no turn has phase=hodl; did you mean 'hold'?; {allowed}" in found
    (found,) = problems(HEAD + "thresholds: ['error_rate{phase=hold} < 9%']")
    assert "allowed: main, warmup" in found


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ("[{name: hold, duration: 5s}]", "load.phases.0: found neither callers nor rate; allowed: one of them"),
        ("[{name: a, callers: 1, rate: 1/s, duration: 5s}]", "load.phases.0: found callers and rate; allowed: one of"),
        ("[{callers: 1, duration: 5s}]", "load.phases.0.name: required, but missing"),
        ("[{name: a, callers: 1}]", "load.phases.0.duration: required, but missing"),
        ("[{name: a b, callers: 1, duration: 5s}]", "load.phases.0.name: found 'a b'; allowed: letters, digits"),
        (
            "[{name: finishing, callers: 1, duration: 5s}]",
            "load.phases.0.name: found 'finishing', which is the name",
        ),
        ("[{name: a, callers: 1, duration: 5s, ramp: 6s}]", "load.phases.0.ramp: found 6s; allowed: at most the phase"),
        ("[{name: a, callers: 1, duration: 5s, ramp: 6}]", "load.phases.0.ramp: 6 has no unit"),
        ("[{name: a, callers: -1, duration: 5s}]", "load.phases.0.callers: found -1; allowed: 0 or more"),
        (
            "[{name: a, callers: 1, duration: 5s}, {name: b, rate: 1/s, duration: 5s}]",
            "load.phases.1: found rate, where phase 'a' has callers; allowed: callers in every phase",
        ),
        (
            "[{name: a, callers: 1, duration: 5s}, {name: a, callers: 2, duration: 5s}]",
            "load.phases.1.name: 'a' comes twice; allowed: each name once",
        ),
        ("[{name: a, callers: 0, duration: 5s}]", "load.phases: every phase has callers: 0, so that no call would"),
        ("[{name: a, callers: 1, duration: 5s, warmup: true}]", "load.phases: every phase is warm-up"),
        (
            "[{name: a, callers: 1, duration: 5s, wamup: true}]",
            "load.phases.0.wamup: unknown key; allowed: name, duration",
        ),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(problems: Problems, phases: str, said: str) -> None:
    found = problems(HEAD + f"load: {{phases: {phases}}}")
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize("key", ["callers: 3", "sessions: 9", "duration: 1m", "ramp: 1s", "warmup: 2", "rate: 1/s"])
def test_what_each_phase_has_for_itself_is_refused_beside_them(problems: Problems, key: str) -> None:
    found = problems(HEAD + f"load: {{{key}, phases: [{{name: a, callers: 1, duration: 5s}}]}}")
    name = key.partition(":")[0]
    assert f"load.{name}: found with phases; allowed: without it, each phase has its own load" in found[0]


def test_a_rate_in_phases_is_constant_or_random(problems: Problems) -> None:
    rates = "phases: [{name: a, rate: 1/s, duration: 5s}]"
    (found,) = problems(HEAD + f"load: {{arrival: schedule, {rates}}}")
    assert "load.arrival: found schedule with phases of a rate; allowed: constant or poisson" in found
    (found,) = problems(HEAD + "load: {arrival: poisson, phases: [{name: a, callers: 2, duration: 5s}]}")
    assert "load.arrival: found poisson with phases of callers; allowed: closed" in found
    (found,) = problems(HEAD + "load: {max_open: 3, phases: [{name: a, callers: 2, duration: 5s}]}")
    assert "load.max_open: only for open arrivals" in found


def test_a_plan_of_too_many_calls_is_refused(problems: Problems) -> None:
    (found,) = problems(HEAD + "load: {most_calls: 50, phases: [{name: a, rate: 1/s, duration: 2m}]}")
    assert "plans about 120 calls; the most is 50" in found
