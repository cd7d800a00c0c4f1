"""Series as Prometheus reads them, by its own client library.

In: series. Out: its metric families; a registry of whatever is current; the text of a file. Trap: only what `show` was
given last is collected, from another thread, so it is replaced and never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bench.export.family import Histogram, Labels, Series


class Shelf(Collector):
    """What is collected now."""

    def __init__(self, series: Sequence[Series] = ()) -> None:
        self._series = series

    def show(self, series: Sequence[Series]) -> None:
        self._series = series

    def collect(self) -> Iterator[Metric]:
        return families(self._series)


def registry_of(shelf: Shelf) -> CollectorRegistry:
    """A registry of this shelf alone: nothing of the Python process is exported."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(shelf)
    return registry


def text_of(series: Sequence[Series]) -> bytes:
    """The text format of Prometheus, as a file of node_exporter's has it: without timestamps."""
    return generate_latest(registry_of(Shelf(series)))


def families(series: Iterable[Series]) -> Iterator[Metric]:
    """One family of the library for each series that has a value."""
    for each in series:
        if not each.values:
            continue
        family, names = each.family, [name for name, _ in next(iter(each.values))]
        if family.kind == "histogram":
            histogram = HistogramMetricFamily(family.name, family.help, labels=names)
            for labels, value in each.values.items():
                assert isinstance(value, Histogram)
                histogram.add_metric(_values(labels), _buckets(family.bounds, value), value.sum)
            yield histogram
            continue
        plain = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(
            family.name, family.help, labels=names
        )
        for labels, value in each.values.items():
            assert not isinstance(value, Histogram)
            plain.add_metric(_values(labels), value)
        yield plain


def _values(labels: Labels) -> list[str]:
    return [value for _, value in labels]


def _buckets(bounds: Sequence[float], value: Histogram) -> list[tuple[str, float]]:
    """Cumulated counts by upper bound."""
    found, count = [], 0
    for bound, more in zip((*bounds, float("inf")), value.counts, strict=True):
        count += more
        found.append((_text(bound), float(count)))
    return found


def _text(bound: float) -> str:
    """A bound as every client of Prometheus writes it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]
