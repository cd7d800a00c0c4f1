"""The collector: takes metrics and spans, over HTTP, by OpenTelemetry's own exporters.

In: what is to be sent. Out: nothing, or `UnsentError` with the cause in a few words. Trap: the exporters wait and try
again by themselves, for longer than the end of a run may last, and log headers that they cannot read. So a failure ends
them at once, what they log is not shown, and causes are told here without the value of any header.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from bench.config.hosts import is_loopback

MOST_WORDS = 200
PASSING = frozenset({429, 502, 503, 504})
"""Answers after which the same may be sent again, by the protocol."""
_SYSTEM = re.compile(r"\[Errno -?\d+\] ([^'\")]+)")


class UnsentError(Exception):
    """The collector did not take it; the text says why."""

    def __init__(self, cause: str, *, reached: bool, again: bool = True, lost: int | None = None) -> None:
        """`reached`: it answered. `again`: it may take the same later. `lost`: how much of it; None for all."""
        super().__init__(cause)
        self.reached, self.again, self.lost = reached, again, lost


class Collector:
    """One collector. Headers, certificates, compression and timeout are those of the environment."""

    def __init__(self, base: str | None) -> None:
        """`base`: to which the paths of both kinds are added; None: as the environment has it."""
        logger = logging.getLogger("opentelemetry")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        self._session = _Session()
        metrics, traces = (None if base is None else f"{base}/v1/{kind}" for kind in ("metrics", "traces"))
        self._metrics = OTLPMetricExporter(endpoint=metrics, session=self._session)
        self._traces = OTLPSpanExporter(endpoint=traces, session=self._session)

    def take_metrics(self, data: MetricsData) -> None:
        """Send all metrics. Raises `UnsentError`."""
        self._send(lambda: self._metrics.export(data) is MetricExportResult.SUCCESS)
        partly = ExportMetricsServiceResponse.FromString(self._session.body).partial_success
        _raise_for(partly.rejected_data_points, "points", partly.error_message)

    def take_spans(self, spans: Sequence[ReadableSpan]) -> None:
        """Send spans. Raises `UnsentError`."""
        self._send(lambda: self._traces.export(spans) is SpanExportResult.SUCCESS)
        partly = ExportTraceServiceResponse.FromString(self._session.body).partial_success
        _raise_for(partly.rejected_spans, "spans", partly.error_message)

    def close(self) -> None:
        """Close its connections."""
        self._metrics.shutdown()
        self._traces.shutdown()  # type: ignore[no-untyped-call]

    def _send(self, export: Callable[[], bool]) -> None:
        self._session.failure = None
        try:
            sent = export()
        except UnsentError:
            sent = False
        if not sent:
            raise self._session.failure or UnsentError("the exporter gave it up", reached=False)


class _Session(requests.Session):
    """Remembers the last answer, and why there was none."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: UnsentError | None = None
        self.body = b""

    def request(self, *words: Any, **options: Any) -> requests.Response:
        """One request: an answer that is no success is raised, which an exporter does not try again."""
        try:
            # Loopback is never reached through a proxy of the environment.
            self.trust_env = not is_loopback(urlsplit(str(options.get("url") or words[1])).hostname or "")
            answer = super().request(*words, **options)
            if answer.status_code >= 300:
                reason = "".join(char for char in answer.reason or "" if char.isprintable())
                said = f"HTTP {answer.status_code} {reason}".strip()[:MOST_WORDS]
                raise UnsentError(said, reached=True, again=answer.status_code in PASSING)
        except UnsentError as failure:
            self.failure = failure
            raise
        except Exception as error:
            self.failure = UnsentError(cause_of(error), reached=False)
            raise self.failure from None
        is_ours = "protobuf" in answer.headers.get("Content-Type", "")
        self.body = answer.content if is_ours else b""
        return answer


def cause_of(error: Exception) -> str:
    """Why nothing was sent, in words that hold nothing of the request."""
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.InvalidHeader | UnicodeError):
        return "a header of OTEL_EXPORTER_OTLP_HEADERS cannot be sent: it holds a character that HTTP does not allow"
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS connection was refused; a certificate of your own goes into OTEL_EXPORTER_OTLP_CERTIFICATE"
    told = _SYSTEM.search(str(error))
    if told is not None:
        return told[1].strip()
    if "NameResolution" in str(error):
        return "its name is not known"
    return type(error).__name__


def _raise_for(rejected: int, what: str, message: str) -> None:
    """Where the collector took a part alone."""
    if rejected:
        words = "".join(char for char in message if char.isprintable())[:MOST_WORDS]
        said = f"it rejected {rejected:,} {what}: {words or 'without a reason'}"
        raise UnsentError(said, reached=True, again=False, lost=rejected)
