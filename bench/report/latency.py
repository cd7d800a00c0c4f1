"""The percentile table: one row per metric that the run has any value of.

In: a `View` and the metric declarations of `bench.measure.metrics`. Out: `MetricRow`s, rates and shares.
Trap: for a latency, a turn that nobody answered is +infinity, not absent, or a server that drops its slow turns
would look fast; for tokens per second the bad tail is the low one, so p95 gives way to p5.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bench.measure.metrics import METRICS, Metric
from bench.report.model import Group, Interval, LatencyCut, LatencyCuts, MetricRow, Percentile, Rate
from bench.report.stats import Codes, Estimate, Floats, Percentiles, percentiles, wilson
from bench.report.view import Mask, View, codes_of, equals, floats

HIGH_TAIL: Final = (50.0, 90.0, 95.0, 99.0)
LOW_TAIL: Final = (50.0, 10.0, 5.0, 1.0)

# Order of the report; what METRICS declares and this does not place comes last, under "other".
GROUPS: dict[Group, tuple[str, ...]] = {
    "latency": (
        "first_audible_ms",
        "first_audio_ms",
        "ttft_ms",
        "endpoint_ms",
        "commit_to_first_audio_ms",
        "response_created_ms",
        "response_done_ms",
        "leading_silence_ms",
        "barge_in_stop_ms",
        "tool_ms",
        "tool_resume_ms",
        "reply_heard_ms",
        "transcription_ms",
    ),
    "connect": (
        "connect_ms",
        "session_ready_ms",
        "dns_ms",
        "tcp_ms",
        "tls_ms",
        "upgrade_ms",
        "duration_ms",
    ),
    "delivery": ("stalls", "stall_ms", "longest_stall_ms", "underrun_ms", "reply_audio_ms"),
    "rates": ("text_tokens_per_s", "audio_tokens_per_s", "audio_rtf"),
    "harness": ("decisive_late_ms", "send_late_ms", "recv_lag_ms", "start_late_ms"),
}

# A turn without an answer has no end of these waits: it counts as +infinity beside the plain percentile.
WAITS = frozenset(
    {"first_audible_ms", "first_audio_ms", "ttft_ms", "commit_to_first_audio_ms", "response_done_ms", "reply_heard_ms"}
)
CALL_WAITS = frozenset({"connect_ms", "session_ready_ms"})
# Shown even when no value counts: that nobody answered, or that every turn was sent late, is the finding.
ALWAYS_SHOWN = frozenset({"first_audible_ms", "first_audio_ms", "ttft_ms", "connect_ms", "session_ready_ms"})
# Pooled or summed in sections of their own; a percentile of them would be another number under the same name.
ELSEWHERE = frozenset({"wer_raw"})
# Declared as sums or pooled rates, and worth a distribution as well.
ALSO_SPREAD = ("stalls",)
# Statuses that are errors; an early reply and an interrupted one are not, and have no answer either.
ERRORS = ("failed", "no_reply", "cancelled", "incomplete")
CUTS = ("accent", "voice", "language", "condition")
MOST_CUT_ROWS = 20
CONTINUITY_MS = (50, 100, 200)


def metric_rows(view: View) -> list[MetricRow]:
    """A row for each declared metric that has a value, or should have had one and nobody answered."""
    rows = []
    for group, metric in _placed():
        row = _row(view, group, metric)
        if row is not None:
            rows.append(row)
    return rows


def latency_cuts(view: View, metric: str | None) -> LatencyCuts | None:
    """The headline latency by what was said and by whom, slowest first; None where it was not measured."""
    if metric is None or not (view.answered & ~np.isnan(floats(view.turns, metric))).any():
        return None
    found = LatencyCuts(metric=metric, title=METRICS[metric].title, cuts={})
    values = floats(view.turns, metric)
    known = view.answered & ~np.isnan(values)
    for cut in CUTS:
        codes, names = codes_of(view.turns[cut])
        asked = np.bincount(codes[view.measured], minlength=len(names))
        if int((asked > 0).sum()) < 2:
            continue
        rows = []
        for code in np.flatnonzero(asked):
            part = known & (codes == code)
            middle, bad = percentiles(values[part], view.calls_of_turns[part], (50.0, 95.0)).estimates
            rows.append(
                LatencyCut(
                    name=names[code],
                    n=int(part.sum()),
                    unanswered=int((view.measured & ~view.answered & (codes == code)).sum()),
                    p50=middle.value,
                    p95=bad.value,
                    p50_interval=interval(middle),
                    p95_interval=interval(bad),
                )
            )
        rows.sort(key=lambda row: (row.p50 is None, -(row.p50 or 0.0), row.name))
        found.cuts[cut] = rows[:MOST_CUT_ROWS]
        if len(rows) > MOST_CUT_ROWS:
            found.not_shown[cut] = len(rows) - MOST_CUT_ROWS
    return found if found.cuts else None


def continuity(view: View) -> list[Rate]:
    """Replies that stalled, and C50, C100, C200: replies that ran dry for at most so many milliseconds."""
    stalls = floats(view.turns, "stalls")[view.answered]
    stalls = stalls[~np.isnan(stalls)]
    underrun = floats(view.turns, "underrun_ms")[view.answered]
    underrun = underrun[~np.isnan(underrun)]
    rows = []
    if len(stalls):
        rows.append(rate("stall_rate", METRICS["stall_rate"].title, int((stalls > 0).sum()), len(stalls)))
    if len(underrun):
        rows += [
            rate(
                f"c{bound}", f"C{bound}: underrun of at most {bound} ms", int((underrun <= bound).sum()), len(underrun)
            )
            for bound in CONTINUITY_MS
        ]
    return rows


def error_rates(view: View) -> list[Rate]:
    """Connecting, turns and whole calls apart: they must not be mixed into one error rate."""
    calls = view.calls_measured
    ready = ~np.isnan(floats(view.sessions, "session_ready_ms"))
    stopped_early = equals(view.sessions, "status", "stopped") & ~ready
    asked = calls & ~stopped_early
    n = int(view.measured.sum())
    missed = sum(_with_status(view, status) for status in ERRORS)
    early, silent = _with_status(view, "early"), _with_status(view, "no_reply")
    failed = int((calls & equals(view.sessions, "status", "failed")).sum())
    return [
        rate("connect_error_rate", "calls that never became ready", int((asked & ~ready).sum()), int(asked.sum())),
        rate("session_error_rate", METRICS["session_error_rate"].title, failed, int(calls.sum())),
        rate("error_rate", "turn errors", missed, n),
        rate("no_reply_rate", "of these, no reply at all", silent, n),
        rate("early_rate", METRICS["early_rate"].title, early, n),
    ]


def _with_status(view: View, status: str) -> int:
    return int((view.measured & equals(view.turns, "status", status)).sum())


def rate(name: str, title: str, events: int, n: int) -> Rate:
    """A share with its Wilson interval."""
    found = wilson(events, n)
    return Rate(name=name, title=title, events=events, n=n, rate=found.value, interval=interval(found))


def interval(estimate: Estimate) -> Interval | None:
    """The limits as the report's own type."""
    return Interval(low=estimate.limits[0], high=estimate.limits[1]) if estimate.limits else None


