"""Rate limits and headroom as tables: limits seen and what they carry, use by the minute, the limit to ask for.

In: the `headroom` of a summary. Out: a section; every figure is text from here on.
Trap: calls at 100 % of a limit are rounded down, a limit to ask for is rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_headroom import Headroom, LimitRow, MinuteUse, NeedRow
from bench.report.findings_parts import Figure
from bench.report.headroom_phrases import UNITS, limit_text, peak_text, planned_sentence, target_text
from bench.report.phrases import MISSING, amount, capital, number, percent, seconds

TITLE = "Rate limits and headroom"
NOTHING = "The server told of no rate limit, neither by an event nor by a header."
CARRIED = (
    "Calls at once are those that 100 % of a limit suffices for, rounded down, of calls that began at different times. "
    "Ranges are 95 % intervals over calls."
)
RESERVED = "With the reservation (reserved), each response counts with the most that it may say."
USE = (
    "Tokens in and out, cached ones too, and responses, per minute of calls. A response counts in the minute in which "
    "the caller stopped speaking."
)
ASK = "The limit to ask for is the higher end of what is used, rounded up to two digits, without a reserve of its own."


def headroom_section(summary: Summary) -> Section:
    """Nothing where no limit was told and nothing is known of use."""
    found = [each for each in summary.headroom if each.limits or each.calls]
    tables = [
        *(
            [_limits(with_limits), _told(with_limits)]
            if (with_limits := [each for each in found if each.limits])
            else []
        ),
        *([_needs(with_needs)] if (with_needs := [each for each in found if each.needs]) else []),
        *([_minutes(with_minutes)] if (with_minutes := [each for each in found if each.minutes]) else []),
    ]
    said = [] if any(each.limits for each in found) or not found else [NOTHING]
    said += [sentence for each in found if (sentence := _sentence(each))]
    waits = [each.retry_after_s for each in summary.headroom if each.retry_after_s is not None]
    if waits:
        said.append(f"Handshakes were refused with a wait of up to {seconds(max(waits))} (retry-after).")
    cautions = dict.fromkeys(caution for each in found for caution in each.cautions)
    return Section("headroom", TITLE, tuple(tables), tuple(said), points=tuple(cautions))


def _sentence(found: Headroom) -> str:
    """Which limit is used up first, what it suffices for, and the same with the reservation; then the planned peak."""
    first = found.binding
    if first is None or first.calls_at_once.value is None:
        return ""
    calls = f"{limit_text(first)} suffice for {_down(first.calls_at_once)} calls at once"
    said = [f"{target_text(found)}{first.name} are used up first: {calls}."]
    reserved = [each for each in found.limits if each.calls_reserved is not None]
    if reserved:
        least = min(reserved, key=lambda each: each.calls_reserved or 0.0)
        said.append(f"With the whole reservation counted, {least.name} suffice for {_least(least)}.")
    planned = planned_sentence(found)
    said += [f"{planned}."] if planned else []
    return " ".join(said if found.target else map(capital, said))


def _least(limit: LimitRow) -> str:
    return MISSING if limit.calls_reserved is None else number(math.floor(limit.calls_reserved + 1e-9))


def _whose(found: Headroom, title: str) -> str:
    """`title` of a row, after the name of one of several targets."""
    return f"{found.target}: {title}" if found.target else capital(title)


def _peak(found: Sequence[Headroom], other: str) -> str:
    """The peak that all have, such as `300 calls at once`; `other` where each has its own."""
    peaks = {peak_text(each) for each in found}
    return peaks.pop() if len(peaks) == 1 else other


def _limits(found: Sequence[Headroom]) -> Table:
    planned = any(each.peak_planned for each in found)
    peak = _peak(found, "the peak of each")
    columns = (
        Column("limit"),
        Column("calls at once", head="at once"),
        Column("begun together", brief=False),
        Column("with the reservation", head="reserved", spare=True),
        Column("calls that begin", head="begin"),
        Column(f"used by {peak}", head=f"used by {peak.partition(' calls')[0]}", brief=planned),
    )
    rows = tuple(_limit_row(each, limit) for each in found for limit in each.limits)
    reserved = any(limit.calls_reserved is not None for each in found for limit in each.limits)
    return Table(
        "What 100 % of each limit suffices for",
        columns,
        rows,
        "Limit",
        heading="RATE LIMITS (CALLS AT 100 %)",
        notes=(CARRIED,),
        footnotes=(RESERVED,) if reserved else (),
        quoted=1,
    )


def _limit_row(found: Headroom, each: LimitRow) -> Row:
    share, at_once = each.peak_share, each.calls_at_once
    return row(
        _named(found, each),
        number(each.limit),
        Cell(_down(at_once), _range(at_once)),
        MISSING if each.calls_together is None else number(math.floor(each.calls_together + 1e-9)),
        _least(each),
        _begun(each),
        Cell(percent(share, 0), bad=share is not None and share > 1),
    )


def _named(found: Headroom, each: LimitRow) -> str:
    return _whose(found, f"{each.name} {UNITS[each.per]}{' (first)' if each.binding else ''}")


def _told(found: Sequence[Headroom]) -> Table:
    columns = (
        Column("least that remained"),
        Column("used then"),
        Column("longest wait until full again"),
        Column("told by", text=True),
        Column("times"),
    )
    rows = (
        row(
            _named(each, limit),
            number(limit.lowest),
            percent(limit.used_share, 0),
            seconds(limit.longest_reset_s),
            limit.source,
            f"{limit.told:,}",
        )
        for each in found
        for limit in each.limits
    )
    return Table("What the server told of its limits", columns, tuple(rows), "Limit")


def _begun(each: LimitRow) -> str:
    """How many calls may begin in the time that the limit is counted over."""
    value = each.calls_begun.value
    if value is None:
        return MISSING
    shown = f"{math.floor(10 * value + 1e-9) / 10:.1f}" if value < 20 else number(math.floor(value + 1e-9))
    return f"{shown} {UNITS[each.per]}"


def _needs(found: Sequence[Headroom]) -> Table:
    planned = any(each.peak_planned for each in found)
    peak = _peak(found, "the peak of each")
    columns = (
        Column("used a minute", head="used/min"),
        Column("begun together", brief=False),
        Column("limit to ask for", head="to ask for"),
        Column("with the reservation", head="reserved"),
        Column("limit told", brief=False),
    )
    # Of a rate that was not planned, a reader wants to know how many calls that is.
    rates = (
        f"{_whose(each, peak_text(each))} as long as those of the run are {number(each.peak_at_once)} calls at once."
        for each in found
        if each.peak_is_rate and each.peak_at_once is not None
    )
    example = () if planned else ("load.planned_peak in the scenario says what your own peak is.",)
    need = "needs" if planned or peak == "the peak of each" else "need"
    return Table(
        f"What {'the planned peak of ' if planned else ''}{peak} {need}",
        columns,
        tuple(_need_row(each, limit) for each in found for limit in each.needs),
        "Limit a minute",
        heading=f"TO ASK FOR AT {peak.upper()}" if planned else "",
        notes=(ASK, *dict.fromkeys(rates), *example),
        quoted=0 if planned else None,
    )


def _need_row(found: Headroom, each: NeedRow) -> Row:
    short = each.limit is not None and each.ask is not None and each.ask > each.limit
    return row(
        _whose(found, each.name),
        _figure(each.used),
        number(each.together),
        Cell(number(each.ask), bad=short),
        number(each.ask_reserved),
        number(each.limit),
    )


def _minutes(found: Sequence[Headroom]) -> Table:
    columns = (
        Column("tokens"),
        Column("of them in", "in"),
        Column("out", "out"),
        Column("requests"),
        Column("calls", brief=False),
    )
    return Table(
        "What a call uses a minute, by the minute of the call",
        columns,
        tuple(each for one in found for each in _minute_rows(one)),
        "Minute of the call",
        notes=(USE, *map(_learned, found)),
    )


def _minute_rows(found: Headroom) -> list[Row]:
    rows = [_minute_row(found, each) for each in found.minutes]
    if len(found.minutes) > 1:
        tokens, requests = _figure(found.tokens_per_call_minute), _figure(found.requests_per_call_minute, 1)
        rows.append(row(_whose(found, "all minutes"), tokens, "", "", requests, f"{found.calls:,}"))
    return rows


def _learned(found: Headroom) -> str:
    long = "" if found.call_minutes is None else f" of {seconds(60 * found.call_minutes)} on average"
    return _whose(found, f"learned from {amount(found.calls, 'call')}{long}.")


def _minute_row(found: Headroom, each: MinuteUse) -> Row:
    return row(
        _whose(found, f"minute {each.minute}"),
        _figure(each.tokens),
        number(each.in_tokens),
        number(each.out_tokens),
        _figure(each.requests, 1),
        f"{each.calls:,}",
    )


def _figure(figure: Figure, decimals: int = 0) -> Cell:
    places = 1 if figure.value is not None and figure.value < 20 else decimals
    under = ""
    if figure.low is not None and figure.high is not None:
        under = f"{number(figure.low, places)}..{number(figure.high, places)}"
    return Cell(number(figure.value, places), under)


def _down(figure: Figure) -> str:
    return MISSING if figure.value is None else number(math.floor(figure.value + 1e-9))


def _range(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{number(math.floor(figure.low + 1e-9))}..{number(math.floor(figure.high + 1e-9))}"
