"""Series as the metrics of OpenTelemetry's SDK.

In: series, and from when to when they count. Out: `MetricsData`, which its exporter sends. Trap: a backend for
Prometheus makes names of its own from name, kind and unit; names and units are such that it arrives at those of
`/metrics`, so that one dashboard shows both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from bench.export.family import Family, Histogram, Labels, Series, Value

UNITS: Mapping[str, str] = {
    "USD": "{USD}",
    "{token}/s": "{tokens_per_second}",
    "{word}/min": "{words_per_minute}",
}
"""Units that a backend for Prometheus would else append to a name that tells them already."""


def metrics_of(
    series: Sequence[Series], resource: Resource, scope: InstrumentationScope, *, began_ns: int, at_ns: int
) -> MetricsData:
    """All series that have a value: sums since `began_ns`, as they were at `at_ns` (Unix time)."""
    metrics = [_metric(each, began_ns, at_ns) for each in series if each.values]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def unit_of(family: Family) -> str:
    """A gauge of the unit `1` would be called a ratio, so only a ratio has it."""
    if family.unit == "1":
        return "1" if family.name.endswith("_ratio") else ""
    return UNITS.get(family.unit, family.unit)


def _metric(series: Series, began_ns: int, at_ns: int) -> Metric:
    family = series.family
    data: Gauge | Sum | HistogramData
    if family.kind == "histogram":
        data = HistogramData(
            [_buckets(family, labels, value, began_ns, at_ns) for labels, value in series.values.items()],
            AggregationTemporality.CUMULATIVE,
        )
    else:
        points = [
            NumberDataPoint(dict(labels), began_ns, at_ns, _number(value)) for labels, value in series.values.items()
        ]
        data = Sum(points, AggregationTemporality.CUMULATIVE, True) if family.kind == "counter" else Gauge(points)
    return Metric(family.name, family.help, unit_of(family), data)


def _buckets(family: Family, labels: Labels, value: Value, began_ns: int, at_ns: int) -> HistogramDataPoint:
    assert isinstance(value, Histogram)
    # The format lets the extremes be left out, which are not counted; the SDK's type does not.
    unknown = cast(Any, None)
    return HistogramDataPoint(
        attributes=dict(labels),
        start_time_unix_nano=began_ns,
        time_unix_nano=at_ns,
        count=value.count,
        sum=value.sum,
        bucket_counts=value.counts,
        explicit_bounds=family.bounds,
        min=unknown,
        max=unknown,
    )


def _number(value: Value) -> float:
    assert not isinstance(value, Histogram)
    return float(value)
