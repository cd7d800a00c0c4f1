"""A whole kind of step in one file: `repeat: ID` says the same thing several times."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from bench.audio.catalogue import Fixture
from bench.config.block import Count
from bench.errors import BenchError
from bench.scenario.read import scenario_from_dict
from bench.scenario.schema import json_schema
from bench.scenario.steps import StepBlock, register_step
from bench.scenario.steps.step import KINDS
from bench.session import steps
from bench.session.call import Call
from bench.session.steps import register_player
from tests.support.play import play
from tests.support.processes import voice_server


class Repeat(StepBlock):
    """The caller says one thing several times, without waiting for the replies to be heard."""

    KIND = "repeat"
    TURNS = 2

    repeat: str = Field(description="Fixture id to speak.", examples=["yes-rms"])
    id: str | None = None
    times: Count = Field(default=2, le=2, description="How often.")

    @property
    def fixture_ids(self) -> tuple[str, ...]:
        return (self.repeat,)


@dataclass(frozen=True)
class RepeatStep:
    place: int
    fixture: Fixture
    turns: int

    @classmethod
    def of(cls, place: int, block: Repeat, fixtures: Mapping[str, Fixture], draw: random.Random) -> RepeatStep:
        return cls(place, fixtures[block.repeat], block.times)

    def play(self, call: Call) -> None:
        for _ in range(self.turns):
            if not call.over:
                call.await_reply(call.say(self.fixture, step=self.place))


@pytest.fixture(autouse=True, scope="module")
def _known() -> Iterator[None]:
    register_step(Repeat)
    register_player(Repeat.KIND, RepeatStep.of)
    yield
    KINDS.pop(Repeat.KIND)
    steps._MAKERS.pop(Repeat.KIND)


def body(url: str, *conversation: dict[str, Any]) -> dict[str, Any]:
    return {
        "target": {"url": url, "model": "m"},
        "session": {"transcription": None},
        "conversation": list(conversation),
    }


def test_it_is_played(tmp_path: Path) -> None:
    with voice_server(delay_ms=400.0) as url:
        timeline, rows = play(body(url, {"repeat": "yes-rms"}, {"say": "yes-slt"}), tmp_path)
    assert timeline.failure is None
    assert timeline.turns_planned == 3
    assert [(row.step, row.fixture, row.status) for row in rows.turns] == [
        (0, "yes-rms", "ok"),
        (0, "yes-rms", "ok"),
        (1, "yes-slt", "ok"),
    ]


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (
            {"repeat": "yes-rms", "tims": 2},
            "conversation.0.tims: unknown key; allowed: repeat, id, times; did",
        ),
        (
            {"repaet": "yes-rms"},
            "found a step with key 'repaet'; allowed: a mapping with one of: say, pause, ",
        ),
        ({"repeat": "yes-rms", "times": 3}, "conversation.0.times: found 3; allowed: 2 or less"),
    ],
)
def test_what_is_wrong_with_it_is_said(step: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError) as caught:
        scenario_from_dict({"name": "toy", **body("ws://h/", step)}, source=tmp_path / "s.yaml")
    assert sentence in str(caught.value)


def test_editors_know_it() -> None:
    schema = json_schema()
    assert {"$ref": "#/$defs/Repeat"} in schema["properties"]["conversation"]["items"]["oneOf"]
    assert schema["$defs"]["Repeat"]["required"] == ["repeat"]
