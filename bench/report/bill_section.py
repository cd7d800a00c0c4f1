"""The cost section of a report: the bill by meter, by unit and by turn, and what the traffic cost at other dates.

In: a `Summary`. Out: a `Section`; every figure is text from here on.
Trap: a sum with an unknown part says "at least", and names what is missing; a part is never shown as the price.
"""

from __future__ import annotations

from itertools import groupby

from bench.report.budget_section import budget_tables, estimate_note
from bench.report.document import Cell, Column, Row, Section, Table, barred, row
from bench.report.findings import Summary
from bench.report.findings_bill import Bill, BillMeter, CacheSaving, GrowthRow, PriceLine, PricePoint, UnitPrice
from bench.report.findings_cost import CostReport
from bench.report.phrases import MISSING, amount, at_least, capital, lower_bound, number, percent, usd, usd_rate

BRIEF_TURNS = 8
UNIT_PRICES = "Unit prices leave warm-up out: {} minutes of conversation."
GROWTH = "Means over answered turns. Every response reads the whole call so far again, so later turns have more input."
HISTORY = (
    "What the whole run used of the model, at the prices of each dated book; the transcription of callers is left out. "
    "A price holds from the date on which it was read."
)


def cost_section(summary: Summary) -> Section:
    """The bill of a run, its budget, and its price over time."""
    cost, bill = summary.cost, summary.bill
    said = ["Example prices, which no vendor charges."] if cost.example_prices else []
    if cost.other_responses:
        said.append(
            f"{amount(cost.other_responses, 'response')} belong to no turn (a greeting, a reply to silence, a turn "
            "that was cut off); what they cost is part of their call."
        )
    # What was planned and allowed was so at the prices of the run.
    budget = () if bill.priced_again else budget_tables(cost.budget)
    table = bill_table(cost, bill, _before(summary))
    tables = (table, *budget, *growth_tables(bill.growth), *history_tables(bill.history))
    return Section("cost", "Cost", tables, tuple(said))


def bill_table(cost: CostReport, bill: Bill, before: tuple[str, ...] = ()) -> Table:
    """Meters and unit prices; `before` are sentences for its foot."""
    rows = (
        row("Total, warm-up included", at_least(cost), "", ""),
        *_meters(cost, bill),
        *([row("Of it, turns without an answer", usd(cost.failed_usd), "", "")] if cost.failed_turns else []),
        *([row("Of it, responses of no turn", usd(cost.other_usd), "", "")] if cost.other_responses else []),
        *(_unit_row(each) for each in bill.units),
    )
    return Table(
        "Cost by meter, and for planning",
        (Column("USD"), Column("used"), Column("rate")),
        rows,
        "Meter",
        heading="COST" + (" at EXAMPLE PRICES" if cost.example_prices else ""),
        notes=(UNIT_PRICES.format(number(cost.conversation_minutes, 1)),),
        footnotes=(
            *([lower_bound(cost)] if cost.at_least else []),
            *([_cache_sentence(bill.cache)] if bill.cache else []),
            *before,
            f"Prices: {', '.join(cost.books) or 'no price book was used'}",
        ),
        bars="usual",
    )


def _before(summary: Summary) -> tuple[str, ...]:
    """What was expected of the run or, where these prices are others, which ones it was made with."""
    if summary.bill.priced_again:
        return again_note(summary.bill)
    return estimate_note(summary.cost, ended=summary.run.stop_reason == "completed")


def again_note(bill: Bill) -> tuple[str, ...]:
    """What the run itself was priced with, where these prices are others."""
    then = bill.priced_again
    return (f"Priced again; the run itself was priced with {then}. Nothing was measured again.",) if then else ()


def _meters(cost: CostReport, bill: Bill) -> tuple[Row, ...]:
    """By meter, or the sums of the rows where their meters cannot be told apart."""
    if bill.meters:
        rows = [row(f"  {capital(each.name)}", usd(each.usd), _quantity(each), _rate(each)) for each in bill.meters]
        return barred(rows, [each.usd for each in bill.meters])
    rows = [row(f"  {each.title}", usd(each.usd), _tokens(each.tokens), "") for each in cost.meters]
    return barred(rows, [each.usd for each in cost.meters])


