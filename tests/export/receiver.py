"""A collector of OpenTelemetry in this process: takes requests over HTTP and reads them with its own definitions."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

CLIENT, ERROR = Span.SPAN_KIND_CLIENT, 2


class Receiver:
    """What came in; it answers with `status`, and with `body`."""

    def __init__(self) -> None:
        self.url = ""
        self.status, self.body = 200, b""
        self.headers: list[dict[str, str]] = []
        self.metrics: list[dict[str, Metric]] = []
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.headers.append(headers)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if path == "/v1/metrics":
            for each in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resources.append(plain(each.resource.attributes))
                self.metrics.append({metric.name: metric for scope in each.scope_metrics for metric in scope.metrics})
        elif path == "/v1/traces":
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(plain(traced.resource.attributes))
                self.spans += [span for scope in traced.scope_spans for span in scope.spans]
        else:
            raise AssertionError(path)

    def named(self, start: str) -> list[Span]:
        return [span for span in self.spans if span.name.split(" ")[0] == start]

    def total(self, name: str, **labels: str) -> float:
        """The sum of a counter, or the count of a histogram, as it was told last."""
        metric = self.metrics[-1][name]
        if metric.HasField("histogram"):
            return sum(point.count for point in metric.histogram.data_points if has(point.attributes, labels))
        points = metric.sum.data_points if metric.HasField("sum") else metric.gauge.data_points
        return sum(point.as_double for point in points if has(point.attributes, labels))


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.status == 200:
                found.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(found.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()


def plain(attributes: Any) -> dict[str, Any]:
    return {each.key: value_of(each.value) for each in attributes}


def has(attributes: Any, labels: dict[str, str]) -> bool:
    return labels.items() <= plain(attributes).items()


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


__all__ = ["CLIENT", "ERROR", "KeyValue", "Receiver", "plain", "receiver"]
