"""What is exported, in no protocol's own words: families of series, each a value or a histogram with its labels.

`bench.export.prometheus` turns them into what its library sends; another exporter would say the
same. Trap: a series that has no value is left out. A zero is a measured zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order of the family."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its Prometheus name without the `_total` of a counter, and what it means."""

    name: str
    kind: Kind
    help: str
    unit: str
    """As UCUM has it: `s`, `1`, `{turn}`, `By`, `USD`."""
    labels: tuple[str, ...] = ()
    """Beside `scenario` and `target`."""
    bounds: tuple[float, ...] = ()
    """Upper bounds of the buckets of a histogram, without the last, which is infinite."""

    @property
    def sample_name(self) -> str:
        """As Prometheus shows it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


@dataclass(slots=True)
class Histogram:
    """Values in buckets: one count for each bound of the family and one for what is above the last."""

    counts: list[int]
    sum: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def add(self, other: Histogram) -> None:
        """Take in what `other` counted with the same bounds."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


Value = float | Histogram


@dataclass(slots=True)
class Series:
    """A family with its values."""

    family: Family
    values: dict[Labels, Value] = field(default_factory=dict)
