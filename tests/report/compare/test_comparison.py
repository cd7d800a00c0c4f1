"""Stored runs against the first of them, on made-up rows whose truth is known."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError, ExitCode
from bench.report.compare.charts import forests
from bench.report.compare.comparison import compare, same_plan
from bench.report.compare.findings import Comparison
from bench.report.compare.html import render_html
from bench.report.compare.matters import Matters
from bench.report.compare.measures import measures, sample
from bench.report.compare.phrases import change, limits, relative_limits, row_sentence
from bench.report.compare.text import render_markdown, render_text
from bench.report.compare.write import write_comparison
from bench.report.findings_differences import MetricDifference
from bench.report.summary import summarise
from bench.report.view import view_of
from bench.scenario.threshold_grammar import parse_measure
from bench.store.manifest import CalledTarget
from bench.store.reader import Run, read_run
from tests.report.compare.build import run_of

ELSEWHERE = CalledTarget(url="wss://east.example.com/v1?x=<b>", model="large", dialect="openai")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    root = tmp_path_factory.mktemp("runs")
    return {
        "base": run_of(root / "base", 1),
        "again": run_of(root / "again", 2),
        "slower": run_of(root / "slower", 3, slower=1.15, target=ELSEWHERE),
        "failing": run_of(root / "failing", 4, fails=0.4),
        "short": run_of(root / "short", 5, calls=5),
    }


def between(runs: dict[str, Run], *names: str, asked: tuple[str, ...] = ()) -> Comparison:
    return compare([runs[name] for name in names], measures(asked), Matters(), named=bool(asked))


def row(found: Comparison, measure: str, pair: int = 0) -> MetricDifference:
    return next(each for each in found.pairs[pair].rows if each.measure == measure)


def test_values_are_those_of_the_reports(runs: dict[str, Run]) -> None:
    found = between(runs, "base", "failing")
    for side, run in (("a", runs["base"]), ("b", runs["failing"])):
        summary = summarise(run)
        first = summary.metric("first_audible_ms")
        assert first is not None
        assert getattr(row(found, "first_audible_ms: p50"), side) == pytest.approx(first.percentiles[0].with_unanswered)
        assert getattr(row(found, "first_audible_ms: mean"), side) == pytest.approx(first.mean)
        assert summary.words.overall is not None
        assert getattr(row(found, "wer"), side) == pytest.approx(summary.words.overall.wer)
        rates = {rate.name: rate.rate for rate in summary.rates}
        assert getattr(row(found, "error_rate"), side) == pytest.approx(rates["error_rate"])
        cost = summary.cost.per_conversation_minute_usd
        assert getattr(row(found, "cost_per_minute_usd"), side) == pytest.approx(cost)


def test_a_slower_run_is_worse_and_equal_ones_are_not(runs: dict[str, Run]) -> None:
    found = between(runs, "base", "again", "slower")
    worse = row(found, "first_audible_ms: p50", 1)
    assert worse.verdict == "worse"
    assert worse.low is not None
    assert 0 < worse.low < 0.15 * (worse.a or 0)
    assert row(found, "first_audible_ms: p50").verdict in {"same", "cannot tell"}
    assert [pair.letter for pair in found.pairs] == ["B", "C"]
    assert "C against A" in render_text(found)


def test_turns_that_nobody_answered_count_as_never(runs: dict[str, Run]) -> None:
    found = between(runs, "base", "failing")
    tail = row(found, "first_audible_ms: p95")
    assert (tail.b, tail.verdict, tail.detectable) == (float("inf"), "worse", None)
    assert tail.lost_b > 0
    assert row(found, "error_rate").verdict == "worse"
    assert "∞" in render_text(found)


def test_too_few_calls_cannot_be_told(runs: dict[str, Run]) -> None:
    found = between(runs, "base", "short")
    middle = row(found, "first_audible_ms: p50")
    assert (middle.verdict, middle.low, middle.detectable) == ("cannot tell", None, None)
    assert "too few" in render_text(found)
    assert json.loads(found.model_dump_json())["pairs"][0]["rows"][0]["low"] is None


def test_goodput_is_compared_only_where_there_are_objectives(runs: dict[str, Run]) -> None:
    assert sample(view_of(runs["base"]), parse_measure("goodput")).n == 0
    assert all(each.metric != "goodput" for each in between(runs, "base", "again").pairs[0].rows)


def test_rows_can_be_chosen_by_their_tags(runs: dict[str, Run]) -> None:
    found = between(runs, "base", "slower", asked=("first_audible_ms{accent=us}: p50", "wer"))
    chosen, words = found.pairs[0].rows
    expected = runs["base"].turns.query("accent == 'us' and not warmup")["first_audible_ms"].median()
    assert chosen.a == pytest.approx(expected)
    assert "accent us" in chosen.title
    assert words.measure == "wer"


@pytest.mark.parametrize("text", ["wer < 8%", "first_audible_ms", "first_audible_ms: max", "nothing: p50"])
def test_a_measure_that_cannot_be_compared_is_refused(text: str) -> None:
    with pytest.raises(BenchError) as caught:
        measures([text])
    assert text in caught.value.message


def test_a_run_is_not_compared_with_itself_or_a_copy(runs: dict[str, Run], tmp_path: Path) -> None:
    copied = Path(shutil.copytree(runs["base"].folder.root, tmp_path / "copy"))
    for twice in (runs["base"], read_run(copied)):
        with pytest.raises(BenchError, match="once more") as caught:
            compare([runs["base"], runs["again"], twice], measures(()), Matters())
        assert caught.value.exit_code == ExitCode.USAGE
    assert "as is" in caught.value.message


def test_calls_are_paired_only_where_the_plan_is_the_same(runs: dict[str, Run], tmp_path: Path) -> None:
    other = run_of(tmp_path / "seed", 1, calls=6, seed=99)
    assert same_plan(runs["base"].manifest, runs["again"].manifest)
    assert not same_plan(runs["base"].manifest, other.manifest)


def test_what_calls_of_one_number_have_in_common_cancels(tmp_path: Path) -> None:
    """Calls that say different things: the spread between them is no doubt about the difference."""

    def by_number(row: object, _: np.random.Generator) -> None:
        row.first_audible_ms += 400 * (row.session_index % 7)  # type: ignore[attr-defined]

    a, b, c = (
        run_of(tmp_path / name, seed, calls=40, change=by_number, seed=plan)
        for name, seed, plan in (("a", 1, 7), ("b", 2, 7), ("c", 2, 8))
    )
    asked = measures(["first_audible_ms: mean"])
    paired, apart = (compare([a, other], asked, Matters()).pairs[0].rows[0] for other in (b, c))
    assert (paired.detectable or 0) < 0.6 * (apart.detectable or 0)


def test_metrics_of_another_definition_are_not_compared(runs: dict[str, Run], tmp_path: Path) -> None:
    other = run_of(tmp_path / "other", 6, metric_versions={"ttft_ms": 2})
    found = compare([runs["base"], other], measures(), Matters())
    refused = next(each for each in found.pairs[0].rows if each.measure == "ttft_ms: p50")
    assert (refused.verdict, refused.value, refused.low) == ("not comparable", None, None)
    assert refused.a is not None
    assert next(each for each in found.pairs[0].rows if each.measure == "ttft_ms: p95").verdict == "not comparable"
    assert next(each for each in found.pairs[0].rows if each.measure == "first_audible_ms: p50").value is not None
    assert any("ttft_ms not compared" in said for said in found.warnings)
    with pytest.raises(BenchError, match="ttft_ms") as caught:
        compare([runs["base"], other], measures(["ttft_ms: p50"]), Matters(), named=True)
    assert "--recompute" in (caught.value.hint or "")


def test_what_is_intended_is_not_warned_of(runs: dict[str, Run]) -> None:
    both = [runs["base"], runs["slower"]]
    warned = compare(both, measures(), Matters()).warnings
    assert any("--allow model" in said for said in warned)
    assert any("--allow host" in said for said in warned)
    left = compare(both, measures(), Matters(), allow=["model"])
    assert not any("--allow model" in said for said in left.warnings)
    assert next(each for each in left.conditions if each.key == "model").allowed
    assert compare(both, measures(), Matters(), allow=["all"]).warnings == []
    with pytest.raises(BenchError, match="modell"):
        compare(both, measures(), Matters(), allow=["modell"])


def test_a_run_that_says_nothing_of_its_target_is_warned_of(runs: dict[str, Run], tmp_path: Path) -> None:
    other = run_of(tmp_path / "other", 6)
    other.manifest.verdict, other.manifest.reasons = "invalid", ["the generator was overloaded"]
    (said,) = compare([runs["base"], other], measures(), Matters()).warnings
    assert "run B is invalid" in said
    assert "overloaded" in said


def test_all_renderings_agree_and_need_nothing_else(runs: dict[str, Run], tmp_path: Path) -> None:
    found = between(runs, "base", "again", "slower")
    written = write_comparison(found, tmp_path / "out")
    assert [path.name for path in written] == ["compare.json", "compare.md", "compare.html"]
    page, markdown = written[2].read_text(), written[1].read_text()
    assert page == render_html(found)
    assert markdown == render_markdown(found)
    assert Comparison.model_validate_json(written[0].read_text()) == found
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "&lt;b&gt;" in page
    for needed in ("C against A", "First audible p50", "cannot tell", "worse"):
        assert needed in page
        assert needed in markdown
        assert needed in render_text(found)


def test_charts_have_a_row_for_each_interval(runs: dict[str, Run]) -> None:
    found = between(runs, "base", "slower")
    relative, shares = forests(found)
    known = [each for each in found.pairs[0].rows if each.low is not None]
    assert len(relative.rows) + len(shares.rows) == len(known)
    first = relative.rows[0]
    assert first.low < first.x < first.high
    assert relative.zero < first.x
    assert first.style == "worse"
    assert all(relative.left <= each.low <= each.high <= relative.right for each in relative.rows)


@pytest.mark.parametrize(
    ("a", "low", "high", "said"),
    [
        (900.0, math.inf, math.inf, "in B so many turns"),
        (900.0, -math.inf, math.inf, "in B so many turns"),
        (math.inf, 0.0, 0.0, "in both so many turns"),
    ],
)
def test_what_is_never_has_no_limits_and_is_said_in_words(a: float, low: float, high: float, said: str) -> None:
    never = MetricDifference(
        measure="first_audible_ms: p95", metric="first_audible_ms", title="first audible", fold="p95", unit="ms",
        a=a, b=math.inf, value=0.0 if a == math.inf else math.inf, low=low, high=high,
    )  # fmt: skip
    assert (limits(never), relative_limits(never)) == ("", "")
    assert said in row_sentence(never, "B", "A")
    assert change(never) == ("-" if a == math.inf else "+∞ ms")
