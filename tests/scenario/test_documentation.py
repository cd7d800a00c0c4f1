"""docs/scenarios.md: its examples load, and it names every key of the schema."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bench.scenario.schema import json_schema
from tests.scenario.conftest import Load

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
WHOLE = [text for text in EXAMPLES if "name:" in text]
PARTS = [text for text in EXAMPLES if text not in WHOLE and not text.startswith("fixtures:")]


@pytest.mark.parametrize("text", WHOLE)
def test_whole_examples_load(text: str, load: Load) -> None:
    assert load(text).turns >= 1


@pytest.mark.parametrize("text", PARTS)
def test_examples_of_a_block_load(text: str, load: Load) -> None:
    blocks = [block for block in re.split(r"^(?=\w)", text, flags=re.MULTILINE) if block.strip()]
    assert blocks
    for block in blocks:
        assert load(f"name: t\nconversation: [{{say: yes-slt}}]\n{block}", choose_target=False).name == "t"


def test_every_key_is_on_the_page() -> None:
    schema = json_schema()
    keys = {key for block in (schema, *schema["$defs"].values()) for key in block.get("properties", {})}
    words = set(re.findall(r"[a-z_0-9]+", PAGE))
    assert keys - words == set()


def test_defaults_on_the_page_are_those_of_the_schema() -> None:
    schema = json_schema()
    for block in ("SessionConfig", "Target", "LoadConfig"):
        for key, value in schema["$defs"][block]["properties"].items():
            row = re.search(rf"^\| `{key}` \| (.*?) \|", PAGE, re.MULTILINE)
            assert row is not None, key
            default = value.get("default")
            if isinstance(default, str | int) and not isinstance(default, bool) and default not in {"0ms", ""}:
                assert f"`{yaml.safe_dump(default).split(chr(10))[0]}`" == row[1], key
