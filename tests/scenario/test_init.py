"""`bench init`: a scenario that works as it is written, and nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bench.errors import BenchError
from bench.scenario.init import init_scenario
from bench.scenario.read import load_scenario
from bench.scenario.schema import EDITOR_LINE, SCHEMA_FILE, json_schema, schema_text
from tests.scenario.json_schema import violations


def test_what_is_written_loads_and_fits_the_schema(tmp_path: Path) -> None:
    path = init_scenario(tmp_path / "my calls.yaml")
    schema = tmp_path / SCHEMA_FILE
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == EDITOR_LINE
    assert schema.read_text(encoding="utf-8") == schema_text()
    assert list(violations(yaml.safe_load(text), json_schema(), json_schema())) == []
    scenario = load_scenario(path, env={})
    assert scenario.name == "my-calls"
    assert scenario.target is None


def test_a_folder_gets_a_scenario_named_after_it(tmp_path: Path) -> None:
    path = init_scenario(tmp_path / "new" / "bank-calls")
    assert path == tmp_path / "new" / "bank-calls" / "scenario.yaml"
    assert load_scenario(path, env={}).name == "bank-calls"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(BenchError, match="exists") as caught:
        init_scenario(path)
    assert caught.value.exit_code == 2
    assert path.read_text(encoding="utf-8") == "mine"
    other = tmp_path / SCHEMA_FILE
    other.write_text('{"title": "of something else"}', encoding="utf-8")
    assert init_scenario(tmp_path / "b.yaml") == tmp_path / "b.yaml"
    assert "something else" in other.read_text(encoding="utf-8")


def test_an_old_schema_of_ours_is_renewed(tmp_path: Path) -> None:
    old = tmp_path / SCHEMA_FILE
    old.write_text(f'{{"title": "{json_schema()["title"]}"}}', encoding="utf-8")
    init_scenario(tmp_path / "b.yaml")
    assert old.read_text(encoding="utf-8") == schema_text()


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="not the name of a scenario"):
        init_scenario(tmp_path / "b.txt")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BenchError, match="cannot be written"):
        init_scenario(tmp_path / "file" / "b.yaml")
    (tmp_path / SCHEMA_FILE).write_text("[]", encoding="utf-8")
    with pytest.raises(BenchError, match="not a JSON Schema"):
        init_scenario(tmp_path / "c.yaml")
