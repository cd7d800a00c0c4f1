"""The sentence about the load says what the scenario asks for, and hides nothing that it cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from bench.report.planned import load_sentence, spaced
from bench.scenario.model import Scenario

TALK = [{"say": "a"}, {"pause": "1s"}, {"say": ["b", "c"]}]


@pytest.mark.parametrize(
    "load, wanted",
    [
        (
            {"arrival": "closed", "callers": 6, "ramp": "3s", "sessions": 12, "warmup": 0, "max_open": None},
            "12 calls of 2 turns each, 6 at a time, ramped up over 3 s",
        ),
        ({"callers": 1, "sessions": 1, "ramp": "0ms"}, "1 call of 2 turns each, 1 at a time"),
        (
            {"callers": 2000, "sessions": 10000, "warmup": 10},
            "10,000 calls of 2 turns each, 2,000 at a time; before that 10 calls of warm-up",
        ),
        (
            {"callers": 5, "duration": "1m30s", "warmup": "20s"},
            "calls of 2 turns each, begun for 1 min 30 s, 5 at a time; before that 20 s of warm-up",
        ),
        (
            {"callers": 5, "duration": "5m", "warmup": 1},
            "calls of 2 turns each, begun for 5 min, 5 at a time; the first 1 call is warm-up",
        ),
        (
            {"arrival": "constant", "rate": "30/min", "sessions": 40, "max_open": 20},
            "40 calls of 2 turns each, arriving evenly spaced at 30/min, at most 20 open at once",
        ),
        (
            {"arrival": "poisson", "rate": "2/s", "duration": "5m"},
            "calls of 2 turns each, begun for 5 min, arriving at random (Poisson) at 2/s",
        ),
        (
            {
                "arrival": "schedule",
                "sessions": 9,
                "schedule": [{"at": "0ms", "rate": "10/min"}, {"at": "2m", "rate": "40/min"}],
            },
            "9 calls of 2 turns each, arriving at 10/min from the start, then 40/min from 2 min",
        ),
    ],
)
def test_sentence(load: dict[str, Any], wanted: str) -> None:
    assert load_sentence({"conversation": TALK, "load": load}) == wanted


@pytest.mark.parametrize(
    "scenario, wanted",
    [
        ({}, "-"),
        ({"load": {}}, "-"),
        ({"load": "20 callers"}, "-"),
        ({"load": {"arrival": "tidal", "moon": "full"}}, "arrival tidal, moon full"),
        ({"load": {"callers": "many", "sessions": 3}}, "callers many, sessions 3"),
        ({"load": {"callers": 3, "sessions": 6}}, "6 calls, 3 at a time"),
        ({"load": {"arrival": "poisson", "duration": "5m"}}, "arrival poisson, duration 5m"),
    ],
)
def test_what_cannot_be_said_is_listed(scenario: dict[str, Any], wanted: str) -> None:
    assert load_sentence(scenario) == wanted


def test_reads_a_scenario_as_the_manifest_keeps_it() -> None:
    scenario = Scenario.model_validate(
        {"name": "s", "conversation": TALK, "load": {"arrival": "poisson", "rate": "90/min", "duration": "90s"}}
    )
    said = load_sentence(scenario.model_dump(mode="json", by_alias=True))
    assert said == "calls of 2 turns each, begun for 1 min 30 s, arriving at random (Poisson) at 90/min"


@pytest.mark.parametrize("text, wanted", [("500ms", "500 ms"), ("1h5m", "1 h 5 min"), ("soon", "soon"), (3, "3")])
def test_durations_are_spaced(text: object, wanted: str) -> None:
    assert spaced(text) == wanted
