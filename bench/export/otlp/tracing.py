"""Rows of a run as finished spans of OpenTelemetry's SDK.

In: the rows that are new. Out: spans, ready to be sent; a row that was seen before gives none. Trap: the SDK numbers
its spans itself and takes what the environment says of sampling, so numbers and samples are set here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Status, StatusCode, set_span_in_context

from bench.export.otlp.attributes import servers
from bench.export.otlp.identity import NAME, is_sampled, span_of, trace_of
from bench.export.otlp.spans import Artist, Drawn
from bench.store.manifest import Manifest
from bench.store.reader import Run

AT_ONCE = 1000
"""Rows that are made to spans at once, of however many."""
LIMITS = SpanLimits(
    max_attributes=300, max_events=64, max_links=0, max_event_attributes=0, max_link_attributes=0,
    max_span_attributes=300, max_attribute_length=8000, max_span_attribute_length=8000,
)  # fmt: skip
"""Of our own, and not those of the environment."""


class Tracing:
    """The spans of one run."""

    def __init__(self, manifest: Manifest, resource: Resource, *, share: float, texts: bool) -> None:
        """`share` of the calls have spans; `texts`: these hold what was said."""
        self._share = share
        self._artist = Artist(servers(manifest), texts)
        self._ids, self._ended = _Ids(), _Ended()
        provider = TracerProvider(
            ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=self._ids, span_limits=LIMITS
        )
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer(NAME, manifest.bench_version)
        self._seen: set[int] = set()

    def spans(self, new: Run) -> Iterator[list[ReadableSpan]]:
        """Spans of the rows that were not seen before, some at a time."""
        for frame, key in ((new.turns, "turn"), (new.sessions, "call")):
            for start in range(0, len(frame), AT_ONCE):
                for row in _rows(self._unseen(frame.iloc[start : start + AT_ONCE], key)):
                    for drawn in self._artist.turn(row) if key == "turn" else self._artist.call(row):
                        self._draw(drawn)
                yield self._ended.taken()

    def _unseen(self, frame: pd.DataFrame, key: str) -> pd.DataFrame:
        names = ["run_id", "session_id", *(["turn"] if key == "turn" else [])]
        wanted = []
        for run_id, session_id, *turn in frame[names].itertuples(index=False):
            trace = trace_of(run_id, session_id)
            number = span_of(trace, key, *map(str, turn)).span_id
            wanted.append(is_sampled(trace, self._share) and number not in self._seen)
            if wanted[-1]:
                self._seen.add(number)
        return frame[wanted]

    def _draw(self, drawn: Drawn) -> None:
        self._ids.trace_id, self._ids.span_id = drawn.context.trace_id, drawn.context.span_id
        # An empty context is no parent; without one, the SDK would take the current span of this thread.
        empty = Context()
        context = empty if drawn.parent is None else set_span_in_context(NonRecordingSpan(drawn.parent), empty)
        attributes = dict(drawn.attributes)
        if drawn.error is not None:
            attributes["error.type"] = drawn.error
        span = self._tracer.start_span(drawn.name, context, drawn.kind, attributes, start_time=drawn.start_ns)
        for name, at_ns in drawn.events:
            span.add_event(name, timestamp=at_ns)
        if drawn.error is not None:
            span.set_status(Status(StatusCode.ERROR, drawn.message))
        span.end(drawn.end_ns)


class _Ids(IdGenerator):
    """The numbers that the next span was given."""

    trace_id = span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Ended(SpanProcessor):
    """Spans that ended and were not taken yet."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def taken(self) -> list[ReadableSpan]:
        found, self._spans = self._spans, []
        return found


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Each row without its nulls, in values of Python."""
    if len(frame):
        for row in frame.astype(object).to_dict("records"):
            yield {str(name): value for name, value in row.items() if not pd.isna(value)}
