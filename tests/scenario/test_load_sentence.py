"""The sentence about the load says what the scenario asks for."""

from __future__ import annotations

from typing import Any

import pytest

from bench.config.units import spaced
from bench.scenario.load_sentence import load_sentence
from bench.scenario.run_config import LoadConfig


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
        ({"callers": 3}, "3 calls of 2 turns each, 3 at a time"),
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
    assert load_sentence(LoadConfig.model_validate(load), turns=2) == wanted


def test_one_turn_is_singular() -> None:
    assert load_sentence(LoadConfig.model_validate({}), turns=1) == "1 call of 1 turn each, 1 at a time"


@pytest.mark.parametrize(
    "text, wanted", [("500ms", "500 ms"), ("1h5m", "1 h 5 min"), ("1m30s", "1 min 30 s"), ("soon", "soon"), (3, "3")]
)
def test_durations_are_spaced(text: object, wanted: str) -> None:
    assert spaced(text) == wanted
