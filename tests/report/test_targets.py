"""Targets side by side, against made-up rows in which one is slower by so much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.measure.records import SessionRecord, TurnRecord
from bench.report.findings import Summary
from bench.report.findings_targets import TargetsReport
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.phrases import verdict_meaning
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.store.manifest import CalledTarget
from tests.report import build

Rows = tuple[list[TurnRecord], list[SessionRecord]]


def called(*names: str) -> dict[str, Any]:
    """The part of a manifest that says who was called."""
    targets = [CalledTarget(name=name, url=f"ws://{name}.example/", model=f"model-{name}") for name in names]
    return {"target": targets[0], "targets": targets}


def dealt(rows: Rows, *names: str, slower_ms: float = 0.0) -> Rows:
    """`rows` dealt out to the targets by the number of their call; each later one is slower by `slower_ms`."""
    turns, calls = rows
    for turn in turns:
        place = turn.session_index % len(names)
        turn.target = names[place]
        for name in ("ttft_ms", "first_audio_ms", "first_audible_ms"):
            value = getattr(turn, name)
            if value is not None:
                setattr(turn, name, value + place * slower_ms)
    return turns, [replace(call, target=names[call.session_index % len(names)]) for call in calls]


def summary_of(root: Path, rows: Rows, *names: str) -> Summary:
    return summarise(build.finished(root, *rows, **called(*names)))


def test_a_run_with_one_target_has_no_ranking(tmp_path: Path) -> None:
    found = summary_of(tmp_path, dealt(build.rows(calls=12), "only"), "only")
    assert found.targets is None
    assert all("target" not in each.tags for each in found.thresholds)
    assert "TARGETS" not in render_terminal(found)


def test_the_figures_of_each_target_are_those_of_its_own_rows(tmp_path: Path) -> None:
    turns, calls = dealt(build.rows(calls=60, fails=0.1), "b", "a", slower_ms=300)
    found = summary_of(tmp_path, (turns, calls), "b", "a").targets
    assert found is not None
    assert (found.metric, [row.name for row in found.rows], [row.rank for row in found.rows]) == (
        "first_audible_ms",
        ["b", "a"],
        [1, 2],
    )
    for row in found.rows:
        own = [each for each in turns if each.target == row.name and not each.warmup]
        waits = [np.inf if each.first_audible_ms is None else each.first_audible_ms for each in own]
        assert (row.turns, row.answered) == (len(own), np.isfinite(waits).sum())
        assert row.p50.value == pytest.approx(np.percentile(waits, 50))
        assert row.p95.value == np.inf, "one of ten turns was never answered"
        assert row.p50.low is not None
        assert row.p50.high is not None
        assert row.p50.low < row.p50.value < row.p50.high  # type: ignore[operator]
        assert row.error_rate.value == pytest.approx(row.errors / len(own))
        wrong = sum((each.substitutions or 0) + (each.deletions or 0) + (each.insertions or 0) for each in own)
        spoken = sum((each.hits or 0) + (each.substitutions or 0) + (each.deletions or 0) for each in own)
        assert row.wer.value == pytest.approx(wrong / spoken)
        minutes = [each for each in calls if each.target == row.name and not each.warmup and each.cost_usd is not None]
        usd = sum(each.cost_usd or 0 for each in minutes) / sum((each.duration_ms or 0) / 60_000 for each in minutes)
        assert row.cost_per_minute_usd.value == pytest.approx(usd)


def test_a_target_that_drops_its_slow_turns_does_not_come_first(tmp_path: Path) -> None:
    turns, calls = dealt(build.rows(calls=40, fails=0, warm=0), "drops", "steady", slower_ms=50)
    dropped = [
        build.fail(turn, "no_reply", "timeout", None, "no reply") if turn.target == "drops" and turn.turn < 3 else turn
        for turn in turns
    ]
    found = summary_of(tmp_path, (dropped, calls), "drops", "steady")
    assert found.targets is not None
    first, last = found.targets.rows
    assert (first.name, last.name, last.answered) == ("steady", "drops", 40)
    assert [(each.rank, each.p50.value == np.inf) for each in (first, last)] == [(1, False), (2, True)]
    assert found.targets.sentence.endswith("drops: half of its turns or more were not answered.")
    judged = {each.metric: each.judged for each in last.differences}
    assert (judged["first_audible_ms"], judged["error_rate"], judged["wer"]) == ("worse", "worse", "cannot tell")
    assert found.verdict.exit_code == 1
    assert found.verdict.reasons[0].startswith("error_rate{target=drops} 60 % (60 of 100 turns)")


def differ(root: Path, *names: str, calls: int = 120, slower_ms: float = 0.0) -> TargetsReport:
    rows = dealt(build.rows(calls=calls, turns=3, fails=0, warm=0), *names, slower_ms=slower_ms)
    found = summary_of(root, rows, *names).targets
    assert found is not None
    return found


def test_a_slower_target_is_second_with_an_interval_that_leaves_out_0(tmp_path: Path) -> None:
    found = differ(tmp_path, "fast", "slow", slower_ms=150)
    first, last = found.rows
    assert (first.name, first.rank, last.name, last.rank, first.differences) == ("fast", 1, "slow", 2, [])
    one = last.median_difference
    assert one is not None
    assert 0 < (one.low or 0) < 150 < (one.high or 0)
    assert (one.judged, one.metric, one.title) == ("worse", "first_audible_ms", "first audible")
    assert found.sentence.startswith("fast: first audible p50 ")
    assert "slow: slower by 1" in found.sentence


def test_equal_targets_are_both_first_and_it_is_told_what_would_have_been_seen(tmp_path: Path) -> None:
    found = differ(tmp_path, "a", "b")
    assert [each.rank for each in found.rows] == [1, 1]
    one = found.rows[1].median_difference
    assert one is not None
    assert (one.low or 0) < 0 < (one.high or 0)
    assert one.judged == "cannot tell"
    assert one.detectable is not None
    assert f"cannot tell, +{one.value:,.0f} ms" in found.sentence or f"cannot tell, +{one.value:,.1f}" in found.sentence
    assert f"a difference of {one.detectable:,.0f} ms would have been seen" in found.sentence


def test_with_more_targets_each_interval_is_wider(tmp_path: Path) -> None:
    found = differ(tmp_path, "a", "b", "c", "d", slower_ms=200)
    assert found.level == pytest.approx(1 - 0.05 / 6)
    assert [each.rank for each in found.rows] == [1, 2, 3, 4]
    names = ("a", "b", "c", "d")
    whole = summary_of(tmp_path / "whole", dealt(build.rows(calls=40), *names), *names)
    assert "each by itself at 99.2 %" in render_markdown(whole)


def test_too_few_calls_are_said(tmp_path: Path) -> None:
    found = differ(tmp_path, "a", "b", calls=8, slower_ms=300)
    assert [each.rank for each in found.rows] == [1, 1]
    assert "too few calls for an interval" in found.sentence


def test_the_default_bounds_hold_for_each_target_unless_the_scenario_says_otherwise(tmp_path: Path) -> None:
    rows = dealt(build.rows(calls=20), "a", "b")
    bounds = ["error_rate{target=a} < 50%", "session_error_rate < 9%"]
    run = build.finished(
        tmp_path, *rows, **called("a", "b"), scenario={"name": "s", "conversation": [], "thresholds": bounds}
    )
    shown = [(each.rows_named, each.default) for each in summarise(run).thresholds]
    assert shown == [
        ("error_rate{target=a}", False),
        ("session_error_rate", False),
        ("error_rate{target=b}", True),
    ]


def test_every_rendering_names_every_target(tmp_path: Path) -> None:
    found = summary_of(tmp_path, dealt(build.rows(calls=40), "alpha", "beta", slower_ms=200), "alpha", "beta")
    for text in (render_terminal(found), render_markdown(found), render_html(found)):
        assert "1. alpha" in text.replace("\\", "")
        assert "2. beta" in text.replace("\\", "")
        assert "beta, first audible p50" in text
        assert "beta: slower by" in text
        assert "ws://beta.example/" in text or text == render_terminal(found)
    assert "First audible by target" in render_markdown(found)
    assert "WER by target" in render_markdown(found)


def test_a_target_that_was_away_shares_no_first_place(tmp_path: Path) -> None:
    turns, calls = dealt(build.rows(calls=8, fails=0, warm=0), "away", "there")
    lost = [
        build.fail(turn, "no_reply", "timeout", None, "no reply") if turn.target == "away" else turn for turn in turns
    ]
    found = summary_of(tmp_path, (lost, calls), "away", "there").targets
    assert found is not None
    assert [(row.name, row.rank) for row in found.rows] == [("there", 1), ("away", None)]
    nobody = [build.fail(turn, "no_reply", "timeout", None, "no reply") for turn in turns]
    none = summary_of(tmp_path / "none", (nobody, calls), "away", "there").targets
    assert none is not None
    assert [row.rank for row in none.rows] == [None, None]
    assert none.sentence == "No target answered."


def test_a_target_that_never_became_ready_is_said_so_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    turns, calls = dealt(build.rows(calls=12, fails=0, warm=0), "away", "there")
    for call in calls:
        if call.target == "away":
            call.status, call.session_ready_ms, call.error_kind = "failed", None, "connect"
    found = summary_of(tmp_path, ([turn for turn in turns if turn.target == "there"], calls), "away", "there")
    assert found.verdict.name == "unreachable"
    assert verdict_meaning(found) == "A target could not be reached; the numbers describe the others."
    page = render_html(found)
    assert "0 of 6 calls became ready" in page
    assert "p95 - " not in page


def test_a_target_with_too_few_turns_for_a_median_is_neither_first_nor_the_base(tmp_path: Path) -> None:
    turns, calls = dealt(build.rows(calls=12, fails=0, warm=0), "few", "many")
    kept = [turn for turn in turns if turn.target == "many"] + [turn for turn in turns if turn.target == "few"][:2]
    for turn in kept[-2:]:
        turn.first_audible_ms = 1.0
    found = summary_of(tmp_path / "a", (kept, calls), "few", "many").targets
    assert found is not None
    assert [(row.name, row.rank) for row in found.rows] == [("many", 1), ("few", None)]
    nobody = summary_of(tmp_path / "b", (kept[-2:], calls), "few", "many").targets
    assert nobody is not None
    assert [row.rank for row in nobody.rows] == [None, None]
    assert nobody.sentence == "No target has the answered turns that a median needs."
