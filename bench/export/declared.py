"""Every declared metric as a family: its name, its kind and its buckets follow from the declaration.

In: `bench.measure.metrics.METRICS`. Out: `FAMILIES`. Trap: seconds, not milliseconds, as both worlds expect; and the
buckets of a histogram may not follow from its values, or two runs could not be added.
"""

from __future__ import annotations

from bench.export.family import Family
from bench.measure.metrics import METRICS, Metric

PREFIX = "voicebench_"

REPLY_S = (
    0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0,
    30.0,
)  # fmt: skip
CONNECT_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 15.0, 30.0)
SPEECH_S = (0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
GAP_S = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
OWN_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
TOKENS_PER_S = (5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0)
TIMES = (0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)
WORDS_PER_MIN = (60.0, 80.0, 100.0, 120.0, 140.0, 160.0, 180.0, 200.0, 220.0, 250.0, 300.0)

_LONG = {
    "duration_ms", "reply_heard_ms", "reply_audio_ms", "dead_air_ms", "longest_dead_air_ms", "response_done_ms",
    "barge_in_at_ms", "discarded_audio_ms", "truncated_ms",
}  # fmt: skip
_OF_UNIT = {
    "ms": ("_ms", "_seconds", "s"),
    "tokens/s": ("_per_s", "_per_second", "{token}/s"),
    "x": ("", "_ratio", "1"),
    "words/min": ("_per_min", "_per_minute", "{word}/min"),
}
"""The end of a metric's name, what takes its place, and the unit."""
SCALES = {"ms": 0.001}
"""From a column's unit to that of its family."""
BOUNDS_OF_UNIT = {"tokens/s": TOKENS_PER_S, "x": TIMES, "words/min": WORDS_PER_MIN}

TURNS = Family(
    f"{PREFIX}turns",
    "counter",
    "turns that ended, by what became of them and whether they count",
    "{turn}",
    ("phase", "counted", "status", "error_kind"),
)
CALLS = Family(
    f"{PREFIX}calls",
    "counter",
    "calls that ended, by what became of them and whether they count",
    "{call}",
    ("phase", "counted", "status", "error_kind"),
)
TOKENS = Family(f"{PREFIX}tokens", "counter", "billed tokens of all turns and calls, by meter", "{token}", ("meter",))
WORDS = Family(
    f"{PREFIX}words", "counter", "words of the callers' transcriptions, by how they compare", "{word}", ("outcome",)
)
COST = Family(f"{PREFIX}cost_usd", "counter", "cost of calls that ended, as far as it is known", "USD")
METERS = Family(f"{PREFIX}cost_meter_usd", "counter", "the parts of the cost, by meter", "USD", ("meter",))
TRANSCRIBED = Family(f"{PREFIX}transcribed_seconds", "counter", "audio billed for the transcription", "s")
STALLS = Family(f"{PREFIX}turn_stalls", "counter", METRICS["stalls"].definition, "{stall}")
CAPTION_COUNTS = {
    "caption_updates": Family(
        f"{PREFIX}turn_caption_updates", "counter", METRICS["caption_updates"].definition, "{message}"
    ),
    "caption_words_shown": Family(
        f"{PREFIX}turn_caption_words", "counter", METRICS["caption_words_shown"].definition, "{word}"
    ),
    "caption_changes": Family(
        f"{PREFIX}turn_caption_changes", "counter", METRICS["caption_changes"].definition, "{change}"
    ),
}
SPOKEN = {
    "transcription_seconds": TRANSCRIBED,
    "speech_characters": Family(
        f"{PREFIX}speech_characters", "counter", METRICS["speech_characters"].definition, "{character}"
    ),
    "speech_seconds": Family(f"{PREFIX}speech_seconds", "counter", METRICS["speech_seconds"].definition, "s"),
}
"""What speech services bill, besides tokens."""
ALONE = {"stalls": STALLS, **CAPTION_COUNTS, **SPOKEN}
"""Sums with a series of their own, which no label tells apart."""
POOLED_ERRORS = Family(
    f"{PREFIX}pooled_errors", "counter", "errors of a pooled rate; divide by pooled_units", "1", ("metric",)
)
POOLED_UNITS = Family(
    f"{PREFIX}pooled_units", "counter", "reference words or characters of a pooled rate", "1", ("metric",)
)
SHARE_EVENTS = Family(
    f"{PREFIX}share_events", "counter", "rows in which it happened; divide by share_cases", "1", ("share",)
)
SHARE_CASES = Family(f"{PREFIX}share_cases", "counter", "rows that a share is of", "1", ("share",))
PRICED_USD = Family(f"{PREFIX}priced_calls_usd", "counter", "cost of the calls behind priced_calls_seconds", "USD")
PRICED_S = Family(f"{PREFIX}priced_calls_seconds", "counter", "length of the calls that have a price", "s")


def _histogram(metric: Metric) -> Family:
    old, new, unit = _OF_UNIT[metric.unit]
    scope = "call" if metric.scope == "session" else "turn"
    return Family(
        f"{PREFIX}{scope}_{metric.name.removesuffix(old)}{new}",
        "histogram",
        metric.definition,
        unit,
        bounds=_bounds(metric),
    )


def _bounds(metric: Metric) -> tuple[float, ...]:
    if metric.unit != "ms":
        return BOUNDS_OF_UNIT[metric.unit]
    if metric.group == "harness":
        return OWN_S
    if metric.name in _LONG:
        return SPEECH_S
    if metric.group == "connect":
        return CONNECT_S
    return GAP_S if metric.group == "delivery" else REPLY_S


HISTOGRAMS: dict[str, Family] = {
    name: _histogram(metric) for name, metric in METRICS.items() if metric.aggregate == "percentile"
}
"""By the name of the metric."""
POOLED = tuple(name for name, metric in METRICS.items() if metric.aggregate == "pooled")
SHARES = tuple(name for name, metric in METRICS.items() if metric.aggregate == "rate")


def families_of(metric: Metric) -> tuple[Family, ...]:
    """The families that carry `metric`."""
    if metric.aggregate == "percentile":
        return (HISTOGRAMS[metric.name],)
    if metric.aggregate == "rate":
        return SHARE_EVENTS, SHARE_CASES
    if metric.aggregate == "pooled":
        return POOLED_ERRORS, POOLED_UNITS
    if metric.aggregate == "ratio":
        return PRICED_USD, PRICED_S
    if metric.name in ("cost_usd", "cost_partial_usd"):
        return (COST,)
    if metric.name in ALONE:
        return (ALONE[metric.name],)
    return {"tokens": (TOKENS,), "words": (WORDS,), "USD": (METERS,)}[metric.unit]


def meters(unit: str) -> list[str]:
    """The declared sums of this unit that stand in one family, by a label."""
    sums = [name for name, metric in METRICS.items() if metric.aggregate == "sum" and metric.unit == unit]
    return [name for name in sums if name not in ALONE]
