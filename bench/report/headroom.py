"""How far the rate limits that a server told of reach, and which ones a planned peak needs.

In: a `View`. Out: a `Headroom` for each target: limits seen, what calls use by the minute, calls at 100 % of each
limit, the limit to ask for.
Trap: vendors count more than is used. They set the most that a response may say aside before it is said, and give back
what was not used sooner or later; so the figures stand once by use alone and once with all of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bench.measure.rate_limits import DAY_S, HOUR_S, MINUTE_S, LimitTold, from_text, merged
from bench.report.consumption import Consumption, Matrix, consumption, times
from bench.report.findings_headroom import Headroom, LimitRow, MinuteUse, NeedRow, Per
from bench.report.findings_parts import Figure
from bench.report.headroom_cautions import cautions_of
from bench.report.health import peak_open
from bench.report.parts import figure_of
from bench.report.stats import Estimate
from bench.report.view import Mask, View, equals
from bench.scenario.load_level import read_level

EXAMPLE_PEAK = 100
"""Calls at once for which needs are told where the scenario plans no peak."""
MOST_OUTPUT_TOKENS = 4096
"""The most that a response may say, by the documentation of the protocol, where the scenario sets no bound."""
_PER: dict[float, Per] = {MINUTE_S: "minute", HOUR_S: "hour", DAY_S: "day"}


@dataclass(frozen=True, slots=True)
class Peak:
    """The load to be ready for."""

    level: float
    is_rate: bool
    planned: bool


def headroom(view: View) -> list[Headroom]:
    """One for each target, in the order of the scenario."""
    names = view.run.manifest.interleaved
    if not names:
        return [_of_target(view, None, np.ones(len(view.sessions), dtype=np.bool_))]
    return [_of_target(view, name, equals(view.sessions, "target", name)) for name in names]


def peak_of(scenario: dict[str, Any]) -> Peak:
    """What the scenario plans, or the example."""
    raw = (scenario.get("load") or {}).get("planned_peak")
    try:
        level = read_level(raw)
    except ValueError:
        return Peak(EXAMPLE_PEAK, is_rate=False, planned=False)
    return Peak(level, is_rate=isinstance(level, float), planned=True)


def reserved_tokens(scenario: dict[str, Any], target: str | None = None) -> int | None:
    """The most that a response of `target` may say; None where neither it nor the scenario sets a bound."""
    own = (scenario.get("targets") or {}).get(target) if target else scenario.get("target")
    for block in (own, scenario):
        session = block.get("session") if isinstance(block, dict) else None
        most = session.get("max_output_tokens") if isinstance(session, dict) else None
        if most is not None:
            return most if isinstance(most, int) and not isinstance(most, bool) else None
    return None


def _of_target(view: View, target: str | None, calls: Mask) -> Headroom:
    scenario = view.run.manifest.scenario
    used, peak, bound = consumption(view, calls), peak_of(scenario), reserved_tokens(scenario, target)
    reserve = bound if bound is not None else MOST_OUTPUT_TOKENS
    told = limits_told(view, calls)
    waits = view.call["retry_after_s"][calls]
    found = Headroom(
        target=target,
        calls=used.calls if used else 0,
        peak=peak.level,
        peak_is_rate=peak.is_rate,
        peak_planned=peak.planned,
        reserved_tokens=reserve,
        reserved_assumed=bound is None,
        run_peak=peak_open(view.call["started_at"][calls], view.call["ended_at"][calls]),
        retry_after_s=None if np.isnan(waits).all() else float(np.nanmax(waits)),
    )
    uses = uses_of(used, {"tokens", "requests", *(each.name for each, _ in told)}, reserve)
    if used is not None:
        tokens, requests = uses["tokens"], uses["requests"]
        found.whole, found.call_minutes = used.whole, used.minutes_per_call
        found.tokens_per_call_minute = figure_of(tokens.per_minute)
        found.requests_per_call_minute = figure_of(requests.per_minute)
        found.tokens_per_call, found.requests_per_call = figure_of(tokens.per_call), figure_of(requests.per_call)
        found.minutes = [_minute(used, minute) for minute in range(used.minutes)]
        found.without_usage, found.refused = used.without_usage, used.refused
        found.needs = [_need("tokens", tokens, peak, told), _need("requests", requests, peak, told)]
    if used is not None or not peak.is_rate:
        found.peak_at_once = peak.level * (used.minutes_per_call if used is not None and peak.is_rate else 1)
    found.limits = _with_binding(
        [_limit(each, how, uses.get(each.name), peak, found.peak_at_once) for each, how in told]
    )
    found.cautions = cautions_of(found)
    return found


def limits_told(view: View, calls: Mask) -> list[tuple[LimitTold, str]]:
    """Each limit that any of `calls` was told of, with how: a header and an event of one limit are joined."""
    rows = view.sessions[["ended_at", "rate_limits"]][calls].sort_values("ended_at", kind="stable")
    texts = rows["rate_limits"]
    parts = merged(each for text in texts[texts.notna()] for each in from_text(str(text)))
    found: list[tuple[LimitTold, str]] = []
    for event in (each for each in parts if each.source == "event"):
        header = next((each for each in parts if each.source == "header" and _same(each, event)), None)
        both = merged([_as_event(header), event])[0] if header is not None else event
        found.append((both, "event, header" if header is not None else "event"))
    alone = [each for each in parts if each.source == "header" and not any(_same(each, one) for one, _ in found)]
    return found + [(each, "header") for each in alone]


def _same(header: LimitTold, event: LimitTold) -> bool:
    return header.name == event.name and header.counted_over_s == event.counted_over_s


def _as_event(header: LimitTold) -> LimitTold:
    values = {name: getattr(header, name) for name in LimitTold.__slots__}
    return LimitTold(**{**values, "source": "event", "window_s": None})


def _minute(used: Consumption, minute: int) -> MinuteUse:
    return MinuteUse(
        minute=minute + 1,
        calls=used.calls_in(minute),
        in_tokens=used.mean_per_call_minute(used.in_tokens, minute),
        out_tokens=used.mean_per_call_minute(used.out_tokens, minute),
        tokens=figure_of(used.tokens_per_call_minute(minute)),
        requests=figure_of(used.requests_per_call_minute(minute)),
    )


@dataclass(frozen=True, slots=True)
class Use:
    """What calls use of one limit. `dearest`: per minute, in the minute of a call in which most is used."""

    per_minute: Estimate
    per_call: Estimate
    dearest: float | None
    reserved_per_minute: float | None
    """Each response with the most that it may say; None where nothing is set aside."""
    minutes_per_call: float

    @property
    def reserved_per_call(self) -> float | None:
        return None if self.reserved_per_minute is None else self.reserved_per_minute * self.minutes_per_call


def uses_of(used: Consumption | None, names: Iterable[str], reserve: int) -> dict[str, Use]:
    """Of each limit by its name; limits of which nothing is known, such as of images, are left out."""
    known = {name: amounts for name in names if used and (amounts := amounts_of(used, name)) is not None}
    return {name: _use(used, name, amounts, reserve) for name, amounts in known.items() if used is not None}


def _use(used: Consumption, name: str, amounts: Matrix, reserve: int) -> Use:
    dearest, reserved = used.dearest_minute(amounts), with_reservation(used, name, reserve)
    return Use(
        per_minute=used.per_call_minute(amounts),
        per_call=used.per_call(amounts),
        dearest=None if dearest is None else used.mean_per_call_minute(amounts, dearest),
        reserved_per_minute=None if reserved is None else used.mean_per_call_minute(reserved),
        minutes_per_call=used.minutes_per_call,
    )


def amounts_of(used: Consumption, name: str) -> Matrix | None:
    """What calls use of the limit `name`; None where that is not known, such as of images."""
    if name.endswith("input-tokens"):
        return used.in_tokens
    if name.endswith("output-tokens"):
        return used.out_tokens
    if name.endswith("tokens"):
        return used.tokens
    return used.requests if name.endswith(("requests", "req")) else None


def with_reservation(used: Consumption, name: str, reserve: int) -> Matrix | None:
    """The same, each response with the most that it may say; None where nothing is set aside."""
    said = np.maximum(used.requests * reserve, used.out_tokens)
    if name.endswith("output-tokens"):
        return said
    if name.endswith("tokens") and not name.endswith("input-tokens"):
        return used.in_tokens + said
    return None


def is_of_calls(name: str) -> bool:
    """Whether a limit is one of calls that are open at the same time."""
    return name.endswith(("sessions", "connections"))


def _limit(told: LimitTold, source: str, use: Use | None, peak: Peak, at_once: float | None) -> LimitRow:
    """`at_once`: the calls that are open at the peak."""
    row = LimitRow(
        name=told.name,
        source=source,
        told=told.told,
        per="at once" if is_of_calls(told.name) else _PER.get(told.counted_over_s or 0.0, "unknown"),
        limit=told.limit,
        lowest=told.lowest,
        longest_reset_s=told.longest_reset_s,
    )
    if told.limit is None or told.limit <= 0:
        return row
    row.used_share = None if told.lowest is None else max(0.0, 1 - told.lowest / told.limit)
    if row.per == "at once":
        row.calls_at_once = Figure(value=told.limit)
        row.peak_share = None if at_once is None else at_once / told.limit
    elif use is not None:
        _carried(row, told.limit, use, peak)
    return row


def _carried(row: LimitRow, limit: float, use: Use, peak: Peak) -> None:
    """How many calls the limit carries; one of an hour or a day bounds how many begin, not how many are open."""
    row.per_call_minute = figure_of(use.per_minute)
    if row.per == "unknown":
        return
    row.calls_begun = figure_of(_calls(limit, use.per_call))
    if row.per != "minute":
        return
    row.calls_at_once = figure_of(_calls(limit, use.per_minute))
    row.calls_together = limit / use.dearest if use.dearest else None
    row.calls_reserved = limit / use.reserved_per_minute if use.reserved_per_minute else None
    each = (use.per_call if peak.is_rate else use.per_minute).value
    row.peak_share = None if each is None else peak.level * each / limit


def _calls(limit: float, each: Estimate) -> Estimate:
    """Calls at 100 % of a limit of which each uses so much; the limits change places."""
    if not each.value:
        return Estimate(None)
    limits = None if each.limits is None or each.limits[0] <= 0 else (limit / each.limits[1], limit / each.limits[0])
    return Estimate(limit / each.value, limits)


def _with_binding(rows: list[LimitRow]) -> list[LimitRow]:
    """The limit that a growing load uses up first is marked, by the part of it that the peak uses."""
    shares = [(row.peak_share, place) for place, row in enumerate(rows) if row.peak_share]
    if shares:
        rows[max(shares, key=lambda pair: pair[0] or 0.0)[1]].binding = True
    return rows


def _need(name: Literal["tokens", "requests"], use: Use, peak: Peak, told: Sequence[tuple[LimitTold, str]]) -> NeedRow:
    total = times(use.per_call if peak.is_rate else use.per_minute, peak.level)
    together = None if peak.is_rate or use.dearest is None else use.dearest * peak.level
    reserved = use.reserved_per_call if peak.is_rate else use.reserved_per_minute
    ends = [total.value, total.limits[1] if total.limits else None, together]
    known = [end for end in ends if end is not None]
    limits = [each for each, _ in told if each.name == name and each.counted_over_s == MINUTE_S]
    return NeedRow(
        name=name,
        used=figure_of(total),
        together=together,
        ask=rounded_up(max(known)) if known else None,
        ask_reserved=rounded_up(max(*known, reserved * peak.level)) if known and reserved is not None else None,
        limit=limits[0].limit if limits else None,
    )


def rounded_up(value: float) -> float:
    """To two digits, never below `value`: 123,456 becomes 130,000."""
    if value <= 0:
        return 0.0
    step = 10.0 ** max(0, math.floor(math.log10(value)) - 1)
    return math.ceil(value / step - 1e-9) * step
