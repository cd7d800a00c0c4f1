"""What Prometheus' own parser reads in the text of an export."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families

from bench.errors import BenchError
from bench.export.asked import Address
from bench.export.family import Family, Histogram, Series
from bench.export.feed import listen, url_of
from bench.export.http import serve
from bench.export.prometheus import Shelf, registry_of, text_of
from bench.export.stored import stored_series
from bench.export.textfile import write_textfile
from bench.report.summary import summarise
from tests.export.samples import samples
from tests.report import build

TIMES = Family("x_seconds", "histogram", "how long", "s", bounds=(0.5, 1.0))
COUNT = Family("x_calls", "counter", 'calls\nof "a"', "{call}", ("kind",))
SERIES = [
    Series(TIMES, {(("scenario", "s"),): Histogram([2, 1, 1], 4.5)}),
    Series(COUNT, {(("scenario", "s"), ("kind", 'a "b"\n\\c')): 3.0, (("scenario", "s"), ("kind", "d")): 0.0}),
    Series(Family("x_open", "gauge", "open", "1"), {}),
]


def test_a_histogram_is_cumulated_and_labels_are_escaped() -> None:
    families = list(text_string_to_metric_families(text_of(SERIES).decode()))
    assert [(family.name, family.type) for family in families] == [("x_seconds", "histogram"), ("x_calls", "counter")]
    times, calls = ([(each.name, each.labels, each.value) for each in family.samples] for family in families)
    assert times == [
        ("x_seconds_bucket", {"scenario": "s", "le": "0.5"}, 2.0),
        ("x_seconds_bucket", {"scenario": "s", "le": "1.0"}, 3.0),
        ("x_seconds_bucket", {"scenario": "s", "le": "+Inf"}, 4.0),
        ("x_seconds_count", {"scenario": "s"}, 4.0),
        ("x_seconds_sum", {"scenario": "s"}, 4.5),
    ]
    assert calls[0] == ("x_calls_total", {"scenario": "s", "kind": 'a "b"\n\\c'}, 3.0)


def test_a_file_for_node_exporter_is_the_report_in_numbers(tmp_path: Path) -> None:
    run = build.finished(tmp_path / "run", *build.rows(30))
    report = summarise(run)
    write_textfile(tmp_path / "a.prom", run, report)
    text = (tmp_path / "a.prom").read_text()
    found = samples(text)
    assert found.sum("voicebench_turns_total", counted="measured") == report.turns.measured
    assert found.sum("voicebench_exit_code") == report.verdict.exit_code
    assert found.one("voicebench_verdict_info")["verdict"] == report.verdict.name
    p50 = report.metric("first_audible_ms").percentiles[0].value  # type: ignore[union-attr]
    assert found.sum("voicebench_exact_seconds", metric="first_audible_ms", percentile="50") == pytest.approx(
        p50 / 1000
    )
    kept = {labels["threshold"]: value for labels, value in found.of("voicebench_threshold_kept")}
    assert kept == {each.threshold: float(each.ok) for each in report.thresholds if each.ok is not None}
    assert all(labels["scenario"] == "sample" for _, labels, _ in found)
    assert all(sample.timestamp is None for family in text_string_to_metric_families(text) for sample in family.samples)
    reserved = [
        (family.name, label)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for label in sample.labels
        if (label, family.type) not in {("le", "histogram"), ("quantile", "summary")} and label in {"le", "quantile"}
    ]
    assert reserved == [], "Prometheus keeps these labels for histograms and summaries"
    assert text_of(stored_series(run, report)).decode() == text, "two exports of a run are the same"
    assert "Your balance" not in text


def test_a_disk_that_does_not_take_it_is_a_sentence(tmp_path: Path) -> None:
    run = build.finished(tmp_path / "run", *build.rows(3))
    with pytest.raises(BenchError, match="cannot be written") as error:
        write_textfile(tmp_path / "gone" / "a.prom", run, summarise(run))
    assert "bench export" in str(error.value.hint)


def test_the_page_is_for_this_machine_alone() -> None:
    address = Address("127.0.0.1", 0)
    with listen(address) as listener:
        url = url_of(address, listener.getsockname()[1])
        shelf = Shelf()
        stop = serve(listener, registry_of(shelf), local=True)
        try:
            assert _get(url) == (200, "")
            shelf.show(SERIES)
            assert "x_seconds_count" in _get(url)[1]
            asked = "application/openmetrics-text; version=1.0.0"
            assert [each.name for each in open_families(_get(url, Accept=asked)[1])] == ["x_seconds", "x_calls"]
            assert _get(url, Host="rebound.example")[0] == 403
            assert _get(url.removesuffix("metrics"))[0] == 404
            assert _get(url, method="POST")[0] == 405
        finally:
            stop()
    with pytest.raises(urllib.error.URLError):
        _get(url)


def _get(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
