"""Sends a run to a collector while it goes on, from a thread of the exporter's process.

In: all series as they are now, and the rows that are new. Out: requests to the collector, every few seconds. Trap: a
collector that does not answer must cost nothing: it is named once, and what waits for it is bounded.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan

from bench.export.family import Series
from bench.export.otlp.asked import Otlp, shown
from bench.export.otlp.collector import Collector, UnsentError
from bench.export.otlp.identity import resource_of, scope_of
from bench.export.otlp.metrics import metrics_of
from bench.export.otlp.tracing import Tracing
from bench.export.sink import Sink
from bench.store.manifest import Manifest
from bench.store.reader import Run

EVERY_S = 5.0
AT_ONCE = 500
MOST_WAITING = 50_000
"""Spans that wait for the collector; further ones are dropped."""
CLOSE_S = 5.0
CLOSE_FAILING_S = 1.0


class OtlpSink(Sink):
    """One collector."""

    name = "otlp"

    def __init__(self, asked: Otlp, say: Callable[..., None], *, every_s: float = EVERY_S) -> None:
        self._asked, self._say, self._every_s = asked, say, every_s
        self._where = shown(asked.base)
        self._collector = Collector(asked.base)
        self._tracing: Tracing | None = None
        self._metrics: MetricsData | None = None
        self._waiting: deque[ReadableSpan] = deque()
        self._dropped = 0
        self._failing = False
        self._said: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def show(self, manifest: Manifest, series: Sequence[Series], new: Run | None, *, last: bool) -> None:
        resource = resource_of(manifest)
        if self._tracing is None:
            self._tracing = Tracing(manifest, resource, share=self._asked.traces, texts=self._asked.texts)
        for part in self._tracing.spans(new) if new is not None else ():
            room = max(0, MOST_WAITING - len(self._waiting))
            self._waiting.extend(part[:room])
            self._dropped += len(part[room:])
        self._metrics = metrics_of(
            series, resource, scope_of(manifest), began_ns=began_ns(manifest), at_ns=time.time_ns()
        )

    def close(self) -> None:
        self._closing.set()
        self._thread.join(CLOSE_FAILING_S if self._failing else CLOSE_S)
        unsent = len(self._waiting) + self._dropped
        if unsent:
            self._say(note=f"otlp: {unsent:,} spans were not sent to {self._where}")
        if self._metrics is not None and not unsent:
            self._say(note=f"otlp: the last metrics were not sent to {self._where}")
        if not self._thread.is_alive():
            self._collector.close()

    def _serve(self) -> None:
        while not self._closing.wait(self._every_s):
            self._send()
        self._send()

    def _send(self) -> None:
        self._failing = not (self._try("metrics", self._send_metrics) and self._try("traces", self._send_spans))

    def _send_metrics(self) -> None:
        metrics = self._metrics
        if metrics is not None:
            self._collector.take_metrics(metrics)
            if self._metrics is metrics:
                self._metrics = None

    def _send_spans(self) -> None:
        while self._waiting:
            part = list(islice(self._waiting, AT_ONCE))
            try:
                self._collector.take_spans(part)
            except UnsentError as error:
                if not error.again:
                    self._dropped += len(part) if error.lost is None else error.lost
                    self._forget(part)
                raise
            self._forget(part)

    def _forget(self, part: Sequence[ReadableSpan]) -> None:
        for _ in part:
            self._waiting.popleft()

    def _try(self, kind: str, act: Callable[[], None]) -> bool:
        """Whether the collector could be reached; what it does not take is named once."""
        try:
            act()
        except UnsentError as error:
            what = f"{kind} to {self._where}" if error.reached else f"the collector {self._where}"
            if what not in self._said:
                self._said.add(what)
                self._say(note=f"otlp: {sentence(what, error)}; the run goes on")
            return error.reached
        return True


def sentence(what: str, error: UnsentError) -> str:
    """What became of it, for a reader."""
    return f"{what} were not taken: {error}" if error.reached else f"{what} cannot be reached: {error}"


def began_ns(manifest: Manifest) -> int:
    """Since when the sums of a run count, Unix time."""
    return round((manifest.calls_began_at or manifest.started_at).timestamp() * 1e9)
