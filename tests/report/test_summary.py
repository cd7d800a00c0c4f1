"""The numbers of a summary against the same numbers taken from the rows by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bench.errors import ExitCode
from bench.measure.metrics import METRICS, Metric, Milestone
from bench.report import phrases
from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.latency import step_name
from bench.report.markdown import render_markdown
from bench.report.phrases import headline
from bench.report.render import UnwrittenReportError, write_reports
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.store.reader import Run, read_run
from tests.report import build


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    turns, sessions = build.rows(calls=50, fails=0.08, late=0.02)
    return build.finished(tmp_path_factory.mktemp("run"), turns, sessions)


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def test_percentiles_are_those_of_pandas_over_answered_turns(run: Run, summary: Summary) -> None:
    frame = run.turns
    own = frame[~frame["warmup"] & ~frame["client_late"]]
    answered = own[own["status"] == "ok"]
    row = summary.metric("first_audible_ms")
    assert row is not None
    assert (row.n, row.unanswered) == (len(answered), len(own) - len(answered))
    assert row.unanswered > 0
    for found in row.percentiles:
        wanted = answered["first_audible_ms"].quantile(found.percent / 100)
        assert found.value == pytest.approx(wanted)
        assert found.interval is not None
        assert found.interval.low <= wanted <= found.interval.high
    inflated = own["first_audible_ms"].where(own["status"] == "ok", math.inf).sort_values()
    assert row.percentiles[0].with_unanswered == pytest.approx(np.median(inflated))
    assert row.percentiles[3].with_unanswered == math.inf


def test_warm_up_and_late_turns_are_counted_and_left_out(run: Run, summary: Summary) -> None:
    counts = summary.turns
    assert counts.total == len(run.turns) == 250
    assert counts.warmup == 20
    assert counts.client_late > 0
    assert counts.measured == 250 - 20 - counts.client_late
    assert sum(counts.by_status.values()) == counts.measured
    lateness = summary.metric("send_late_ms")
    assert lateness is not None
    assert lateness.n == 230, "the harness's own delay covers the turns it spoiled"


def test_low_tail_for_metrics_where_low_is_bad(run: Run, summary: Summary) -> None:
    row = summary.metric("text_tokens_per_s")
    assert row is not None
    assert [found.label for found in row.percentiles] == ["p50", "p10", "p5", "p1"]
    assert row.worst == pytest.approx(
        np.nanmin(run.turns.loc[~run.turns["warmup"] & ~run.turns["client_late"], row.name])
    )
    assert row.percentiles[2].with_unanswered is None


def test_a_new_metric_is_one_declaration_and_its_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = Metric(
        "jitter_ms",
        "jitter",
        "how unevenly the audio of a reply arrives",
        group="delivery",
        milestone=Milestone(8, "even"),
    )
    monkeypatch.setitem(METRICS, "jitter_ms", added)
    run = build.finished(tmp_path, *build.rows(calls=20, fails=0, warm=0))
    run.turns["jitter_ms"] = 700.25 + np.arange(len(run.turns), dtype=float)
    found = summarise(run)
    row = found.metric("jitter_ms")
    assert row is not None
    assert (row.n, row.group, row.percentiles[0].value) == (100, "delivery", 749.75)
    assert found.definitions["jitter_ms"] == added.definition
    assert {mark.name for mark in found.charts.slowest[0].marks} >= {"jitter_ms", "first_audible_ms"}
    for text in (render_terminal(found), render_markdown(found), render_html(found)):
        assert "Jitter, ms" in text
        assert "750" in text
    assert added.definition in render_html(found)


def test_a_turn_that_the_caller_interrupted_is_answered(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=12, fails=0, warm=0)
    before = summarise(build.finished(tmp_path / "a", turns, sessions))
    for row in turns[::3]:
        row.status = "interrupted"
    after = summarise(build.finished(tmp_path / "b", turns, sessions))
    assert after.turns.answered == before.turns.answered == 60
    assert after.metrics == before.metrics
    assert after.turns.by_status == {"ok": 40, "interrupted": 20}


def test_load_is_said_by_the_manifest_or_from_the_scenario_of_an_older_run(tmp_path: Path) -> None:
    rows = build.rows(calls=2, warm=0)
    old = summarise(build.finished(tmp_path / "a", *rows))
    assert old.load.sentence == (
        "60 calls of 1 turn each, 20 at a time, ramped up over 10 s; before that 4 calls of warm-up"
    )
    assert summarise(build.finished(tmp_path / "b", *rows, load_sentence="two calls")).load.sentence == "two calls"
    strange = build.finished(tmp_path / "c", *rows, scenario={"load": {"arrival": "tidal", "moon": "full"}})
    assert summarise(strange).load.sentence == "arrival tidal, moon full"
    assert summarise(build.finished(tmp_path / "d", *rows, scenario={})).load.sentence == "-"


def test_early_replies_are_unanswered_but_no_errors(run: Run, summary: Summary) -> None:
    by_status = summary.turns.by_status
    rates = {rate.name: rate for rate in summary.rates}
    assert by_status["early"] > 0
    assert rates["early_rate"].events == by_status["early"]
    assert rates["error_rate"].events == summary.turns.measured - by_status["ok"] - by_status["early"]
    assert sum(row.count for row in summary.errors if row.level == "turn") == summary.turns.measured - by_status["ok"]


def test_wer_is_pooled_and_every_cut_adds_up(run: Run, summary: Summary) -> None:
    own = run.turns[~run.turns["warmup"]]
    errors = own["substitutions"].sum() + own["deletions"].sum() + own["insertions"].sum()
    reference = own["hits"].sum() + own["substitutions"].sum() + own["deletions"].sum()
    overall = summary.words.overall
    assert overall is not None
    assert overall.wer == pytest.approx(errors / reference)
    assert overall.wer != pytest.approx(own["wer"].mean())
    assert set(summary.words.cuts) == {"accent", "voice", "fixture", "open calls"}
    for name, rows in summary.words.cuts.items():
        assert sum(row.turns for row in rows) == overall.turns
        assert sum(row.reference_words for row in rows) == overall.reference_words
        if name != "open calls":
            assert [row.wer for row in rows] == sorted((row.wer for row in rows), reverse=True)
    worst = summary.words.worst[0]
    assert worst.errors == int((own["substitutions"] + own["deletions"] + own["insertions"]).max())
    assert any(part.op != "equal" for part in worst.alignment)
    alike = own[own["hypothesis"] == own.loc[(own["session_id"] == worst.session_id) & (own["turn"] == worst.turn)][
        "hypothesis"
    ].iloc[0]]  # fmt: skip
    assert worst.turns == int((alike["fixture"] == worst.fixture).sum())
    shown = [(found.fixture, tuple(str(part) for part in found.alignment)) for found in summary.words.worst]
    assert len(set(shown)) == len(shown), "a mishearing is shown once, however often it came"


def test_latency_by_voice_is_that_of_its_own_turns(run: Run, summary: Summary) -> None:
    found = summary.latency_cuts
    assert found is not None
    assert (found.metric, list(found.cuts)) == ("first_audible_ms", ["step", "accent", "voice"]), (
        "one language is no cut"
    )
    own = run.turns[~run.turns["warmup"] & ~run.turns["client_late"]]
    steps = found.cuts.pop("step")
    for step, row in zip(sorted(own["step"].unique()), steps, strict=True):
        part = own[(own["step"] == step) & (own["status"] == "ok")]
        assert (row.n, row.p50) == (len(part), pytest.approx(part["first_audible_ms"].median()))
    for cut, rows in found.cuts.items():
        assert sum(row.n + row.unanswered for row in rows) == summary.turns.measured
        for row in rows:
            part = own[(own[cut] == row.name) & (own["status"] == "ok")]
            assert row.n == len(part)
            assert row.p50 == pytest.approx(part["first_audible_ms"].median())
        medians = [row.p50 or 0.0 for row in rows]
        assert medians == sorted(medians, reverse=True)


def test_text_only_replies_are_said_to_be_so(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=12, fails=0)
    assert "No reply held audio" not in headline(summarise(build.finished(tmp_path / "a", turns, sessions)))
    for row in turns:
        row.first_audio_ms = row.first_audible_ms = None
    found = summarise(build.finished(tmp_path / "b", turns, sessions))
    assert found.verdict.name == "pass"
    assert headline(found).startswith("TTFT after")
    assert "No reply held audio" in headline(found)
    assert found.metric("first_audible_ms") is None
    assert found.latency_cuts is not None
    assert found.latency_cuts.metric == "ttft_ms"


def test_cost_sums_and_unit_prices(run: Run, summary: Summary) -> None:
    cost = summary.cost
    assert cost.total_usd == pytest.approx(run.turns["cost_usd"].sum())
    assert cost.total_usd == pytest.approx(sum(meter.usd or 0 for meter in cost.meters))
    calls = run.sessions[~run.sessions["warmup"] & run.sessions["cost_usd"].notna()]
    minutes = calls["duration_ms"].sum() / 60_000
    assert cost.per_conversation_minute_usd == pytest.approx(calls["cost_usd"].sum() / minutes)
    assert cost.per_1000_sessions_usd == pytest.approx(calls["cost_usd"].mean() * 1000)
    assert cost.example_prices
    assert cost.unpriced_answered == 0


def test_charts_show_all_curves_and_say_what_is_missing(summary: Summary) -> None:
    charts = summary.charts
    assert [curve.name for curve in charts.distribution] == [
        "endpoint_ms", "ttft_ms", "first_audio_ms", "first_audible_ms"
    ]  # fmt: skip
    share = summary.turns.answered / summary.turns.measured
    assert charts.distribution[3].share[-1] == pytest.approx(share, abs=1e-4)
    assert charts.over_time is not None
    assert charts.over_time.failed_n == summary.turns.measured - summary.turns.answered
    slow = [turn.first_audible_ms for turn in charts.slowest]
    assert slow == sorted(slow, reverse=True)
    assert len(slow) == 15
    row = summary.metric("first_audible_ms")
    assert row is not None
    assert slow[0] == pytest.approx(row.worst, abs=0.06)


def test_same_folder_same_files(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=14)
    run = build.finished(tmp_path, turns, sessions)
    write_reports(run)
    names = ("summary.json", "report.html", "report.md", "junit.xml", "turns.csv", "run.json")
    first = {name: (tmp_path / name).read_bytes() for name in names}
    write_reports(read_run(tmp_path))
    assert {name: (tmp_path / name).read_bytes() for name in names} == first
    assert read_run(tmp_path).manifest.verdict == "pass"


def test_summary_json_comes_back_whole_infinities_included(summary: Summary) -> None:
    text = summary.model_dump_json()
    assert '"Infinity"' in text
    assert Summary.model_validate_json(text) == summary


def test_killed_run_reports_what_it_saw_and_keeps_its_manifest(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=10)
    run = build.killed(tmp_path, turns[:-3], sessions[:-2])
    before = (tmp_path / "run.json").read_bytes()
    found = write_reports(run)
    assert (found.verdict.name, found.verdict.exit_code) == ("incomplete", 5)
    assert "killed" in found.verdict.reasons[0]
    assert found.turns.total == len(turns) - 3
    assert (tmp_path / "run.json").read_bytes() == before
    assert len((tmp_path / "turns.csv").read_text().splitlines()) == len(turns) - 3 + 1
    assert found.cost.total_usd == pytest.approx(run.turns["cost_usd"].sum()), "turns of calls that never ended count"


def test_a_report_that_cannot_be_written_says_whose_folder_it_was(tmp_path: Path) -> None:
    """A folder that was asked for is the caller's mistake; the run's own, which cannot take the report, is a loss."""
    run = build.finished(tmp_path / "run", [], [])
    (tmp_path / "file").touch()
    with pytest.raises(UnwrittenReportError) as asked:
        write_reports(run, out=tmp_path / "file" / "below")
    (tmp_path / "run" / "summary.json").mkdir()
    with pytest.raises(UnwrittenReportError) as own:
        write_reports(run)
    assert (asked.value.exit_code, own.value.exit_code) == (ExitCode.USAGE, ExitCode.INCOMPLETE)


def test_no_rows_at_all(tmp_path: Path) -> None:
    found = write_reports(build.finished(tmp_path, [], []))
    assert (found.verdict.name, found.verdict.exit_code) == ("no data", 3)
    assert found.metrics == []
    assert found.cost.total_usd is None


def test_every_turn_failed(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=12)
    found = summarise(build.finished(tmp_path, [build.fail(row, *build.FAILURES[0]) for row in turns], sessions))
    assert found.verdict.name == "no data"
    assert "rate_limit" in found.verdict.reasons[0]
    row = found.metric("first_audible_ms")
    assert row is not None
    assert (row.n, row.unanswered) == (0, 40)
    assert row.percentiles[2].value is None
    assert row.percentiles[2].with_unanswered == math.inf


def test_one_turn_prints_no_percentile(tmp_path: Path) -> None:
    found = summarise(build.finished(tmp_path, *build.rows(calls=1, turns=1, fails=0, warm=0)))
    row = found.metric("first_audible_ms")
    assert row is not None
    assert [percentile.value for percentile in row.percentiles] == [None] * 4
    assert row.worst is not None
    assert any("p95 is blank" in warning for warning in found.verdict.warnings)


def test_what_was_not_measured_is_warned_about(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=12, fails=0)
    for row in turns:
        row.cost_usd, row.cost_partial_usd, row.cost_note = None, 0.001, "no price for reference-voice"
        row.hits = row.substitutions = row.deletions = row.insertions = row.wer = None
    for call in sessions:
        call.cost_usd, call.cost_partial_usd = None, 0.005
    found = summarise(build.finished(tmp_path, turns, sessions, notes=["mind the gap"]))
    warnings = " | ".join(found.verdict.warnings)
    for said in ("WER was not measured", "cost is unknown", "no price for reference-voice (60 turns)", "mind the gap"):
        assert said in warnings
    assert found.words.overall is None
    assert found.cost.per_turn_usd is None
    assert found.cost.total_usd == pytest.approx(0.06)


def test_unreachable_names_the_commonest_error(tmp_path: Path) -> None:
    _, sessions = build.rows(calls=9, warm=0)
    for number, call in enumerate(sessions):
        call.status, call.session_ready_ms, call.connect_ms, call.stage = "failed", None, None, "connect"
        call.error_kind = "tls" if number < 2 else "connect"
    found = summarise(build.finished(tmp_path, [], sessions))
    assert found.verdict.name == "unreachable"
    assert "none of 9 calls became ready; most often: connect at connect" in found.verdict.reasons[0]
    row = found.metric("session_ready_ms")
    assert row is not None
    assert row.percentiles[0].with_unanswered == math.inf


def test_minute_priced_calls_are_not_unpriced(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=8, fails=0, warm=0)
    for row in turns:
        row.cost_usd = None
    for call in sessions:
        call.cost_usd = 0.25
    found = summarise(build.finished(tmp_path, turns, sessions)).cost
    assert found.total_usd == pytest.approx(2.0)
    assert found.unpriced_answered == 0


def test_unknown_meters_are_named_and_what_is_known_is_at_least(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=6, turns=2, fails=0, warm=0)
    for row in turns[:4]:
        row.cost_partial_usd = (row.cost_usd or 0) - 4e-4
        row.cost_usd = row.cost_transcription_usd = None
        row.cost_unknown = "transcription (no price for the transcription model 'mine')"
    for call in sessions[:2]:
        call.cost_partial_usd, call.cost_usd = call.cost_usd, None
        call.cost_unknown = turns[0].cost_unknown
    sessions[-1].other_responses, sessions[-1].other_cost_partial_usd = 2, 0.25
    sessions[-1].other_cost_unknown = "tokens (the server reported no usage)"
    sessions[-1].other_in_text, sessions[-1].other_cost_input_usd = 1000, 0.25
    found = summarise(build.finished(tmp_path, turns, sessions))
    cost = found.cost
    assert cost.at_least
    assert [(each.meter, each.turns, each.calls) for each in cost.unknown] == [
        ("transcription", 4, 0),
        ("tokens", 0, 1),
    ]
    assert (cost.other_responses, cost.other_usd) == (2, 0.25)
    assert next(meter.usd for meter in cost.meters if meter.name == "cost_input_usd") > 0.25
    assert cost.usage["in_text"] == 12 * 120 + 1000
    said = phrases.lower_bound(cost)
    assert said.startswith("At least $")
    assert "transcription of 4 turns (no price for the transcription model 'mine')" in said
    assert "tokens of 1 call outside their turns (the server reported no usage)" in said


def test_what_failed_turns_cost(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=6, turns=2, fails=0, warm=0)
    build.fail(turns[0], *build.FAILURES[0])
    turns[0].cost_usd = 0.0
    cost = summarise(build.finished(tmp_path, turns, sessions)).cost
    assert (cost.failed_turns, cost.failed_usd, cost.at_least) == (1, 0.0, False)
    assert cost.per_turn_usd is not None


def test_steps_are_named_as_the_scenario_names_them() -> None:
    steps = [{"say": "balance-rms", "id": "ask"}, {"pause": "1s"}, {"say": "yes-rms"}, {"say": ["a", "b"]}]
    names = [step_name({"conversation": steps}, place) for place in ("0", "1", "2", "3", "9", "-")]
    assert names == ["1. ask", "2. pause", "3. say yes-rms", "4. say", "9", "-"]
