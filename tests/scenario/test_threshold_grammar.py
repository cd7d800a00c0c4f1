"""The language of thresholds and objectives: what it reads, what it refuses and in which words."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.problems import ConfigError
from bench.measure.metrics import METRICS
from bench.scenario.read import expanded, load_scenario
from bench.scenario.threshold_grammar import objective_metrics, parse_objective, parse_threshold, show_value
from bench.scenario.thresholds import bounds_in_force
from tests.scenario.conftest import Load

READ = [
    ("first_audible_ms{accent=scottish,phase=hold}: p95 < 800ms", "first_audible_ms", "percentile", 95.0, "<", 800.0),
    ("first_audible_ms p(95)<1.5s", "first_audible_ms", "percentile", 95.0, "<", 1500.0),
    ("ttft_ms: p99.9 <= 2s", "ttft_ms", "percentile", 99.9, "<=", 2000.0),
    ("ttft_ms: median < 2s", "ttft_ms", "percentile", 50.0, "<", 2000.0),
    ("ttft_ms avg < 2s", "ttft_ms", "mean", None, "<", 2000.0),
    ("error_rate < 1%", "error_rate", "whole", None, "<", 0.01),
    ("error_rate: rate < 0.5 %", "error_rate", "whole", None, "<", 0.005),
    ("wer < 8%", "wer", "whole", None, "<", 0.08),
    ("stall_free >= 99%", "stall_free", "whole", None, ">=", 0.99),
    ("cost_per_minute < $0.05", "cost_per_minute_usd", "whole", None, "<", 0.05),
    ("cost_usd < 5 USD", "cost_usd", "sum", None, "<", 5.0),
    ("cost_usd: max < $0.10", "cost_usd", "max", None, "<", 0.10),
    ("stalls: max <= 2", "stalls", "max", None, "<=", 2.0),
    ("stalls == 0", "stalls", "sum", None, "==", 0.0),
    ("task_success >= 95%", "task_success", "whole", None, ">=", 0.95),
    ("goodput{phase=hold} >= 98%", "goodput", "whole", None, ">=", 0.98),
    ("audio_tokens_per_s: p5 > 20 tokens/s", "audio_tokens_per_s", "percentile", 5.0, ">", 20.0),
    ("audio_rtf: p5 > 1.2x", "audio_rtf", "percentile", 5.0, ">", 1.2),
    ("connect_ms{target='a'}: p95 < 1s", "connect_ms", "percentile", 95.0, "<", 1000.0),
]


@pytest.mark.parametrize("text, metric, fold, percent, op, bound", READ)
def test_thresholds_are_read(text: str, metric: str, fold: str, percent: float | None, op: str, bound: float) -> None:
    found = parse_threshold(text)
    assert (found.metric.name, found.fold, found.percent, found.op) == (metric, fold, percent, op)
    assert found.bound == pytest.approx(bound)


REFUSED = [
    ("ttft: p95 < 3s", "unknown metric 'ttft'; did you mean 'ttft_ms'?"),
    ("", "names no metric"),
    ("< 3s", "names no metric"),
    ("first_audible_ms < 800ms", "needs an aggregation: p50, p95"),
    ("first_audible_ms: p95 < 800", "'first_audible_ms' is a time: '800' is not a duration"),
    ("first_audible_ms: p95 <", "no value after the operator"),
    ("first_audible_ms: p95", "no operator"),
    ("first_audible_ms: p95 => 800ms", "'='"),
    ("first_audible_ms: p100 < 800ms", "has no aggregation 'p100'"),
    ("first_audible_ms: p0 < 800ms", "has no aggregation 'p0'"),
    ("first_audible_ms: sum < 800ms", "has no aggregation 'sum'"),
    ("first_audible_ms: medain < 800ms", "did you mean 'median'?"),
    ("first_audible_ms: p95 < 800ms or so", "is not a duration"),
    ("error_rate < 1", "found '1' for 'error_rate'; allowed: a share in percent"),
    ("error_rate < 120%", "allowed: 0% to 100%"),
    ("error_rate: p95 < 1%", "is one number of the run and takes no aggregation"),
    ("cost_per_minute < 0.05", "allowed: US dollars, such as $0.05"),
    ("wer < -x%", "allowed: a share in percent"),
    ("wer{acent=us} < 8%", "unknown tag 'acent'; did you mean 'accent'?"),
    ("wer{accent} < 8%", "'accent' in '{accent}' is no tag"),
    ("wer{accent=us,} < 8%", "an empty tag"),
    ("wer{accent=us,accent=uk} < 8%", "tag 'accent' comes twice"),
    ("wer{accent=us < 8%", "cannot be read"),
    ("cost_per_minute{accent=us} < $0.05", "is measured by call, and 'accent' belongs to a turn"),
    ("stalls < 1 stall", "allowed: a number"),
]


@pytest.mark.parametrize("text, said", REFUSED)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_threshold(text)


@pytest.mark.parametrize(
    "text, said",
    [
        ("first_audible_ms: p95 < 800ms", "has an aggregation"),
        ("first_audible_ms{accent=us} < 800ms", "has tags"),
        ("error_rate < 1%", "not a property of one turn's quality"),
        ("cost_usd < $1", "not a property of one turn's quality"),
        ("connect_ms < 1s", "not a property of one turn's quality"),
    ],
)
def test_objectives_are_about_one_turn(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_objective(text)


@given(text=st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    for parse in (parse_threshold, parse_objective):
        with suppress(ValueError):
            assert parse(text).metric.name in METRICS


@given(
    name=st.sampled_from(sorted(METRICS)),
    op=st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    number=st.integers(0, 99),
    gaps=st.lists(st.sampled_from(["", " ", "\t"]), min_size=3, max_size=3),
)
def test_white_space_does_not_matter(name: str, op: str, number: int, gaps: list[str]) -> None:
    metric = METRICS[name]
    fold = "" if metric.scope == "run" or metric.aggregate in {"rate", "pooled", "ratio", "sum"} else " p95"
    unit = {"ms": "ms", "s": "s", "share": "%", "USD": "USD"}.get(metric.unit, "")
    a, b, c = gaps
    loose = parse_threshold(f"{a}{name}{b}:{fold}{c}{op}{b}{number}{unit}{a}")
    tight = parse_threshold(f"{name}:{fold}{op}{number}{unit}")
    assert (loose.metric, loose.fold, loose.op, loose.bound) == (tight.metric, tight.fold, tight.op, tight.bound)


@pytest.mark.parametrize("name", objective_metrics())
def test_every_objective_metric_is_a_column(name: str) -> None:
    value = {"ms": "100ms", "share": "5%"}.get(METRICS[name].unit, "1")
    objective = parse_objective(f"{name} < {value}")
    assert objective.kept(None) == (name == "task_success"), "what was not measured is not kept; a task may be absent"
    assert objective.kept(0.0)
    assert not objective.kept(objective.bound)


def test_values_are_shown_as_people_write_them() -> None:
    shown = [
        ("error_rate", 0.005, "0.5 %"),
        ("error_rate", 0.9995, "99.95 %"),
        ("first_audible_ms", 1240.4, "1,240 ms"),
        ("cost_per_minute_usd", 0.05, "$0.0500"),
        ("stalls", 2.0, "2"),
    ]
    assert [show_value(value, METRICS[name]) for name, value, _ in shown] == [text for _, _, text in shown]


HEAD = "name: t\nconversation: [{say: balance-rms}]\n"


@pytest.mark.parametrize(
    "yaml_text",
    [
        "thresholds: [error_rate < 1%, 'wer < 8%']",
        "thresholds: {error_rate: < 1%, wer: < 8%}",
        "thresholds:\n  - error_rate: < 1%\n  - {threshold: wer < 8%}",
    ],
)
def test_every_way_to_write_them_means_the_same(load: Load, yaml_text: str) -> None:
    found = load(HEAD + yaml_text).thresholds
    assert [(each.parsed.metric.name, each.parsed.bound) for each in found] == [("error_rate", 0.01), ("wer", 0.08)]


def test_problems_name_line_and_key(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(HEAD + "thresholds:\n  - error_rate < 1%\n  - ttft: p95 < 1s\n  - {threshold: wer < 8%, delay: 1s}\n")
    said = caught.value.message
    assert ":5: thresholds.1: unknown metric 'ttft'" in said
    assert ":6: thresholds.2.delay: only with abort_on_fail" in said


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("voice=rsm", "no turn has voice=rsm; did you mean 'rms'?; allowed: rms"),
        ("step_id=bye", "no turn has step_id=bye; allowed: greet"),
        ("step=greet", "no turn has step=greet; allowed: 0 (a step's id is chosen by step_id)"),
        ("step=7", "no turn has step=7; allowed: 0"),
    ],
)
def test_rows_that_no_turn_can_have_are_refused(load: Load, tag: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"name: t\nconversation: [{{say: balance-rms, id: greet}}]\nthresholds: ['wer{{{tag}}} < 8%']")
    assert said in caught.value.message


def test_goodput_needs_objectives(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(HEAD + "thresholds: [goodput > 9%]")
    assert "goodput needs objectives" in caught.value.message
    assert load(HEAD + "objectives: [stalls < 1]\nthresholds: [goodput > 9%]").objectives


def test_the_option_is_added_and_named(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(HEAD + "thresholds: {error_rate: < 1%}")
    found = load_scenario(file, thresholds=["wer < 8%"])
    assert [each.threshold for each in found.thresholds] == ["error_rate: < 1%", "wer < 8%"]
    assert expanded(found)["thresholds"] == ["error_rate: < 1%", "wer < 8%"]
    with pytest.raises(ConfigError) as caught:
        load_scenario(file, thresholds=["wer < 8"])
    assert "--threshold: thresholds.1: found '8' for 'wer'" in caught.value.message


def test_a_default_gives_way_to_a_bound_on_all_rows(load: Load) -> None:
    def defaults(text: str) -> list[str]:
        return [block.threshold for block, own in bounds_in_force(load(HEAD + text).thresholds) if own]

    both = ["error_rate <= 5%", "session_error_rate <= 5%"]
    assert defaults("") == both
    assert defaults("thresholds: [error_rate < 90%]") == both[1:]
    assert defaults("thresholds: ['error_rate{accent=us} < 90%']") == both, "one accent is not all"
