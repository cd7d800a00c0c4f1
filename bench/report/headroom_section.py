"""Rate limits and headroom as tables: limits seen and what they carry, use by the minute, the limit to ask for.

In: the `headroom` of a summary. Out: a section; every figure is text from here on.
Trap: calls at 100 % of a limit are rounded down, a limit to ask for is rounded up.
"""

from __future__ import annotations

import math

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
RESERVED = "With the reservation, each response counts with the most that it may say."
USE = (
    "Tokens in and out, cached ones too, and responses, per minute of calls. A response counts in the minute in which "
    "the caller stopped speaking."
)
ASK = "The limit to ask for is the higher end of what is used, rounded up to two digits, without a reserve of its own."


def headroom_section(summary: Summary) -> Section:
    """Nothing where no limit was told and nothing is known of use."""
    found = [each for each in summary.headroom if each.limits or each.calls]
    tables = [table for each in found for table in _tables(each, several=len(summary.headroom) > 1)]
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


def _tables(found: Headroom, *, several: bool) -> list[Table]:
    whose = f" of {found.target}" if several and found.target else ""
    tables = [_limits(found, whose), _told(found, whose)] if found.limits else []
    tables += [_needs(found, whose)] if found.needs else []
    tables += [_minutes(found, whose)] if found.minutes else []
    return tables


def _limits(found: Headroom, whose: str) -> Table:
    columns = (
        Column("limit"),
        Column("calls at once", "calls at once"),
        Column("begun together", brief=False),
        Column("with the reservation", "with the reservation"),
        Column("calls that begin", "begin"),
        Column(f"used by {peak_text(found)}", f"used by {number(found.peak)}", brief=found.peak_planned),
    )
    return Table(
        f"What 100 % of each limit suffices for{whose}",
        columns,
        tuple(_limit_row(each) for each in found.limits),
        "Limit",
        heading=f"RATE LIMITS{f' ({found.target})' if whose else ''} (what 100 % of each suffices for)",
        notes=(CARRIED,),
        footnotes=(RESERVED,) if any(each.calls_reserved is not None for each in found.limits) else (),
    )


def _limit_row(each: LimitRow) -> Row:
    share, at_once = each.peak_share, each.calls_at_once
    return row(
        _named(each),
        number(each.limit),
        Cell(_down(at_once), _range(at_once)),
        MISSING if each.calls_together is None else number(math.floor(each.calls_together + 1e-9)),
        _least(each),
        _begun(each),
        Cell(percent(share, 0), bad=share is not None and share > 1),
    )


def _named(each: LimitRow) -> str:
    return f"{capital(each.name)} {UNITS[each.per]}{' (first)' if each.binding else ''}"


def _told(found: Headroom, whose: str) -> Table:
    columns = (
        Column("least that remained"),
        Column("used then"),
        Column("longest wait until full again"),
        Column("told by", text=True),
        Column("times"),
    )
    rows = (
        row(
            _named(each),
            number(each.lowest),
            percent(each.used_share, 0),
            seconds(each.longest_reset_s),
            each.source,
            f"{each.told:,}",
        )
        for each in found.limits
    )
    return Table(f"What the server told of its limits{whose}", columns, tuple(rows), "Limit")


def _begun(each: LimitRow) -> str:
    """How many calls may begin in the time that the limit is counted over."""
    value = each.calls_begun.value
    if value is None:
        return MISSING
    shown = f"{math.floor(10 * value + 1e-9) / 10:.1f}" if value < 20 else number(math.floor(value + 1e-9))
    return f"{shown} {UNITS[each.per]}"


def _needs(found: Headroom, whose: str) -> Table:
    columns = (
        Column("used a minute", "/min"),
        Column("begun together", brief=False),
        Column("limit to ask for", "to ask for"),
        Column("with the reservation", "with the reservation"),
        Column("limit told", "told", brief=False),
    )
    heading = f"LIMIT TO ASK FOR AT {peak_text(found).upper()}{f' ({found.target})' if whose else ''}"
    planned = "the planned peak of " if found.peak_planned else ""
    example = () if found.peak_planned else ("load.planned_peak in the scenario says what your own peak is.",)
    rate: tuple[str, ...] = ()
    if found.peak_is_rate and found.peak_at_once is not None:
        rate = (f"{peak_text(found)} as long as those of the run are {number(found.peak_at_once)} calls at once.",)
    return Table(
        f"What {planned}{peak_text(found)} need{'s' if planned else ''}{whose}",
        columns,
        tuple(_need_row(each) for each in found.needs),
        "Limit a minute",
        heading=heading if found.peak_planned else "",
        notes=(ASK, *rate, *example),
    )


def _need_row(each: NeedRow) -> Row:
    short = each.limit is not None and each.ask is not None and each.ask > each.limit
    return row(
        capital(each.name),
        _figure(each.used),
        number(each.together),
        Cell(number(each.ask), bad=short),
        number(each.ask_reserved),
        number(each.limit),
    )


def _minutes(found: Headroom, whose: str) -> Table:
    columns = (
        Column("tokens"),
        Column("of them in", "in"),
        Column("out", "out"),
        Column("requests"),
        Column("calls", brief=False),
    )
    whole = row(
        "All minutes",
        _figure(found.tokens_per_call_minute),
        "",
        "",
        _figure(found.requests_per_call_minute, 1),
        f"{found.calls:,}",
    )
    long = "" if found.call_minutes is None else f" of {seconds(60 * found.call_minutes)} on average"
    learned = f"Learned from {amount(found.calls, 'call')}{long}."
    return Table(
        f"What a call uses a minute, by the minute of the call{whose}",
        columns,
        (*(_minute_row(each) for each in found.minutes), *([whole] if len(found.minutes) > 1 else [])),
        "Minute of the call",
        notes=(USE, learned),
    )


def _minute_row(each: MinuteUse) -> Row:
    return row(
        f"Minute {each.minute}",
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
