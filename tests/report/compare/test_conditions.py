"""What was not the same when two runs were made, and what that means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.report.compare.conditions import condition_keys, conditions
from bench.report.findings_differences import Condition
from bench.report.view import view_of
from bench.store.manifest import CalledTarget, UsedPriceBook
from tests.report.build import manifest
from tests.report.compare.build import run_of

SCENARIO = manifest().scenario


def between(tmp_path: Path, a: dict[str, Any], b: dict[str, Any]) -> list[Condition]:
    runs = [run_of(tmp_path / name, 1, calls=6, **facts) for name, facts in (("a", a), ("b", b))]
    return conditions([view_of(run) for run in runs])


def test_equal_runs_have_no_conditions(tmp_path: Path) -> None:
    assert between(tmp_path, {}, {}) == []


@pytest.mark.parametrize(
    ("facts", "key", "level", "values"),
    [
        ({"scenario_name": "other"}, "scenario", "warn", ["sample", "other"]),
        ({"seed": 8}, "seed", "note", ["7", "8"]),
        (
            {"fixtures": {"balance-rms": "aa" * 32}},
            "fixtures",
            "warn",
            ["1: balance-rms 9f9f9f", "1: balance-rms aaaaaa"],
        ),
        (
            {"target": CalledTarget(url="wss://east.example.com/v1", model="reference-voice", dialect="openai")},
            "host",
            "warn",
            ["embedded server", "wss://east.example.com/v1"],
        ),
        (
            {"target": CalledTarget(model="large", dialect="openai", embedded=True)},
            "model",
            "warn",
            ["reference-voice", "large"],
        ),
        ({"price_books": [UsedPriceBook(name="mine")]}, "prices", "warn", ["example-embedded of 2026-11-01", "mine"]),
        ({"scenario": {**SCENARIO, "session": {"frame": "20ms"}}}, "frame", "warn", [None, "20ms"]),
        ({"scenario": {**SCENARIO, "tags": {"region": "east"}}}, "region", "warn", [None, "east"]),
        (
            {"scenario": {**SCENARIO, "load": {**SCENARIO["load"], "callers": 40}}},
            "load",
            "warn",
            ["20", "40"],
        ),
        ({"bench_version": "0.2.0"}, "version", "note", ["0.1.0", "0.2.0"]),
        ({"metric_versions": {"ttft_ms": 2}}, "version of ttft_ms", "refuse", ["version 1", "version 2"]),
        ({"scenario": {**SCENARIO, "objectives": ["ttft_ms < 1s"]}}, "objectives", "refuse", [None, "[ttft_ms < 1s]"]),
        ({"metric_versions": {}}, "metric versions", "note", ["known", None]),
    ],
)
def test_each_thing_that_differs_is_told_with_its_values(
    tmp_path: Path, facts: dict[str, Any], key: str, level: str, values: list[str | None]
) -> None:
    found = between(tmp_path, {}, facts)
    assert [(each.key, each.level, each.values) for each in found] == [(key, level, values)]


def test_the_port_of_this_machine_is_no_difference(tmp_path: Path) -> None:
    a, b = (
        {"target": CalledTarget(url=f"ws://127.0.0.1:{port}/v1/realtime", model="m", dialect="openai")}
        for port in (8001, 8002)
    )
    assert between(tmp_path, a, b) == []


def test_words_compared_by_other_rules_are_refused_for_what_rests_on_words(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / rules, 1, calls=6, change=lambda row, _, rules=rules: setattr(row, "normaliser", rules))
        for rules in ("bench 1 english", "bench 2 english")
    ]
    (found,) = conditions([view_of(run) for run in runs])
    assert (found.key, found.level) == ("normaliser", "refuse")
    assert found.touches("wer")
    assert not found.touches("first_audible_ms")
    assert "--recompute" in found.advice


def test_what_warns_can_be_allowed() -> None:
    keys = condition_keys()
    assert {"model", "host", "region", "frame", "load", "session", "scenario"} <= set(keys)
    assert "normaliser" not in keys
    assert "seed" not in keys
