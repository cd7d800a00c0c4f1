"""What a collector reads in the export of a run, and what becomes of one that does not take it."""

from __future__ import annotations

import logging
import socket
from dataclasses import asdict, replace
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bench.errors import BenchError, ExitCode
from bench.export.family import Family, Series
from bench.export.otlp.asked import Otlp
from bench.export.otlp.collector import Collector, UnsentError, cause_of
from bench.export.otlp.identity import resource_of
from bench.export.otlp.metrics import unit_of
from bench.export.otlp.sink import OtlpSink
from bench.export.otlp.stored import send_run
from bench.export.prometheus import text_of
from bench.export.stored import stored_series
from bench.report.findings import Summary
from bench.report.summary import summarise
from bench.store.reader import Run
from tests.export.families import KNOWN
from tests.export.receiver import CLIENT, ERROR, plain, receiver
from tests.export.samples import samples
from tests.report import build

KEY = "Hidden1"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Summary]:
    turns, sessions = build.rows(12)
    for row in turns:
        row.speech_start_ms = 150.0
    run = build.finished(tmp_path_factory.mktemp("made") / "run", turns, sessions)
    return run, summarise(run)


@pytest.fixture
def unused() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_collector_reads_what_prometheus_reads(stored: tuple[Run, Summary]) -> None:
    run, summary = stored
    with receiver() as found:
        sent = send_run(Otlp(found.url), run, summary)
    (metrics,) = found.metrics
    assert sent.metrics == len(metrics)
    ended, began = run.manifest.ended_at, run.manifest.started_at
    assert ended is not None
    text = samples(text_of(stored_series(run, summary)).decode())
    for metric in metrics.values():
        kind = metric.WhichOneof("data")
        points = getattr(metric, kind).data_points
        for point in points:
            labels = plain(point.attributes)
            assert point.time_unix_nano == round(ended.timestamp() * 1e9)
            if kind == "histogram":
                assert text.sum(f"{metric.name}_count", **labels) == point.count == sum(point.bucket_counts)
                assert text.sum(f"{metric.name}_sum", **labels) == pytest.approx(point.sum)
                assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                assert not point.HasField("min")
            else:
                name = f"{metric.name}_total" if kind == "sum" else metric.name
                assert text.sum(name, **labels) == point.as_double
            if kind != "gauge":
                assert point.start_time_unix_nano == round(began.timestamp() * 1e9)
                assert getattr(metric, kind).aggregation_temporality == 2, "cumulative"
    assert found.total("voicebench_turns", counted="measured") == summary.turns.measured
    assert found.resources[0]["service.name"] == "realtime-voice-bench"


def test_each_call_is_one_trace(stored: tuple[Run, Summary]) -> None:
    run, summary = stored
    with receiver() as found:
        sent = send_run(Otlp(found.url), run, summary)
        again = len(found.spans)
        send_run(Otlp(found.url), run, summary)
    assert sent.spans == again
    assert {span.span_id for span in found.spans[:again]} == {span.span_id for span in found.spans[again:]}
    spans = {span.span_id: span for span in found.spans[:again]}
    assert len(spans) == again
    calls, turns = ([span for span in spans.values() if span.name.startswith(name)] for name in ("call", "turn"))
    assert len(calls) == len({span.trace_id for span in spans.values()}) == len(run.sessions)
    assert len(turns) == len(run.turns)
    for span in spans.values():
        if span.name.startswith("call"):
            assert not span.parent_span_id
            assert span.kind == CLIENT
        else:
            assert spans[span.parent_span_id].trace_id == span.trace_id
    assert (
        sum(span.status.code == ERROR for span in turns) == run.turns["status"].isin(["failed", "no_reply"]).sum() > 0
    )
    assert "Your balance" not in str(found.spans)


def test_spans_of_a_share_of_the_calls_and_texts_where_asked(stored: tuple[Run, Summary]) -> None:
    with receiver() as found:
        send_run(Otlp(found.url, 0.5, texts=True), *stored)
    assert 0 < len({span.trace_id for span in found.spans}) < len(stored[0].sessions)
    assert "Your balance" in str(found.named("realtime_inference"))
    with receiver() as found:
        assert send_run(Otlp(found.url, 0.0), *stored).spans == 0
    assert not found.spans


def test_the_environment_is_heard(monkeypatch: pytest.MonkeyPatch, stored: tuple[Run, Summary]) -> None:
    monkeypatch.setenv(HEADERS, f"x-key={KEY}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=mine,site=a")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        assert send_run(Otlp(None), *stored).where == found.url
    assert {each["x-key"] for each in found.headers} == {KEY}
    assert {each["content-encoding"] for each in found.headers} == {"gzip"}
    assert found.resources[0]["service.instance.id"] == "mine"
    assert found.resources[-1]["site"] == "a"
    assert found.spans


def test_a_stored_run_that_is_not_taken_is_a_sentence(unused: str, stored: tuple[Run, Summary]) -> None:
    with pytest.raises(BenchError, match=f"collector {unused} cannot be reached: Connection refused") as error:
        send_run(Otlp(unused), *stored)
    assert error.value.exit_code == ExitCode.UNREACHABLE
    with receiver() as found:
        found.status = 401
        with pytest.raises(BenchError, match=r"metrics to .* were not taken: HTTP 401 Unauthorized") as error:
            send_run(Otlp(found.url), *stored)
        assert error.value.exit_code == ExitCode.USAGE


