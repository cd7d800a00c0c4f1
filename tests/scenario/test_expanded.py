"""What is written into a run's manifest: complete, without secrets or machine paths, and read back as the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.scenario.model import Scenario
from bench.scenario.read import expanded, load_scenario, scenario_from_dict
from tests.scenario.conftest import Load

SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
FULL = """\
name: t
tags: {a: b}
target:
  url: https://host/v1
  api_key: file:keys/k.txt
  ca_file: ../certs/ca.pem
  headers: {X: env:X, Y: z}
  query: {v: '1'}
session:
  voice: {id: voice_1}
  turn_detection: {type: manual, release: 0}
  transcription: null
  max_output_tokens: 12
  extra: {reasoning: {effort: low}, n: 1.5, none: null}
conversation: [{say: [yes-slt, yes-rms], id: q}, {pause: 1500ms}]
load: {arrival: schedule, schedule: [{at: 0, rate: 7/h}, {at: 1m, rate: 0/s}], duration: 1h, warmup: 30s, max_open: 3}
pricing: {book: ../prices/mine.yaml, model: m}
"""


def again(scenario: Scenario) -> Scenario:
    return scenario_from_dict(json.loads(json.dumps(expanded(scenario))), source=scenario.source)


def test_a_full_scenario_is_read_back_as_the_same(load: Load) -> None:
    scenario = load(FULL)
    assert again(scenario) == scenario
    assert again(scenario).load.callers == scenario.load.callers


def test_it_is_what_the_yaml_says_with_every_default(load: Load, tmp_path: Path) -> None:
    data = expanded(load(FULL))
    assert str(tmp_path) not in json.dumps(data)
    assert data["target"]["ca_file"] == "../certs/ca.pem"
    assert data["target"]["api_key"] == "file:keys/k.txt"
    assert data["pricing"] == {"book": "../prices/mine.yaml", "model": "m", "transcription_model": None}
    assert data["session"]["transcription"] is None
    assert data["session"]["frame"] == "40ms"
    assert data["timeouts"]["response"] == "1m"
    assert data["load"]["schedule"] == [{"at": "0ms", "rate": "7/h"}, {"at": "1m", "rate": "0/min"}]
    assert "callers" not in data["load"]
    said = {
        "say": ["yes-slt", "yes-rms"],
        "choose": "drawn",
        "id": "q",
        "expect": None,
        "expect_each": {},
        "condition": None,
    }
    assert data["conversation"] == [said, {"pause": "1s500ms"}]


def test_it_can_be_written_as_a_scenario_file(load: Load, tmp_path: Path) -> None:
    scenario = load(FULL)
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(expanded(scenario)), encoding="utf-8")
    copy = load_scenario(path, env={})
    assert expanded(copy) == expanded(scenario)


def test_opened_paths_start_at_the_scenario(load: Load, tmp_path: Path) -> None:
    scenario = load(FULL)
    assert scenario.target is not None
    assert scenario.target.ca_file == tmp_path / "../certs/ca.pem"
    assert scenario.pricing.book == tmp_path / "../prices/mine.yaml"
    assert load("name: t\nconversation: [{say: yes-slt}]\npricing: {book: a-book}").pricing.book == "a-book"


def test_the_default_catalogue_is_no_machine_path(load: Load) -> None:
    assert expanded(load("name: t\nconversation: [{say: yes-slt}]"))["fixtures"] is None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_are_read_back_as_the_same(path: Path) -> None:
    scenario = load_scenario(path, env={})
    assert again(scenario) == scenario


_MS = st.integers(1, 10**8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    callers=st.integers(1, 10**4),
    times=st.tuples(_MS, _MS, _MS, _MS),
    warmup=st.one_of(st.integers(0, 100), _MS.map(lambda ms: f"{ms}ms")),
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20),
)
def test_any_numbers_are_read_back(
    callers: int, times: tuple[int, int, int, int], warmup: int | str, text: str
) -> None:
    ramp, duration, reply, pause = (f"{ms}ms" for ms in times)
    scenario = scenario_from_dict(
        {
            "name": "t",
            "description": text,
            "conversation": [{"say": "a"}, {"pause": pause}],
            "load": {"callers": callers, "ramp": ramp, "duration": duration, "warmup": warmup},
            "timeouts": {"reply": reply},
        },
        source=Path("folder/s.yaml"),
        check_fixtures=False,
    )
    copy = scenario_from_dict(json.loads(json.dumps(expanded(scenario))), source=scenario.source, check_fixtures=False)
    assert copy == scenario
    assert (scenario.load.ramp_ms, scenario.timeouts.reply_ms) == (times[0], times[2])
