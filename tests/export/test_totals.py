"""Counters and histograms: those of a run are the numbers of its report, in however many parts its rows come."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.export.declared import HISTOGRAMS, POOLED, SHARES, families_of
from bench.export.family import Family, Histogram, Series
from bench.export.totals import Totals, totals_of
from bench.measure.metrics import METRICS
from bench.report.summary import summarise
from bench.report.thresholds import objectives_of
from bench.report.view import view_of
from bench.store.reader import Run
from tests.report import build


def made(path: Path) -> Run:
    turns, sessions = build.rows(60, late=0.03)
    for row in turns:
        row.target = "ab"[row.session_index % 2]
    for call in sessions:
        call.target = "ab"[call.session_index % 2]
    scenario = {**build.manifest().scenario, "objectives": ["first_audible_ms < 900ms"]}
    return build.finished(path, turns, sessions, scenario=scenario)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("made") / "run")


def total(totals: Totals, name: str, **labels: str) -> float:
    found = 0.0
    for key, value in totals.series.get(name, Series(Family(name, "counter", "", "1"))).values.items():
        if labels.items() <= dict(key).items():
            found += value.count if isinstance(value, Histogram) else value
    return found


def test_the_sums_are_those_of_the_report(run: Run) -> None:
    report = summarise(run)
    totals = totals_of(view_of(run), objectives_of(run.manifest), whole=True)
    assert total(totals, "voicebench_turns") == report.turns.total
    assert total(totals, "voicebench_turns", counted="measured") == report.turns.measured
    assert total(totals, "voicebench_turns", counted="warmup") == report.turns.warmup
    assert total(totals, "voicebench_turns", counted="late") == report.turns.client_late > 0
    assert total(totals, "voicebench_calls") == report.calls.total
    assert total(totals, "voicebench_turns", counted="measured", target="a") < report.turns.measured
    for status, count in report.turns.by_status.items():
        assert total(totals, "voicebench_turns", counted="measured", status=status) == count
    for row in report.metrics:
        if METRICS[row.name].aggregate == "percentile":
            assert total(totals, HISTOGRAMS[row.name].name) == row.n, row.name
    for rate in [*report.rates, *report.continuity, *report.taking]:
        assert total(totals, "voicebench_share_cases", share=rate.name) == rate.n
        assert total(totals, "voicebench_share_events", share=rate.name) == rate.events
    assert {rate.name for rate in report.rates} >= {"goodput", "error_rate"}
    assert total(totals, "voicebench_cost_usd") == pytest.approx(report.cost.total_usd)
    for name, value in report.cost.usage.items():
        family = "voicebench_transcribed_seconds" if name.endswith("seconds") else "voicebench_tokens"
        assert total(totals, family, **({} if name.endswith("seconds") else {"meter": name})) == pytest.approx(value)
    heard = report.words.overall
    assert heard is not None
    for name in ("substitutions", "deletions", "insertions"):
        assert total(totals, "voicebench_words", outcome=name) == getattr(heard, name)
    errors, units = (total(totals, f"voicebench_pooled_{part}", metric="wer_raw") for part in ("errors", "units"))
    assert errors / units == pytest.approx(heard.wer_raw)
    usd, seconds = total(totals, "voicebench_priced_calls_usd"), total(totals, "voicebench_priced_calls_seconds")
    assert 60 * usd / seconds == pytest.approx(report.cost.per_conversation_minute_usd)


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=3))
def test_parts_add_up_to_the_whole(run: Run, cuts: list[int]) -> None:
    good = objectives_of(run.manifest)
    whole, parts = totals_of(view_of(run), good), Totals()
    edges = [0, *sorted(cuts), 10_000]
    for low, high in pairwise(edges):
        rows = [frame.iloc[low:high].reset_index(drop=True) for frame in (run.turns, run.sessions)]
        parts.add(totals_of(view_of(replace(run, turns=rows[0], sessions=rows[1])), good))
    assert parts.series.keys() == whole.series.keys()
    for name, series in whole.series.items():
        assert parts.series[name].values.keys() == series.values.keys()
        for labels, value in series.values.items():
            other = parts.series[name].values[labels]
            if isinstance(value, Histogram):
                assert isinstance(other, Histogram)
                assert other.counts == value.counts
                assert other.sum == pytest.approx(value.sum)
            else:
                assert other == pytest.approx(value), (name, labels)


def test_a_value_on_a_bound_is_below_it() -> None:
    family = Family("x", "histogram", "", "s", bounds=(0.0, 1.0, 2.0))
    totals = Totals()
    totals.observe(family, (), np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 7.0]))
    totals.observe(family, (), np.array([]))
    value = totals.series["x"].values[()]
    assert isinstance(value, Histogram)
    assert (value.counts, value.sum, value.count) == ([2, 2, 1, 1], 9.5, 6)


def test_nothing_is_entered_for_nothing(run: Run) -> None:
    empty = replace(run, turns=run.turns.iloc[:0], sessions=run.sessions.iloc[:0])
    assert totals_of(view_of(empty)).series == {}


def test_every_declared_metric_is_exported_once() -> None:
    names = {family.name for metric in METRICS.values() for family in families_of(metric)}
    assert len({family.name for family in HISTOGRAMS.values()}) == len(HISTOGRAMS)
    assert not any(name.endswith(("_ms", "_total")) for name in names)
    for family in HISTOGRAMS.values():
        assert list(family.bounds) == sorted(set(family.bounds))
        assert len(family.bounds) < 25
    assert {*POOLED, *SHARES, *HISTOGRAMS} < {*METRICS}


def test_sums_of_different_things_are_different_series(run: Run) -> None:
    """A label or a name tells them apart: what is added up there is one thing."""
    told: dict[tuple[str, bool], list[str]] = {}
    for name, metric in METRICS.items():
        for family in families_of(metric):
            told.setdefault((family.name, bool(family.labels)), []).append(name)
    shared = {family: names for (family, labelled), names in told.items() if not labelled and len(names) > 1}
    assert shared == {"voicebench_cost_usd": ["cost_usd", "cost_partial_usd"]}
    turns = run.turns.assign(
        caption_updates=2, caption_changes=1, caption_words_shown=7, speech_characters=40, speech_seconds=1.5
    )
    totals = totals_of(view_of(replace(run, turns=turns)))
    measured = total(totals, "voicebench_turns", counted="measured")
    assert total(totals, "voicebench_turn_caption_updates") == 2 * measured
    assert total(totals, "voicebench_turn_caption_changes") == measured
    assert total(totals, "voicebench_turn_caption_words") == 7 * measured
    assert total(totals, "voicebench_speech_characters") == 40 * len(turns)
    assert total(totals, "voicebench_speech_seconds") == 1.5 * len(turns)
    assert total(totals, "voicebench_words", outcome="caption_words_shown") == 0
