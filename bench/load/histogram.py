"""Counts of durations in narrow buckets: small, mergeable between workers, exact to one percent.

In: microseconds; out: percentiles in milliseconds. For the harness's own delays only, of which there are millions;
every percentile of a metric is computed from raw rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.store.certificate import Spread

_PER_E = 100
_BUCKETS = 2400


@dataclass(slots=True)
class Histogram:
    """Durations; bucket k holds those from `exp(k/100) - 1` us up to the next, so an error is at most 1 %."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BUCKETS, dtype=np.int64))
    most_us: int = 0

    def add(self, values_us: Iterable[int]) -> None:
        """Count durations in microseconds; negative ones count as 0."""
        values = np.maximum(np.fromiter(values_us, dtype=np.int64), 0)
        if not len(values):
            return
        places = np.minimum((np.log1p(values) * _PER_E).astype(np.int64), _BUCKETS - 1)
        self.counts += np.bincount(places, minlength=_BUCKETS)
        self.most_us = max(self.most_us, int(values.max()))

    def merge(self, other: Histogram) -> None:
        """Take in another worker's counts."""
        self.counts += other.counts
        self.most_us = max(self.most_us, other.most_us)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def percentile_ms(self, percent: float) -> float | None:
        """The upper edge of the bucket that holds the percentile (never above the maximum); None without samples."""
        total = self.n
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), percent / 100 * total))
        edge_us = float(np.expm1((place + 1) / _PER_E))
        return min(edge_us, float(self.most_us)) / 1000

    def share_over(self, bound_ms: float) -> float | None:
        """Share of samples above `bound_ms`; None without samples."""
        total = self.n
        if not total:
            return None
        first = int(np.log1p(bound_ms * 1000) * _PER_E) + 1
        return float(self.counts[first:].sum()) / total

    def spread(self) -> Spread:
        """Count, p50, p95, p99 and maximum."""
        return Spread(
            n=self.n,
            p50_ms=_rounded(self.percentile_ms(50)),
            p95_ms=_rounded(self.percentile_ms(95)),
            p99_ms=_rounded(self.percentile_ms(99)),
            max_ms=_rounded(self.most_us / 1000) if self.n else None,
        )

    def to_wire(self) -> dict[str, Any]:
        """Sparse form for a message."""
        places = np.flatnonzero(self.counts)
        return {"at": places.tolist(), "counts": self.counts[places].tolist(), "most_us": self.most_us}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Histogram:
        """The inverse of `to_wire`."""
        out = cls(most_us=int(data["most_us"]))
        out.counts[np.asarray(data["at"], dtype=np.int64)] = np.asarray(data["counts"], dtype=np.int64)
        return out


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
