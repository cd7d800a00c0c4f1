"""The schema that editors read: current, described, and of one mind with the loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.scenario.read import load_scenario
from bench.scenario.schema import EDITOR_LINE, SCHEMA_FILE, json_schema, schema_text
from tests.scenario.conftest import Load
from tests.scenario.json_schema import violations

FOLDER = Path(__file__).parents[2] / "scenarios"
SHIPPED = sorted(FOLDER.glob("*.yaml"))


@cache
def schema() -> dict[str, Any]:
    """Made once, by the process that runs these tests: each of them collects this file."""
    return json_schema()


def check(text: str) -> list[str]:
    return list(violations(yaml.safe_load(text), schema(), schema()))


def properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, block in {"Scenario": schema, **schema["$defs"]}.items():
        for key, value in block.get("properties", {}).items():
            yield f"{name}.{key}", value


def test_the_file_beside_the_scenarios_is_current() -> None:
    assert (FOLDER / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text(), (
        "run: python -m bench schema > scenarios/schema.json"
    )


def test_every_key_is_described_and_none_by_its_python_name() -> None:
    found = dict(properties(schema()))
    assert len(found) > 60
    assert [name for name, value in found.items() if not value.get("description")] == []
    assert {name for name in found if name.endswith("_ms")} == {
        f"ServerVad.{key}" for key in ("prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms")
    }


def test_defaults_and_examples_fit_their_own_key() -> None:
    for name, value in properties(schema()):
        for sample in [*value.get("examples", []), *([value["default"]] if "default" in value else [])]:
            assert list(violations(sample, value, schema())) == [], name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_load_and_fit_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == EDITOR_LINE
    assert check(text) == []
    scenario = load_scenario(path, env={})
    assert scenario.name == path.stem
    assert scenario.description


def test_the_shipped_set_is_what_the_documentation_names() -> None:
    assert {path.stem for path in SHIPPED} >= {"quickstart", "push-to-talk", "telephone-g711", "openai-mini", "azure"}
    quickstart = load_scenario(FOLDER / "quickstart.yaml", env={})
    assert quickstart.target is None
    assert quickstart.load.callers >= 4
    assert (quickstart.load.sessions or 0) * quickstart.turns >= 24


GOOD = "name: t\nconversation: [{say: a}]\n"


@pytest.mark.parametrize(
    "lines",
    [
        "load: {callers: '${N:-5}', ramp: '${R}'}",
        "session: {turn_detection: manual}",
        "session: {turn_detection: {type: manual, release: 0}}",
        "session: {turn_detection: {}}",
        "session: {turn_detection: {silence_duration_ms: 200}}",
        "session: {voice: {id: x}, transcription: null, max_output_tokens: inf}",
        "load: {warmup: 10}",
        "load: {warmup: 30s}",
        "target: null",
        "targets: {a: {url: 'wss://h', api_key: 'file:k'}}",
    ],
)
def test_what_an_editor_must_accept(lines: str) -> None:
    assert check(GOOD + lines) == []


@pytest.mark.parametrize(
    "lines",
    [
        "lod: {}",
        "load: {callers: 0}",
        "load: {ramp: 10}",
        "load: {ramp: 10 s}",
        "load: {ramp: ''}",
        "load: {arrival: poison}",
        "load: {arrival: constant, rate: 30}",
        "session: {voice: marn}",
        "session: {turn_detection: manuel}",
        "session: {turn_detection: {type: manual, silence_duration_ms: 5}}",
        "session: {frame: 40}",
        "target: {api_key: sk-abcdefghijklmnop}",
        "target: {url: 'ftp://h'}",
        "tags: {a: [1]}",
        "xtra: 1",
    ],
)
def test_what_an_editor_must_mark(lines: str, load: Load) -> None:
    assert check(GOOD + lines) != []


@pytest.mark.parametrize(
    "conversation", ["[]", "[{sya: a}]", "[a]", "[{say: []}]", "[{pause: 5}]", "[{say: a, pause: 1s}]"]
)
def test_conversations_an_editor_must_mark(conversation: str) -> None:
    assert check(f"name: t\nconversation: {conversation}") != []