def test_a_collector_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, stored: tuple[Run, Summary]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BenchError, match="cannot be reached: no answer in time"):
            send_run(Otlp(where), *stored)


def test_a_header_that_cannot_be_sent_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, stored: tuple[Run, Summary], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(HEADERS, f"x-key=%0a{KEY}%0ab")
    logging.getLogger("opentelemetry").propagate = True
    with receiver() as found, pytest.raises(BenchError, match="a header of OTEL_EXPORTER_OTLP_HEADERS") as error:
        send_run(Otlp(found.url), *stored)
    assert KEY not in f"{error.value.message}{error.value.hint}{caplog.text}"


def test_causes_hold_nothing_of_the_request() -> None:
    assert cause_of(OSError(f"authorization: {KEY}")) == "OSError"


class Said(list[str]):
    def __call__(self, **words: Any) -> None:
        self.append(words["note"])


def shown(run: Run, collector: str, say: Said, *, every_s: float = 60.0) -> OtlpSink:
    """A sink that was given all rows of a run."""
    sink = OtlpSink(Otlp(collector), say, every_s=every_s)
    sink.show(run.manifest, [Series(Family("x", "gauge", "", "1"), {(): 1.0})], run, last=False)
    return sink


def test_rows_are_sent_once_however_often_they_are_shown(stored: tuple[Run, Summary]) -> None:
    run, said = stored[0], Said()
    with receiver() as found:
        sink = shown(run, found.url, said)
        part = replace(run, turns=run.turns.iloc[:5], sessions=run.sessions.iloc[:1])
        for rows in (part, None, run):
            sink.show(run.manifest, [], rows, last=rows is run)
        sink.close()
    assert len(found.named("turn")) == len(run.turns)
    assert len(found.named("call")) == len(run.sessions)
    assert said == []


def test_a_collector_that_does_not_answer_is_named_once(unused: str, stored: tuple[Run, Summary]) -> None:
    said = Said()
    sink = shown(stored[0], unused, said, every_s=0.01)
    for _ in range(50):
        if said:
            break
        sink._thread.join(0.1)
    sink._thread.join(0.1)
    sink.close()
    assert said[0] == f"otlp: the collector {unused} cannot be reached: Connection refused; the run goes on"
    (end,) = said[1:]
    assert end.endswith(f"spans were not sent to {unused}")


def test_a_backend_of_metrics_alone_gets_them(stored: tuple[Run, Summary]) -> None:
    """Spans that are refused are given up, and not sent again and again."""
    said = Said()
    with receiver() as found:
        sink = shown(stored[0], found.url, said)
        sink._collector.take_spans = _refuse  # type: ignore[method-assign]
        sink.close()
        assert found.metrics
    assert said[0].startswith("otlp: traces to")
    assert "HTTP 404 Not Found" in said[0]
    assert "spans were not sent" in said[1]


def _refuse(_spans: object) -> None:
    raise UnsentError("HTTP 404 Not Found", reached=True, again=False)


def test_a_part_that_is_rejected_is_told(stored: tuple[Run, Summary]) -> None:
    with receiver() as found:
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans, answer.partial_success.error_message = 3, "too old"
        found.body = answer.SerializeToString()
        with pytest.raises(UnsentError, match="it rejected 3 spans: too old") as error:
            Collector(found.url).take_spans([])
    assert (error.value.again, error.value.lost) == (False, 3)


UNIT_WORDS = {"s": "seconds", "By": "bytes", "1": ""}
PER_WORDS = {"s": "per_second", "m": "per_minute"}


def name_in_prometheus(name: str, unit: str, kind: str) -> str:
    """What its receiver of OTLP makes of a metric: it appends the unit, unless the name has it as a word of its own."""
    words = [word for word in name.split("_") if word]
    parts = ["" if "{" in part else part for part in unit.split("/", 1)]
    tails = [UNIT_WORDS.get(parts[0], parts[0]), *(PER_WORDS.get(part, f"per_{part}") for part in parts[1:] if part)]
    words += [tail for tail in tails if tail and tail not in words]
    if kind == "counter":
        words = [*(word for word in words if word != "total"), "total"]
    if kind == "gauge" and unit == "1":
        words = [*(word for word in words if word != "ratio"), "ratio"]
    return "_".join(words)


@pytest.mark.parametrize("family", KNOWN.values(), ids=lambda family: family.name)
def test_a_backend_for_prometheus_arrives_at_the_names_of_the_page(family: Family) -> None:
    assert name_in_prometheus(family.name, unit_of(family), family.kind) == family.sample_name


def test_an_instance_is_a_machine_and_a_scenario_and_no_run(stored: tuple[Run, Summary]) -> None:
    manifest = stored[0].manifest
    told = resource_of(manifest).attributes
    assert told == resource_of(manifest.model_copy(update={"run_id": "another"})).attributes
    assert str(told["service.instance.id"]).endswith(f":{manifest.scenario_name}")
    assert manifest.run_id not in str(dict(told))


def test_what_a_process_is_told_is_what_was_asked() -> None:
    asked = Otlp("http://127.0.0.1:4318", 0.25, texts=True)
    assert Otlp(**asdict(asked)) == asked
