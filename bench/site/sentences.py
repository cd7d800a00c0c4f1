"""A dated verdict of a run in plain sentences, from the rows of its comparison.

In: a `Night`. Out: sentences such as `median first audible 820 ms, 12 % slower than the last seven nights, WER
unchanged`. Trap: `unchanged` is said only where a change that matters would rarely look like this; where that cannot be
told, the value is within what nights differ by, which is less.
"""

from __future__ import annotations

import math

from bench.report.gate.findings import GateRow
from bench.report.gate.nights import LEAST_NIGHTS
from bench.report.gate.phrases import shown, with_unit
from bench.report.phrases import MISSING, amount, capital, number, percent, plain, signed, spoken
from bench.site.digest import AVAILABILITY
from bench.site.windows import Night

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def verdict_sentence(night: Night) -> str:
    """The whole verdict on one line."""
    if not night.usable:
        said = f"{capital(night.not_judged)}, so it says nothing of the target"
        return f"{said}: {plain(night.run.reasons[0])}." if night.run.reasons else f"{said}."
    parts = [_availability(night), *_latency(night), *_words(night), *_others(night)]
    if night.state == "outage":
        parts = [_outage(night), *(_latency(night)[:1] if night.target.answered else [])]
    said = capital(", ".join(parts if night.state == "outage" else [*parts[1:], parts[0]]))
    return f"{said}.{_few(night)}"


def compared_with(night: Night) -> str:
    """`the last seven nights`, or `runs` where they are not of one night each; and which, where some were left out."""
    count, noun = len(night.window), _noun(night)
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    since = min((run.started_at for run in night.worse.values()), default=night.run.started_at)
    if since < night.run.started_at and all(run.started_at < since for run in night.window):
        return f"the {number} {noun}s before {since:%Y-%m-%d}"
    return f"the last {number} {'sound ' if night.gaps else ''}{noun}s"


def _noun(night: Night) -> str:
    return "night" if len({run.started_at.date() for run in night.window}) == len(night.window) else "run"


def _few(night: Night) -> str:
    if len(night.window) >= LEAST_NIGHTS:
        return ""
    count = len(night.window)
    earlier = f"{capital(NUMBERS[count])} earlier run{'' if count == 1 else 's'} of this kind to compare with"
    return f" {earlier}; {LEAST_NIGHTS} are needed."


def _outage(night: Night) -> str:
    target = night.target
    said = f"away: {target.good_calls} of {amount(target.calls, 'call')} were good"
    if target.calls == 1:
        said = "away: its one call was not good"
    faults = [
        f"{each.count} × {each.kind}{f' ({spoken(each.message)})' if each.message else ''}" for each in target.faults
    ]
    return f"{said}; failures of calls and turns: {', '.join(faults)}" if faults else said


def _availability(night: Night) -> str:
    target, row = night.target, night.row(AVAILABILITY)
    if target.calls == 1:
        return "its one call good" if target.good_calls else "its one call not good"
    if target.good_calls == target.calls:
        return f"all {amount(target.calls, 'call')} good"
    said = f"{target.good_calls} of {amount(target.calls, 'call')} good"
    if row is not None and row.verdict == "regression":
        return f"{said}, fewer than in {compared_with(night)} ({percent(row.baseline)})"
    if back := _returned(night, AVAILABILITY):
        return f"{said}, {back}"
    return said


def _returned(night: Night, measure: str) -> str:
    """`not back to what it was before 2026-11-13 (851 ms)`, of a measure that by itself is no regression tonight."""
    row = night.row(measure)
    since = night.worse.get(measure)
    if row is None or since is None or row.verdict == "regression":
        return ""
    return f"not back to what it was before {since.started_at:%Y-%m-%d} ({with_unit(row, row.baseline)})"