def _placed() -> list[tuple[Group, Metric]]:
    placed: list[tuple[Group, Metric]] = []
    declared = {
        name: metric for name, metric in METRICS.items() if metric.aggregate == "percentile" or metric.unit == "ms"
    }
    declared |= {name: METRICS[name] for name in ALSO_SPREAD}
    for group, names in GROUPS.items():
        placed += [(group, declared.pop(name)) for name in names if name in declared]
    return placed + [("other", metric) for name, metric in declared.items() if name not in ELSEWHERE]


def _row(view: View, group: Group, metric: Metric) -> MetricRow | None:
    name = metric.name
    per_turn = name in view.turns.columns
    frame = view.turns if per_turn else view.sessions
    if name not in frame.columns or frame[name].dtype == "string":
        return None
    values = floats(frame, name)
    clusters = view.calls_of_turns if per_turn else np.arange(len(values), dtype=np.intp)
    here, missing = _rows_of(view, name, values, per_turn=per_turn)
    if not here.any() and (name not in ALWAYS_SHOWN or not (missing.any() or (~np.isnan(values)).any())):
        return None
    percents = LOW_TAIL if metric.worse == "lower" else HIGH_TAIL
    plain = percentiles(values[here], clusters[here], percents)
    inflated = None
    if name in WAITS or name in CALL_WAITS:
        inflated = _inflated(values, clusters, here, missing, percents) if missing.any() else plain
    known = values[here]
    return MetricRow(
        name=name,
        title=metric.title,
        unit=metric.unit,
        definition=metric.definition,
        decimals=metric.decimals,
        worse=metric.worse or "none",
        group=group,
        per="turn" if per_turn else "call",
        n=len(known),
        unanswered=int(missing.sum()),
        percentiles=_paired(percents, plain, inflated),
        worst=None if not len(known) else float(known.min() if metric.worse == "lower" else known.max()),
        mean=float(known.mean()) if len(known) else None,
        method=plain.method or (inflated.method if inflated else None),
    )


def _rows_of(view: View, name: str, values: Floats, *, per_turn: bool) -> tuple[Mask, Mask]:
    """Rows with a value that counts, and rows that wait for ever."""
    known = ~np.isnan(values)
    nothing = np.zeros(len(values), dtype=np.bool_)
    if not per_turn:
        stopped = equals(view.sessions, "status", "stopped")
        waits = view.calls_measured & ~known & ~stopped if name in CALL_WAITS else nothing
        return view.calls_measured & known, waits
    if name in GROUPS["harness"]:
        # The harness's own delay is shown for the very turns that it spoiled.
        return ~view.warmup & known, nothing
    return view.answered & known, view.measured & ~view.answered if name in WAITS else nothing


def _inflated(values: Floats, clusters: Codes, here: Mask, missing: Mask, percents: tuple[float, ...]) -> Percentiles:
    rows = here | missing
    return percentiles(np.where(missing, np.inf, values)[rows], clusters[rows], percents)


def _paired(percents: tuple[float, ...], plain: Percentiles, inflated: Percentiles | None) -> list[Percentile]:
    others = inflated.estimates if inflated else (Estimate(None),) * len(percents)
    return [
        Percentile(
            percent=percent,
            value=own.value,
            interval=interval(own),
            with_unanswered=other.value,
            with_unanswered_interval=interval(other),
        )
        for percent, own, other in zip(percents, plain.estimates, others, strict=True)
    ]
