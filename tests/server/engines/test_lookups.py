"""What the embedded agent calls, and how it speaks of what it gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.server.engines.agent import Agent
from bench.server.engines.lookups import Lookup, call_for, spoken_results


def tool(name: str, *required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    properties = {each: {"type": "string"} for each in (*required, *optional)}
    return {"type": "function", "name": name, "parameters": {"properties": properties, "required": list(required)}}


TOOLS = [
    tool("lookup_order", "order_id"),
    tool("getBalance", "accountKind"),
    tool("find-appointment", optional=("day",)),
]


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        (["where is my order", "my number is four five seven nine one"], "lookup_order", {"order_id": "45791"}),
        (["what is the balance of my savings account"], "getBalance", {"accountKind": "savings"}),
        (["i would like to make an appointment for tuesday morning"], "find-appointment", {"day": "tuesday"}),
        (["i need an appointment"], "find-appointment", {}),
    ],
)
def test_the_tool_that_is_about_it_is_called_with_what_was_heard(
    said: list[str], name: str, arguments: dict[str, str]
) -> None:
    agent = Agent()
    for place, text in enumerate(said):
        agent.answer(str(place), text)
    assert agent.lookup is not None
    call = call_for(agent.lookup, TOOLS)
    assert call is not None
    assert (call.name, json.loads(call.arguments)) == (name, arguments)


def test_without_a_number_or_a_tool_nothing_is_called() -> None:
    agent = Agent()
    agent.answer("1", "where is my order")
    assert agent.lookup is None, "it asks for the number"
    wanted = Lookup("order", {"number": "1"}, "Order one")
    assert call_for(wanted, [tool("lookup_order", "order_id", "password")]) is None
    assert call_for(wanted, [tool("weather", "order_id"), {"type": "mcp", "name": "order"}]) is None


@pytest.mark.parametrize(
    ("result", "spoken"),
    [
        ('{"status": "on its way", "arrives": "Thursday"}', "Order one is on its way. Arrives Thursday."),
        ('{"error": "the system is down"}', "I am sorry, I could not look that up: the system is down."),
        ("It is there", "It is there."),
        ('["a", 2]', "Order one is a, 2."),
        ('{"due_on": {"day": 3}}', "Order one: Due on day 3."),
    ],
)
def test_results_are_spoken(result: str, spoken: str) -> None:
    assert spoken_results(Lookup("order", {}, "Order one"), [result]) == spoken
