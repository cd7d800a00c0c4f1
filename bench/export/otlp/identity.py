"""Who reports, and which trace and span a row is.

In: a run and its calls. Out: the resource of everything that is sent, and numbers of traces and spans. Trap: numbers
follow from the names of run, call and turn, so a run that is exported again is the same traces and not new ones.
"""

from __future__ import annotations

import hashlib
import socket

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from bench.store.manifest import Manifest

NAME = "realtime-voice-bench"


def resource_of(manifest: Manifest) -> Resource:
    """This machine and scenario. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go before it.

    The run is not named here: each would make series of its own.
    """
    ours = Resource(
        {
            "service.name": NAME,
            "service.version": manifest.bench_version,
            "service.instance.id": f"{socket.gethostname()}:{manifest.scenario_name}",
        }
    )
    return ours.merge(OTELResourceDetector().detect())


def scope_of(manifest: Manifest) -> InstrumentationScope:
    """What made the measurements."""
    return InstrumentationScope(NAME, manifest.bench_version)


def trace_of(run_id: str, session_id: str) -> int:
    """The trace of a call: one call, one trace."""
    return _number(16, run_id, session_id)


def span_of(trace_id: int, *names: str) -> SpanContext:
    """A span of a trace by what it is, such as `("turn", "3")`."""
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(trace_id, _number(8, f"{trace_id:032x}", *names), is_remote=False, trace_flags=flags)


def is_sampled(trace_id: int, share: float) -> bool:
    """Whether this trace is among the share that is sent: the same ones each time."""
    return (trace_id & (1 << 56) - 1) < share * (1 << 56)


def _number(size: int, *names: str) -> int:
    """Never 0, which is no number of a span."""
    digest = hashlib.blake2b("\0".join(names).encode(), digest_size=size).digest()
    return int.from_bytes(digest) or 1
