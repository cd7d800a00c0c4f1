"""What `--otlp` and its companions ask for, checked before the run begins.

In: words of the command line, and the variables that OpenTelemetry's users know. Out: `Otlp`. Trap: the command is
stored with the run, so a key may stand in a variable alone; and no message shows the value of one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.store.redact import safe_url

GRPC_PORT = 4317
ENV = "env"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
OF_KIND = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
SPOKEN = "http/protobuf"
EXAMPLE = "such as --otlp http://127.0.0.1:4318"


@dataclass(frozen=True, slots=True)
class Otlp:
    """A collector, and what it is sent."""

    base: str | None
    """To which `/v1/metrics` and `/v1/traces` are added; None: the variables say where."""
    traces: float = 1.0
    """The share of calls that have spans."""
    texts: bool = False
    """Spans hold what was said."""


def otlp_of(where: str, traces: str | None, *, texts: bool, variables: Mapping[str, str] = os.environ) -> Otlp:
    """What the options ask for. Raises `BenchError` for what cannot be done."""
    for name in HEADERS:
        _check_headers(name, variables.get(name, ""))
    base = None if where == ENV else _base_of(where)
    if base is None:
        _check_variables(variables)
    return Otlp(base, share_of(traces), texts)


def shown(base: str | None, variables: Mapping[str, str] = os.environ) -> str:
    """The collector as a reader is told of it."""
    where = base or variables.get(ENDPOINT) or variables.get(OF_KIND[0], "")
    return safe_url(where)


def share_of(text: str | None) -> float:
    """`--otlp-traces` as a share."""
    if text is None:
        return 1.0
    number, percent, rest = text.strip().partition("%")
    try:
        value = float(number) / 100
    except ValueError:
        value = -1.0
    if not percent or rest or not 0 <= value <= 1:
        raise BenchError(
            f"--otlp-traces '{text}': allowed: the share of calls with spans, from 0% to 100%", hint="such as 10%"
        )
    return value


def _base_of(text: str) -> str:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise BenchError(f"--otlp '{_shown(text)}': this is no address", hint=EXAMPLE) from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise BenchError(
            f"--otlp '{_shown(text)}': allowed: the http:// or https:// address of a collector, or {ENV}, "
            f"which takes {ENDPOINT}",
            hint=EXAMPLE,
        )
    if url.username or url.password or url.query or url.fragment:
        raise BenchError(
            "--otlp: the address may hold no user, password or query, since it is stored with the command",
            hint=f"put a key into the environment: {HEADERS[0]}='authorization=Bearer%20...'",
        )
    if port == GRPC_PORT:
        raise BenchError(
            f"--otlp '{text}': port {GRPC_PORT} is that of OTLP over gRPC, and this exporter speaks HTTP",
            hint="a collector serves OTLP over HTTP on port 4318 unless it is told otherwise",
        )
    return text.rstrip("/")


def _check_variables(variables: Mapping[str, str]) -> None:
    if not variables.get(ENDPOINT) and not all(variables.get(name) for name in OF_KIND):
        raise BenchError(f"--otlp {ENV}: {ENDPOINT} is not set", hint=f"set it, or name the address: {EXAMPLE[8:]}")
    protocol = variables.get(PROTOCOL) or SPOKEN
    if protocol != SPOKEN:
        raise BenchError(
            f"--otlp {ENV}: {PROTOCOL} is '{protocol}', and this exporter speaks {SPOKEN} alone",
            hint="name the HTTP address of the collector: " + EXAMPLE[8:],
        )


def _check_headers(name: str, value: str) -> None:
    for place, part in enumerate(filter(None, value.split(",")), start=1):
        key, equals, _ = part.partition("=")
        if not equals or not key.strip():
            raise BenchError(
                f"{name}: entry {place} is not NAME=VALUE",
                hint="entries are separated by commas; within a value write a comma as %2C and a blank as %20",
            )


def _shown(text: str) -> str:
    """`text` without what may be a password."""
    return text if "@" not in text else f"...@{text.rpartition('@')[2]}"
