"""Stages of connecting: each counts from the one before it."""

from __future__ import annotations

import pytest

from bench.facts.connection import Connection


@pytest.mark.parametrize(
    ("stages", "lengths_ms"),
    [
        ({"dns": 12, "tcp": 20, "tls": 50, "upgrade": 80}, {"dns": 2, "tcp": 8, "tls": 30, "upgrade": 30}),
        ({"dns": 12, "tcp": 20, "upgrade": 80}, {"dns": 2, "tcp": 8, "tls": None, "upgrade": 60}),
        ({"dns": 12}, {"dns": 2, "tcp": None}),
        ({"ice": 15, "dtls": 45}, {"ice": 5, "dtls": 30, "upgrade": None}),
        ({}, {"dns": None}),
    ],
)
def test_length_of_a_stage(stages: dict[str, int], lengths_ms: dict[str, float | None]) -> None:
    connection = Connection(0, 10_000_000, {name: at_ms * 1_000_000 for name, at_ms in stages.items()})
    assert {name: connection.stage_ms(name) for name in lengths_ms} == lengths_ms


def test_a_call_that_was_never_begun_has_no_stages() -> None:
    assert Connection(0, None, {"dns": 5}).stage_ms("dns") is None


def test_done_stamps_in_order() -> None:
    connection = Connection(0, 0)
    connection.done("a")
    connection.done("b")
    assert list(connection.stages) == ["a", "b"]
    assert connection.stages["a"] <= connection.stages["b"]
