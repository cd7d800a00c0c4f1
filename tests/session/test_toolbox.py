"""What a tool call gets for an answer."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dialects.tools import Tool
from bench.errors import BenchError
from bench.session.tools import Toolbox, as_output

SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "string", "pattern": "^[0-9]+$"}},
    "required": ["order_id"],
}


def box(answer: Any, base: Path = Path()) -> Toolbox:
    return Toolbox([Tool.model_validate({"name": "lookup", "parameters": SCHEMA, "answer": answer})], base=base)


RULES = {
    "rules": [{"when": {"order_id": 1}, "value": {"a": 1}, "delay": "80ms"}, {"when": {"order_id": 2}, "error": "down"}]
}
DELAYED = RULES | {"delay": "20ms", "timeout": "3s"}


@pytest.mark.parametrize(
    ("name", "arguments", "output", "error", "delay_ms"),
    [
        ("lookup", '{"order_id": "1"}', '{"a":1}', None, 80),
        ("lookup", '{"order_id": "2"}', '{"error":"down"}', None, 20),
        ("lookup", '{"order_id": "3"}', "nothing was found", None, 20),
        ("other", "{}", "the tools are: lookup", "unknown_tool", 0),
        ("lookup", '{"order_id": ', "not JSON", "bad_arguments", 0),
        ("lookup", '["1"]', "no JSON object", "bad_arguments", 0),
        ("lookup", "{}", "'order_id' is a required property", "bad_arguments", 0),
        ("lookup", '{"order_id": "x"}', "order_id: ", "bad_arguments", 0),
    ],
)
def test_a_call_gets(name: str, arguments: str, output: str, error: str | None, delay_ms: float) -> None:
    found = box(DELAYED).decide(name, arguments, random.Random(1))
    assert output in found.output
    assert found.error == error
    assert found.delay_ms == delay_ms
    assert (found.detail is None) == (error is None)


@given(st.text() | st.from_regex(r'\{"order_id": .{0,9}\}'))
def test_whatever_the_agent_says_is_answered(arguments: str) -> None:
    found = box(DELAYED).decide("lookup", arguments, random.Random(1))
    assert found.output
    assert found.error in {None, "bad_arguments"}


def test_delays_are_drawn() -> None:
    answer = {"value": 1, "delay": {"gamma": {"mean": "100ms", "shape": 2}}}
    drawn = [box(answer).decide("lookup", '{"order_id": "1"}', random.Random(seed)).delay_ms for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_function_beside_the_scenario_is_found(tmp_path: Path) -> None:
    (tmp_path / "tools_of_a_test.py").write_text("def lookup(order_id):\n    return [order_id]\nNOT = 1\n")
    found = box({"call": "tools_of_a_test:lookup"}, tmp_path).decide("lookup", '{"order_id": "7"}', random.Random(1))
    assert found.function is not None
    assert found.function(**(found.arguments or {})) == ["7"]
    for name, sentence in (
        ("tools_of_a_test:NOT", "is no function"),
        ("no_such_module_at_all:f", "cannot be imported"),
    ):
        with pytest.raises(BenchError, match=sentence):
            box({"call": name}, tmp_path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="lookup: an answer cannot be read"):
        box({"file": str(tmp_path / "none.json")})


def test_results_are_texts() -> None:
    assert as_output("plain") == "plain"
    assert json.loads(as_output({1: None})) == {"1": None}
    with pytest.raises(TypeError):
        as_output(object())