def _latency(night: Night) -> list[str]:
    name = night.target.headline
    row = night.row(f"{name}: p50") if name else None
    if row is None or row.value is None:
        return ["no reply was measured" if not name else "too few turns for a median"]
    if math.isinf(row.value):
        return [f"median {row.title} never: more than half of the turns were not answered"]
    said = [f"median {row.title} {with_unit(row, row.value)}{_moved(row, night)}"]
    tail = night.row(f"{name}: p95")
    if tail is None:
        return said
    if back := _returned(night, tail.measure):
        brief = f"not back ({with_unit(tail, tail.baseline)})" if row.measure in night.worse else back
        said.append(f"p95 {with_unit(tail, tail.value)}, {brief}")
    elif tail.verdict in {"regression", "better"} and tail.verdict != row.verdict:
        said.append(f"p95 {with_unit(tail, tail.value)}{_moved(tail, night, brief=True)}")
    return said


def _moved(row: GateRow, night: Night, *, brief: bool = False) -> str:
    """`, 12 % slower than the last seven nights`."""
    if back := _returned(night, row.measure):
        return f", {back}"
    than = "" if brief else f" than {compared_with(night)}"
    if row.verdict == "regression":
        return f", {_share(row)} slower{than}"
    if row.verdict == "better":
        return f", {_share(row)} faster{than}"
    if row.verdict == "same":
        sooner = row.change is not None and abs(row.change) >= (row.matters or 0.0)
        return f", no slower than {compared_with(night)}" if sooner else f", unchanged against {compared_with(night)}"
    if row.verdict == "cannot tell":
        return f", within what {_noun(night)}s differ by (usual: {with_unit(row, row.baseline)})"
    return ""


def _share(row: GateRow) -> str:
    """`12 %`, or for a change that has no share, its size."""
    if row.change is None or not row.baseline or math.isinf(row.change):
        return "much"
    return f"{number(abs(100 * row.change / row.baseline))} %"


def _words(night: Night) -> list[str]:
    row = night.row("wer")
    if row is None or row.value is None:
        return []
    value = percent(row.value)
    if back := _returned(night, "wer"):
        return [f"WER {value}, {back}"]
    if row.verdict == "same":
        lower = row.change is not None and abs(row.change) >= (row.matters or 0.0)
        return [f"WER {'no higher' if lower else 'unchanged'} ({value})"]
    if row.verdict == "cannot tell":
        return [f"no change of WER seen ({value})"]
    if row.verdict in {"regression", "better"}:
        way = "up" if row.verdict == "regression" else "down"
        return [f"WER {way} by {_points(row)} to {value}"]
    return [f"WER {value}{_because(row)}"]


def _points(row: GateRow) -> str:
    if row.change is None:
        return MISSING
    return f"{number(abs(100 * row.change), 1)} points"


def _others(night: Night) -> list[str]:
    """Measures that changed, and the price where it was not to be compared."""
    said = []
    for row in night.rows:
        if row.measure in {AVAILABILITY, "wer"} or row.metric == night.target.headline:
            continue
        if back := _returned(night, row.measure):
            said.append(f"{row.title} {with_unit(row, row.value)}, {back}")
        elif row.verdict in {"regression", "better"}:
            way = "up" if (row.change or 0) > 0 else "down"
            by = _points(row) if row.unit == "share" else _share(row)
            said.append(f"{row.title} {way} by {by} to {with_unit(row, row.value)}")
        elif row.metric == "cost_per_minute_usd" and row.why.startswith("not the same"):
            said.append(f"cost per minute {shown(row, row.value)}{_because(row)}")
    return said


def _because(row: GateRow) -> str:
    return f" (not compared: {row.why})" if row.why.startswith("not the same") else ""


def change_text(row: GateRow) -> str:
    """`+46 ms (+6.5 %)`."""
    if row.change is None:
        return MISSING
    said = signed(row.change, row.unit, row.decimals)
    if row.unit == "share" or not row.baseline or math.isinf(row.change):
        return said
    return f"{said} ({'+' if row.change > 0 else '-'}{number(abs(100 * row.change / row.baseline), 1)} %)"
