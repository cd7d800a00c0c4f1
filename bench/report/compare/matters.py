"""Which differences matter: the smallest that a user wants to know of, by metric.

In: words such as `10%`, `first_audible_ms=50ms`, `error_rate=0.5%`. Out: a `Matters`, which says it for each value.
Trap: of a share, per cent are percentage points: from 1 % to 2 % of errors is one point, though it is twice as much.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.config.block import nearest
from bench.errors import BenchError
from bench.measure.metrics import METRICS, Metric
from bench.scenario.threshold_grammar import ALIASES, parse_value

SHARE = 0.05
"""Of the value of the first run, for latencies, speeds and money."""
LEAST_MS = 10.0
"""For a time: less is beyond what anybody hears, and 5 % of a wait of 20 ms is nothing."""
POINTS = 0.01
"""For shares, word error rates included."""
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_HINT = "such as --matters 10% for all, or --matters first_audible_ms=50ms"


@dataclass(frozen=True, slots=True)
class Matters:
    """The smallest difference that matters, relative for all metrics, and for some by name."""

    share: float = SHARE
    least_ms: float = LEAST_MS
    absolute: dict[str, float] = field(default_factory=dict)
    relative: dict[str, float] = field(default_factory=dict)

    def of(self, metric: Metric, value: float | None) -> float | None:
        """The smallest difference from `value` that matters; None where it depends on a value that is not known."""
        if metric.name in self.absolute:
            return self.absolute[metric.name]
        if metric.unit == "share":
            return POINTS
        if value is None or math.isinf(value):
            return None
        if metric.name in self.relative:
            return self.relative[metric.name] * abs(value)
        return max(self.share * abs(value), self.least_ms if metric.unit == "ms" else 0.0)

    @property
    def sentence(self) -> str:
        """What holds for metrics that have no rule of their own."""
        said = (
            f"A difference matters from {100 * self.share:g} % of A (of a time at least {self.least_ms:g} ms), "
            f"of a share from {100 * POINTS:g} percentage point"
        )
        own = sorted({*self.absolute, *self.relative})
        return f"{said}; set apart: {', '.join(own)}." if own else f"{said}."


def parse_matters(texts: Sequence[str]) -> Matters:
    """What `texts` say, over the defaults. Raises `BenchError`."""
    share, least_ms = SHARE, LEAST_MS
    absolute: dict[str, float] = {}
    relative: dict[str, float] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        percent = _PERCENT.fullmatch(value if sign else name)
        if not sign:
            if percent is None:
                raise BenchError(f"--matters '{text}': allowed: a percentage, or METRIC=VALUE", hint=_HINT)
            share, least_ms = float(percent[1]) / 100, 0.0
            continue
        known = ALIASES.get(name, name)
        if known not in METRICS:
            raise BenchError(f"--matters '{text}': unknown metric '{name}'{nearest(name, METRICS)}", hint=_HINT)
        metric = METRICS[known]
        if percent is not None and metric.unit != "share":
            relative[known] = float(percent[1]) / 100
            continue
        try:
            absolute[known] = parse_value(value, metric)
        except ValueError as error:
            raise BenchError(f"--matters '{text}': {error}", hint=_HINT) from error
    return Matters(share, least_ms, absolute, relative)