def _tokens(tokens: int | None) -> str:
    return MISSING if tokens is None else f"{tokens:,} tokens"


def _quantity(meter: BillMeter) -> str:
    return f"{number(meter.quantity, 2 if meter.unit == 'minutes' else 0)} {meter.unit}"


def _rate(meter: BillMeter) -> str:
    if meter.rate_usd is None:
        return "no known price" if meter.usd is None else "several rates"
    return f"{usd_rate(meter.rate_usd)} {'a minute' if meter.unit == 'minutes' else 'per 1M'}"


def _unit_row(unit: UnitPrice) -> Row:
    over = amount(unit.n, "turn" if unit.name == "turn" else "call")
    return row(
        unit.title, Cell(usd(unit.usd), limits(unit.low_usd, unit.high_usd)), f"over {over}" if unit.n else "", ""
    )


def limits(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{usd(low)}..{usd(high)}"


def _cache_sentence(cache: CacheSaving) -> str:
    """What came from the cache, and what that saved."""
    share = percent(cache.cached_tokens / cache.input_tokens)
    tokens = f"{share} of the input tokens came from the cache ({cache.cached_tokens:,} of {cache.input_tokens:,})"
    if cache.saved_usd is None or cache.paid_usd is None:
        return f"{tokens}; what that saved is not known."
    verb = "saved" if cache.saved_usd >= 0 else "cost"
    return f"{tokens}: {usd(cache.paid_usd)} instead of {usd(cache.fresh_usd)}, {verb} {usd(abs(cache.saved_usd))}."


def growth_tables(rows: list[GrowthRow]) -> tuple[Table, ...]:
    """Mean cost and tokens of the turns of each number."""
    if not rows:
        return ()
    first, last = rows[0], rows[-1]
    notes = [GROWTH]
    if first.usd and last.usd is not None:
        notes.append(f"Turn {last.turn} costs {number(last.usd / first.usd, 1)} times as much as turn {first.turn}.")
    shown = [
        row(
            f"Turn {each.turn}",
            Cell(usd(each.usd), limits(each.low_usd, each.high_usd)),
            number(each.input_tokens),
            number(each.cached_tokens),
            number(each.output_tokens),
            f"{each.n:,}",
        )
        for each in rows
    ]
    columns = (
        Column("USD"),
        Column("input tokens", "in"),
        Column("of it cached", "cached"),
        Column("output tokens", "out"),
        Column("turns", brief=False),
    )
    table = Table(
        "Cost by turn of a call",
        columns,
        barred(shown, [each.usd for each in rows]),
        "Turn",
        heading="COST BY TURN OF A CALL (mean)",
        notes=tuple(notes),
        most=BRIEF_TURNS,
        bars="usual",
    )
    return (table,)


def history_tables(lines: list[PriceLine]) -> tuple[Table, ...]:
    """The steps of each line: from when to when which price held."""
    rows = [each for line in lines for each in _steps(line)]
    if not rows:
        return ()
    columns = (Column("USD"), Column("change"), Column("price books", text=True))
    return (Table("Price history", columns, tuple(rows), "Model, from", heading="PRICE HISTORY", notes=(HISTORY,)),)


def _steps(line: PriceLine) -> list[Row]:
    rows, before = [], None
    for usd_then, group in groupby(line.points, key=lambda point: None if point.usd is None else round(point.usd, 9)):
        points = list(group)
        change = "" if before is None or usd_then is None else _change(before, usd_then)
        rows.append(row(f"{line.model}, {points[0].date}", usd(points[0].usd), change, _books(points)))
        before = usd_then if usd_then is not None else before
    return rows


def _change(before: float, now: float) -> str:
    if not before:
        return MISSING
    share = now / before - 1
    return f"{'+' if share > 0 else ''}{percent(share)}"


def _books(points: list[PricePoint]) -> str:
    if points[0].lacking:
        return f"{points[0].book}: {'; '.join(points[0].lacking)}"
    first, last = points[0], points[-1]
    if len(points) == 1:
        return first.book
    return f"{first.book} to {last.book}, unchanged in {len(points)} readings"
