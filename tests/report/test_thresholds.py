"""What thresholds observe, how they decide the verdict, and that the live guard sees the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.load.progress import LiveCalls, Progress, Tally
from bench.measure.records import SessionRecord, TurnRecord
from bench.report.findings import Summary
from bench.report.goodput import good_turns
from bench.report.junit import render_junit
from bench.report.step_summary import annotations_of, render_step_summary, tell_ci
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.report.thresholds import observe
from bench.report.view import view_of
from bench.run.threshold_guard import Samples, ThresholdGuard, sample_of
from bench.scenario.threshold_grammar import parse_objective, parse_threshold
from bench.scenario.thresholds import ThresholdBlock, broken_objective
from tests.report import build

Rows = tuple[list[TurnRecord], list[SessionRecord]]


def rows(calls: int = 20, fails: float = 0.0) -> Rows:
    turns, sessions = build.rows(calls=calls, fails=fails, warm=0)
    return list(turns), list(sessions)


def summary_of(folder: Path, made: Rows, *thresholds: str, objectives: tuple[str, ...] = ()) -> Summary:
    scenario = {"name": "sample", "thresholds": list(thresholds), "objectives": list(objectives)}
    return summarise(build.finished(folder, *made, scenario=scenario))


def with_values(made: Rows, name: str, values: list[float | None]) -> Rows:
    """The turns with these values of a column, in turn."""
    return [replace(row, **{name: values[at % len(values)]}) for at, row in enumerate(made[0])], made[1]


DECIDED = [
    ("first_audible_ms: p95 < 800ms", [700.0, 710.0], True, 0),
    ("first_audible_ms: p95 < 800ms", [700.0, 900.0], False, 1),
    ("first_audible_ms: max <= 900ms", [700.0, 900.0], True, 0),
    ("first_audible_ms: min > 700ms", [700.0, 900.0], False, 1),
    ("first_audible_ms: mean < 801ms", [700.0, 900.0], True, 0),
    ("stalls == 0", [0.0, 0.0], True, 0),
    ("stalls == 0", [0.0, 1.0], False, 1),
    ("stall_free >= 99%", [0.0, 0.0], True, 0),
    ("stall_free >= 99%", [0.0, 1.0], False, 1),
]


@pytest.mark.parametrize("text, values, ok, code", DECIDED)
def test_kept_or_not(tmp_path: Path, text: str, values: list[float], ok: bool, code: int) -> None:
    column = "stalls" if text.startswith("stall") else "first_audible_ms"
    summary = summary_of(tmp_path, with_values(rows(), column, list(values)), text)
    assert summary.thresholds[0].ok is ok
    assert summary.verdict.exit_code == code
    assert summary.verdict.name == ("pass" if ok else "failed")
    assert text.split(":")[0].split()[0] in render_terminal(summary)


def test_no_samples_are_no_data_and_exit_3(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, rows(), "task_success >= 95%")
    assert (summary.verdict.name, summary.verdict.exit_code) == ("no data", 3)
    assert summary.thresholds[0].ok is None
    assert "no data for task_success: 0 turns, and it needs 1" in summary.verdict.reasons[0]
    few = summary_of(tmp_path / "few", rows(calls=2), "first_audible_ms: p99 < 9s")
    assert (few.verdict.exit_code, few.thresholds[0].needed) == (3, 100)


def test_a_failure_comes_before_missing_data(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, rows(), "task_success >= 95%", "first_audible_ms: p50 < 1ms")
    assert summary.verdict.exit_code == 1


def test_min_samples_can_be_set(tmp_path: Path) -> None:
    made = rows(calls=2)
    block = {"threshold": "first_audible_ms: p95 < 9s", "min_samples": 4}
    few = summarise(build.finished(tmp_path / "a", *made, scenario={"thresholds": [block]}))
    assert few.thresholds[0].ok is True
    many = summarise(build.finished(tmp_path / "b", *made, scenario={"thresholds": [{**block, "min_samples": 99}]}))
    assert many.verdict.exit_code == 3


def test_turns_without_an_answer_are_never_in_a_percentile(tmp_path: Path) -> None:
    turns, sessions = rows()
    bad = [build.fail(row, *build.FAILURES[1]) for row in turns[:8]] + turns[8:]
    summary = summary_of(tmp_path, (bad, sessions), "first_audible_ms: p95 < 9s", "error_rate <= 50%")
    first = summary.thresholds[0]
    assert first.ok is False
    assert first.observed == np.inf
    assert "never" in first.observed_text
    assert "8 turns without an answer count as never" in first.sentence


def test_a_run_in_which_most_turns_fail_says_why_first(tmp_path: Path) -> None:
    turns, sessions = rows()
    bad = [build.fail(row, *build.FAILURES[1]) for row in turns[:90]] + turns[90:]
    summary = summary_of(tmp_path, (bad, sessions))
    assert summary.verdict.exit_code == 1
    assert summary.verdict.reasons[0].startswith("error_rate 90 % (90 of 100 turns); the default threshold is <= 5 %")
    assert "error_rate 90 %" in render_terminal(summary).splitlines()[1]


def test_tags_choose_rows(tmp_path: Path) -> None:
    turns, sessions = rows()
    slow = [replace(row, first_audible_ms=2000.0) if row.accent == "scottish" else row for row in turns]
    texts = ["first_audible_ms{accent=scottish}: p50 < 1900ms", "first_audible_ms{accent=us}: p50 < 1900ms"]
    found = summary_of(tmp_path, (slow, sessions), *texts).thresholds
    assert [each.ok for each in found[:2]] == [False, True]
    assert found[0].n + found[1].n == 100


def test_goodput_counts_turns_that_kept_every_objective(tmp_path: Path) -> None:
    made = with_values(rows(), "first_audible_ms", [700.0, 700.0, 700.0, 900.0, None])
    summary = summary_of(tmp_path, made, "goodput >= 60%", "goodput > 60%", objectives=("first_audible_ms < 800ms",))
    assert [each.ok for each in summary.thresholds[:2]] == [True, False]
    assert summary.thresholds[0].observed == pytest.approx(0.6), "no value is not kept"
    assert summary.broken_objectives == {"first_audible_ms < 800ms": 40}


def test_a_cost_with_unknown_parts_keeps_no_upper_bound(tmp_path: Path) -> None:
    turns, sessions = rows()
    lost = [replace(turns[0], cost_usd=None, cost_unknown="audio input (no price)"), *turns[1:]]
    calls = [replace(row, cost_usd=None) if row.session_id == turns[0].session_id else row for row in sessions]
    low = summary_of(tmp_path / "a", (lost, calls), "cost_usd < $0.000001").thresholds[0]
    high = summary_of(tmp_path / "b", (lost, calls), "cost_usd < $900").thresholds[0]
    assert low.ok is False, "the known part alone is above it"
    assert high.ok is None, "what is unknown may be anything"


def test_junit_has_a_case_for_each_threshold(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, rows(), "first_audible_ms: p95 < 1ms", "task_success >= 1%", "wer < 99%")
    suite = ElementTree.fromstring(render_junit(summary).encode())
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    failure = cases["threshold: first_audible_ms: p95 < 1ms"].find("failure")
    assert failure is not None
    assert "p95 = " in (failure.get("message") or "")
    assert "the threshold is < 1 ms" in (failure.text or "")
    missing = cases["threshold: task_success >= 1%"].find("failure")
    assert missing is not None
    assert missing.get("type") == "no data"
    assert cases["threshold: wer < 99%"].find("failure") is None


def test_junit_is_read_by_the_parser_that_others_use(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, rows(), "first_audible_ms: p95 < 1ms", "task_success >= 1%")
    suite = junitparser.TestSuite.fromstring(render_junit(summary))
    assert (suite.tests, suite.failures, suite.errors) == (len(list(suite)), 3, 0)
    found = {case.name: [result.message for result in case.result] for case in suite}
    assert "p95 = " in found["threshold: first_audible_ms: p95 < 1ms"][0]
    assert found["threshold: task_success >= 1%"][0].startswith("no data for task_success")


def test_what_a_ci_job_is_told(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, rows(), "first_audible_ms: p95 < 1ms", "wer < 99%")
    text = render_step_summary(summary)
    assert "❌ sample: FAILED (exit code 1)" in text
    assert "| ❌ | `first_audible_ms` | p95 = " in text
    assert "| ✅ | `wer` |" in text
    lines = annotations_of(summary)
    assert lines[0].startswith("::error title=sample%3A failed::first_audible_ms p95 = ")
    assert all("\n" not in line for line in lines)
    file = tmp_path / "step.md"
    file.write_text("before\n")
    assert tell_ci(summary, {"GITHUB_STEP_SUMMARY": str(file)}) == []
    assert file.read_text().startswith("before\n### ❌ sample")
    assert tell_ci(summary, {"GITHUB_ACTIONS": "true"}) == lines
    missing = tell_ci(summary, {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "where.md")})
    assert "cannot be written" in missing[0]


SAME = (
    "first_audible_ms: p50 < 1s",
    "first_audible_ms{accent=us}: p95 < 1s",
    "first_audible_ms: max < 1s",
    "audio_tokens_per_s: mean > 1",
    "send_late_ms: p50 < 1s",
    "connect_ms: p50 < 1s",
    "error_rate < 1%",
    "no_reply_rate < 1%",
    "early_rate < 1%",
    "ok_rate > 1%",
    "stall_rate < 1%",
    "stall_free > 1%",
    "c100 > 1%",
    "goodput > 1%",
    "wer < 1%",
    "wer_raw < 1%",
    "cost_per_minute < $1",
    "session_error_rate < 1%",
    "connect_error_rate < 1%",
    "greeting_ms: p90 < 2s",
    "no_greeting_rate < 1%",
    "barge_in_stop_ms: p90 < 400ms",
    "barge_in_rate > 1%",
    "false_barge_in < 1%",
    "talk_over_rate < 1%",
    "in_audio < 1",
)


@given(seed=st.integers(0, 10_000), fails=st.floats(0, 1))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_live_guard_sees_what_the_report_sees(
    tmp_path_factory: pytest.TempPathFactory, seed: int, fails: float
) -> None:
    turns, sessions = map(list, build.rows(calls=6, turns=3, warm=1, fails=fails, seed=seed))
    draw = np.random.default_rng(seed)
    for row in turns:
        row.client_late = bool(draw.random() < 0.1)
        row.error_kind = "harness" if row.status == "failed" and draw.random() < 0.2 else row.error_kind
        row.barge_in = [None, True, False][draw.integers(3)]
        row.barge_in_stop_ms = 500 * draw.random() if row.barge_in else None
        row.talk_over_ms = 300 * draw.random() if draw.random() < 0.3 else None
        row.false_barge_in = [None, True, False][draw.integers(3)]
    for call in sessions:
        call.gap_ms = [50.0, 2000.0][draw.integers(2)] if draw.random() < 0.2 else None
        call.status = "stopped" if draw.random() < 0.1 else call.status
        call.greeting_expected = bool(draw.random() < 0.7)
        call.greeting_ms = 500 * draw.random() if draw.random() < 0.7 else None
    view = view_of(build.finished(tmp_path_factory.mktemp("run"), turns, sessions))
    objectives = (parse_objective("first_audible_ms < 900ms"), parse_objective("stalls < 1"))
    assert int((good_turns(view, objectives) & view.measured).sum()) == sum(
        broken_objective(row, objectives) is None
        for row in turns
        if not row.warmup and not row.client_late and row.error_kind != "harness"
    )
    for text in SAME:
        threshold, samples = parse_threshold(text), Samples()
        for row in [*turns, *sessions]:
            found = sample_of(threshold, row, objectives)
            if found is not None:
                samples.add(0.0, found)
        seen, live = observe(view, threshold, objectives), samples.observed(threshold)
        if text.startswith("in_audio"):
            continue  # the report adds what calls were billed besides their turns
        assert seen.n == len(samples.ordered), text
        assert (seen.value is None) == (live is None), text
        assert seen.value is None or live == pytest.approx(seen.value), text


def progress(elapsed_s: float) -> Progress:
    return Progress("steady", elapsed_s, None, False, LiveCalls(), Tally())


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def guard(clock: Callable[[], float], **keys: object) -> ThresholdGuard:
    block = ThresholdBlock.model_validate({"threshold": "error_rate < 10%", "abort_on_fail": True, **keys})
    return ThresholdGuard([block], (), clock)


def test_the_guard_waits_for_its_delay_and_its_samples() -> None:
    clock, (turns, _) = Clock(), rows(calls=4)
    dog = guard(clock, delay="30s", min_samples=3)
    bad = [build.fail(row, *build.FAILURES[1]) for row in turns[:3]]
    for row in bad[:2]:
        dog.turn(row)
    assert dog(progress(40.0)) is None, "two are too few"
    dog.turn(bad[2])
    assert dog(progress(20.0)) is None, "too early"
    stop = dog(progress(41.5))
    assert stop is not None
    assert stop.reason == "threshold"
    assert "observed 100 % in 3 turns; the threshold is error_rate < 10%" in stop.sentence


def test_the_guard_forgets_what_is_older_than_its_window() -> None:
    clock, (turns, _) = Clock(), rows(calls=4)
    dog = guard(clock, window="10s")
    dog.turn(build.fail(turns[0], *build.FAILURES[1]))
    clock.now_s = 11.0
    dog.turn(turns[1])
    assert dog(progress(11.0)) is None
    clock.now_s = 12.0
    dog.turn(build.fail(turns[2], *build.FAILURES[1]))
    stop = dog(progress(13.0))
    assert stop is not None
    assert "50 % in 2 turns of the last 10 s" in stop.sentence
