"""`session.tools`: both shapes, answers by rule, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.dialects.openai import OpenAIDialect
from bench.dialects.session_config import SessionConfig
from bench.dialects.tools import Tool, ToolAnswer, fits, same_value

FUNCTION: dict[str, Any] = {
    "name": "lookup_order",
    "description": "State of an order.",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
}
ANSWER = {"value": {"status": "shipped"}}


def session(*tools: dict[str, Any], **more: Any) -> SessionConfig:
    return SessionConfig.model_validate({"tools": list(tools), **more})


def test_both_shapes_are_one_and_the_answer_is_not_sent() -> None:
    flat = session({"type": "function", **FUNCTION, "answer": ANSWER})
    nested = session({"type": "function", "function": {**FUNCTION, "strict": True}, "answer": ANSWER})
    assert flat == nested
    body = OpenAIDialect(flat).session_body()
    assert body["tools"] == [{"type": "function", **FUNCTION}]
    assert "tool_choice" not in body
    chosen = session(
        {**FUNCTION, "answer": "x"}, tool_choice={"type": "function", "function": {"name": "lookup_order"}}
    )
    assert OpenAIDialect(chosen).session_body()["tool_choice"] == {"type": "function", "name": "lookup_order"}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ({"order_id": "4719"}, "first"),
        ({"order_id": 4719}, "first"),
        ({"order_id": "9123", "other": 1}, "second"),
        ({"order_id": "GOLD"}, "third"),
        ({"order_id": "91234"}, "own"),
        ({}, "own"),
    ],
)
def test_the_first_rule_that_fits_answers(arguments: dict[str, Any], value: str) -> None:
    answer = ToolAnswer.model_validate(
        {
            "rules": [
                {"when": {"order_id": "4719"}, "value": "first"},
                {"when": {"order_id": {"matches": "9[0-9]{3}"}}, "value": "second"},
                {"when": {"order_id": {"one_of": ["gold", "silver"]}}, "value": "third"},
            ],
            "value": "own",
        }
    )
    found = answer.of(arguments)
    assert found is not None
    assert found.value == value


def test_without_an_answer_of_its_own_nothing_may_fit() -> None:
    answer = ToolAnswer.model_validate({"rules": [{"when": {"a": 1}, "value": 2}]})
    assert answer.of({"a": 2}) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"value": None},
        {"error": "down", "delay": "300ms"},
        {"rules": [{"when": {"a": {"one_of": [1, "x"]}, "b": {"c": 1}}, "file": "a.json"}], "timeout": "3s"},
        {"call": "mine:lookup"},
    ],
)
def test_what_is_stored_of_it_is_read_as_the_same(answer: dict[str, Any]) -> None:
    tool = Tool.model_validate({**FUNCTION, "answer": answer})
    assert Tool.model_validate(tool.model_dump(mode="json", by_alias=True)) == tool


def test_a_file_is_read_in_the_place_of_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"status": "späť"}', encoding="utf-8")
    rules = [{"when": {"a": 1}, "file": str(tmp_path / "a.json")}]
    read = ToolAnswer.model_validate({"rules": rules, "value": 1}).read()
    assert read.rules[0].value == '{"status": "späť"}'
    assert read.rules[0].given == ["value"]


@pytest.mark.parametrize(
    ("tool", "sentence"),
    [
        (FUNCTION, "Field required"),
        ({**FUNCTION, "answer": {}}, "no answer"),
        ({**FUNCTION, "answer": {"value": 1, "error": "x"}}, "found with value"),
        ({**FUNCTION, "answer": {"call": "no function"}}, "allowed: module:function"),
        ({**FUNCTION, "answer": {"rules": [{"when": {"a": 1}}]}}, "no answer"),
        (
            {**FUNCTION, "answer": {"rules": [{"when": {"a": {"matches": "("}}, "value": 1}]}},
            "not a regular expression",
        ),
        ({**FUNCTION, "parameters": {"type": "objekt"}, "answer": 1}, "not a JSON schema at type"),
        ({**FUNCTION, "name": "look up", "answer": 1}, "letters, digits"),
        ("lookup", "allowed: a mapping"),
    ],
)
def test_what_is_refused(tool: Any, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        session(tool)


def test_two_tools_of_a_name_and_a_choice_of_none_are_refused() -> None:
    with pytest.raises(ValidationError, match="a second time"):
        session({**FUNCTION, "answer": 1}, {**FUNCTION, "answer": 2})
    with pytest.raises(ValidationError, match="no tool 'other'"):
        session({**FUNCTION, "answer": 1}, tool_choice={"type": "function", "name": "other"})
    with pytest.raises(ValidationError, match="without tools"):
        session(tool_choice="auto")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_a_value_is_the_same_as_itself(value: Any) -> None:
    assert same_value(value, value)
    assert fits({"a": value, "b": 1}, {"a": value} if not isinstance(value, dict) else {})
