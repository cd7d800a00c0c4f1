"""Every family that is exported."""

from __future__ import annotations

from bench.export import declared, now
from bench.export.declared import families_of
from bench.export.family import Family
from bench.measure.metrics import METRICS

KNOWN: dict[str, Family] = {
    family.name: family
    for family in (
        *(family for metric in METRICS.values() for family in families_of(metric)),
        *(declared.TURNS, declared.CALLS, *now.OF_MOMENT, *now.OF_END),
    )
}
"""By name."""
BY_SAMPLE: dict[str, Family] = {
    f"{family.sample_name}{tail}": family
    for family in KNOWN.values()
    for tail in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
}
"""By the names that Prometheus shows."""
