"""The sinks of a run: the page of `/metrics`, and a collector.

In: what the run asked for. Out: its sinks. Trap: the libraries of a sink are imported only where it was asked for.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.export.family import Series
from bench.export.sink import Sink
from bench.store.manifest import Manifest
from bench.store.reader import Run


class MetricsPage(Sink):
    """`/metrics`."""

    name = "prometheus"

    def __init__(self, listener: socket.socket, *, local: bool) -> None:
        from bench.export.http import serve
        from bench.export.prometheus import Shelf, registry_of

        self._shelf = Shelf()
        self._stop = serve(listener, registry_of(self._shelf), local=local)

    def show(self, manifest: Manifest, series: Sequence[Series], new: Run | None, *, last: bool) -> None:
        self._shelf.show(series)

    def close(self) -> None:
        self._stop()


def open_sinks(hello: Mapping[str, Any], listener: socket.socket | None, say: Callable[..., None]) -> list[Sink]:
    """The sinks that `hello` asks for; `say` tells the run a sentence."""
    found: list[Sink] = []
    if listener is not None:
        found.append(MetricsPage(listener, local=bool(hello["local"])))
    if hello["otlp"] is not None:
        from bench.export.otlp.asked import Otlp
        from bench.export.otlp.sink import OtlpSink

        found.append(OtlpSink(Otlp(**hello["otlp"]), say))
    return found
