"""The declaration of the metrics agrees with the rows and with the page that explains them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bench.measure.metrics import METRICS
from bench.measure.records import SessionRecord, TurnRecord

PAGE = Path(__file__).parents[2] / "docs" / "measuring.md"
NOT_METRICS = {
    "renewals",
    *("session_index", "caller", "turn", "step", "open_sessions", "talking_sessions", "started_at", "ended_at"),
    *(
        "speech_start_ms",
        "speech_ms",
        "close_code",
        "responses",
        "text_deltas",
        "audio_deltas",
        "char_errors",
        "reference_chars",
        "frames",
        "backchannels",
        "tool_calls",
        "tool_rounds",
    ),
    *(f"reply_{name}" for name in ("hits", "substitutions", "deletions", "insertions")),
    *(f"rate_limit_{name}_{what}" for name in ("requests", "tokens") for what in ("limit", "remaining", "reset_s")),
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_a_column_or_says_that_it_is_none(name: str) -> None:
    metric = METRICS[name]
    columns = {"turn": TurnRecord, "session": SessionRecord}
    if metric.scope == "run":
        assert metric.aggregate in {"rate", "ratio"}
    else:
        assert name in {field.name for field in fields(columns[metric.scope])}
    assert metric.name == name
    assert metric.definition
    assert not metric.definition.endswith(".")


def test_every_number_of_a_turn_is_declared() -> None:
    numbers = {field.name for field in fields(TurnRecord) if re.match(r"(int|float)\b", str(field.type))}
    assert numbers - NOT_METRICS - set(METRICS) == set()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_explained_with_its_declared_definition(name: str) -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, f"docs/measuring.md must have one table row for `{name}`"
    metric = METRICS[name]
    assert f"| {metric.unit} |" in rows[0]
    assert metric.definition in rows[0].replace("\\|", "|")


def test_the_page_explains_nothing_that_is_not_declared() -> None:
    text = PAGE.read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \| [\w/]+ \|", text, flags=re.MULTILINE))
    assert listed == set(METRICS)


def test_the_headline_is_what_a_caller_hears() -> None:
    assert next(iter(METRICS)) == "first_audible_ms"
    assert {name for name, metric in METRICS.items() if metric.headline} >= {"first_audible_ms", "wer", "cost_usd"}
