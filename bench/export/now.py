"""What a run is at this moment, and what it was found to be at its end: the part of an export that goes up and down.

In: what the run says of itself once a second (`bench.export.moment`), or its `Summary`. Out: series of gauges. Trap: a
run that ended has no open calls any more; a run without a verdict has none, and not a good one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.export import declared
from bench.export.declared import PREFIX
from bench.export.family import Family, Labels, Series
from bench.measure.metrics import METRICS
from bench.report.findings import MetricRow, Summary
from bench.store.manifest import Manifest


def _gauge(name: str, text: str, unit: str = "1", *labels: str) -> Family:
    return Family(f"{PREFIX}{name}", "gauge", text, unit, labels)


RUN = _gauge("run_info", "which run this is; always 1", "1", "run_id", "version", "seed")
TARGET = _gauge("target_info", "what a target is; always 1", "1", "provider", "model", "dialect")
PHASE = _gauge("phase_info", "the phase of a run under way; always 1", "1", "phase")
OPEN = _gauge("calls_open", "calls that are open", "{call}")
TALKING = _gauge("callers_talking", "callers who are speaking", "{caller}")
BEGUN = Family(f"{PREFIX}calls_begun", "counter", "calls that were begun", "{call}")
DROPPED = Family(f"{PREFIX}calls_dropped", "counter", "open arrivals that found the cap reached", "{call}")
ELAPSED = _gauge("elapsed_seconds", "time since the first call was due", "s")
DONE = _gauge("done_ratio", "share of the run that is over, where that can be told")
SPEND = _gauge("spend_usd", "what is spent against the budget: known, estimated, or in flight", "USD", "kind")
LIMIT = _gauge("budget_used_ratio", "used share of a limit of the budget", "1", "limit")
WORKER_CALLS = _gauge("worker_calls_open", "calls that a worker has open", "{call}", "worker")
WORKER_CPU = _gauge("worker_cpu_ratio", "share of a core that a worker uses", "1", "worker")
WORKER_MEMORY = _gauge("worker_memory_bytes", "memory of a worker", "By", "worker")
WORKER_LOST = _gauge("worker_lost", "1 for a worker that was lost, else 0", "1", "worker")

VERDICT = _gauge("verdict_info", "the verdict of a run that ended; always 1", "1", "verdict")
EXIT_CODE = _gauge("exit_code", "the exit code that goes with the verdict")
ENDED = _gauge("end_timestamp_seconds", "when the run ended, Unix time", "s")
THRESHOLD = _gauge(
    "threshold_kept", "1 for a threshold that was kept, 0 for one that was not; absent without data", "1", "threshold"
)
SECONDS = _gauge("exact_seconds", "an exact percentile of a latency, as the report has it", "s", "metric", "percentile")
RATES = _gauge(
    "exact_value", "an exact percentile of another metric, as the report has it", "1", "metric", "percentile"
)

OF_MOMENT = (
    RUN, TARGET, PHASE, OPEN, TALKING, BEGUN, DROPPED, ELAPSED, DONE, SPEND, LIMIT, WORKER_CALLS, WORKER_CPU,
    WORKER_MEMORY, WORKER_LOST,
)  # fmt: skip
OF_END = (VERDICT, EXIT_CODE, ENDED, THRESHOLD, SECONDS, RATES)


def run_series(manifest: Manifest) -> list[Series]:
    """Which run it is, and what it calls."""
    scenario = ("scenario", manifest.scenario_name)
    run = (scenario, ("run_id", manifest.run_id), ("version", manifest.bench_version), ("seed", str(manifest.seed)))
    targets: dict[Labels, float] = {
        (
            scenario,
            ("target", each.name or "-"),
            ("provider", each.provider or ""),
            ("model", each.model or ""),
            ("dialect", each.dialect or ""),
        ): 1.0
        for each in manifest.targets or [manifest.target]
    }
    return [Series(RUN, {run: 1.0}), Series(TARGET, dict(targets))]


def moment_series(manifest: Manifest, moment: Mapping[str, Any]) -> list[Series]:
    """A run under way; `moment` is what it says of itself."""
    scenario: Labels = (("scenario", manifest.scenario_name),)
    found = [
        _one(PHASE, (*scenario, ("phase", moment["phase"])), 1.0),
        _one(OPEN, scenario, moment["open"]),
        _one(TALKING, scenario, moment["talking"]),
        _one(BEGUN, scenario, moment["begun"]),
        _one(DROPPED, scenario, moment["dropped"]),
        _one(ELAPSED, scenario, moment["elapsed_s"]),
        _one(DONE, scenario, moment["done"]),
        _many(SPEND, scenario, (moment["spend"] or {}).items()),
        _many(LIMIT, scenario, moment["limits"].items()),
    ]
    workers = moment["workers"]
    for family, name in ((WORKER_CALLS, "open"), (WORKER_CPU, "cpu"), (WORKER_MEMORY, "memory"), (WORKER_LOST, "lost")):
        found.append(_many(family, scenario, ((each["name"], each[name]) for each in workers)))
    return found


def end_series(summary: Summary) -> list[Series]:
    """A run that was reported: verdict, thresholds, exact percentiles."""
    manifest = summary.run
    scenario: Labels = (("scenario", manifest.scenario_name),)
    kept = [(each.threshold, None if each.ok is None else float(each.ok)) for each in summary.thresholds]
    ended = manifest.ended_at
    return [
        _one(VERDICT, (*scenario, ("verdict", summary.verdict.name)), 1.0),
        _one(EXIT_CODE, scenario, summary.verdict.exit_code),
        _one(ENDED, scenario, ended.timestamp() if ended is not None else None),
        _many(THRESHOLD, scenario, kept),
        _percentiles(SECONDS, scenario, [row for row in summary.metrics if row.unit == "ms"]),
        _percentiles(RATES, scenario, [row for row in summary.metrics if row.unit != "ms"]),
    ]


def _percentiles(family: Family, scenario: Labels, rows: Iterable[MetricRow]) -> Series:
    found = Series(family)
    for row in rows:
        scale = declared.SCALES.get(METRICS[row.name].unit, 1.0)
        for each in row.percentiles:
            if each.value is not None:
                labels = (*scenario, ("metric", row.name), ("percentile", f"{each.percent:g}"))
                found.values[labels] = each.value * scale
    return found


def _one(family: Family, labels: Labels, value: float | None) -> Series:
    return Series(family, {} if value is None else {labels: float(value)})


def _many(family: Family, scenario: Labels, values: Iterable[tuple[str, float | None]]) -> Series:
    (name,) = family.labels
    return Series(family, {(*scenario, (name, key)): float(value) for key, value in values if value is not None})
