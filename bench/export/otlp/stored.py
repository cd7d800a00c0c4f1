"""A stored run, sent to a collector.

In: a run and its summary. Out: how much was sent, or `BenchError`. Trap: metrics have the time at which the run ended,
and spans theirs; a backend that takes only what is new refuses an old run.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import BenchError, ExitCode
from bench.export.otlp.asked import Otlp, shown
from bench.export.otlp.collector import Collector, UnsentError
from bench.export.otlp.identity import resource_of, scope_of
from bench.export.otlp.metrics import metrics_of
from bench.export.otlp.sink import AT_ONCE, began_ns, sentence
from bench.export.otlp.tracing import Tracing
from bench.export.stored import stored_series
from bench.report.findings import Summary
from bench.store.reader import Run


@dataclass(frozen=True, slots=True)
class Sent:
    """How much a collector took."""

    where: str
    metrics: int
    spans: int


def send_run(asked: Otlp, run: Run, summary: Summary) -> Sent:
    """Send all of a run. Raises `BenchError` as soon as something is not taken."""
    manifest, where = run.manifest, shown(asked.base)
    resource, began = resource_of(manifest), began_ns(manifest)
    series = [each for each in stored_series(run, summary) if each.values]
    collector = Collector(asked.base)
    spans, kind = 0, "metrics"
    try:
        collector.take_metrics(
            metrics_of(series, resource, scope_of(manifest), began_ns=began, at_ns=max(began, _ended_ns(run)))
        )
        kind = "traces"
        for part in Tracing(manifest, resource, share=asked.traces, texts=asked.texts).spans(run):
            for start in range(0, len(part), AT_ONCE):
                collector.take_spans(part[start : start + AT_ONCE])
            spans += len(part)
    except UnsentError as error:
        what = f"{kind} to {where}" if error.reached else f"the collector {where}"
        raise BenchError(
            f"--otlp: {sentence(what, error)}",
            hint="is this the address of OTLP over HTTP, and does it want a header in OTEL_EXPORTER_OTLP_HEADERS?",
            exit_code=ExitCode.USAGE if error.reached else ExitCode.UNREACHABLE,
        ) from error
    finally:
        collector.close()
    return Sent(where, len(series), spans)


def _ended_ns(run: Run) -> int:
    """When it ended, or the end of its last row where it was killed."""
    if run.manifest.ended_at is not None:
        return round(run.manifest.ended_at.timestamp() * 1e9)
    ends = [frame["ended_at"].max() for frame in (run.turns, run.sessions) if frame["ended_at"].notna().any()]
    return round(max(ends) * 1e9) if ends else 0
