"""`bench cost RUN` as tables: the bill, a launch, other models, the price history.

In: what was computed of a stored run. Out: `Table`s for the terminal.
Trap: a figure that the run cannot support is "-", with the reason under its table.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.bill_section import limits
from bench.report.document import Cell, Column, Row, Table, row
from bench.report.findings_bill import ModelBill, Projected, Projection, UnitPrice
from bench.report.phrases import MISSING, amount, number, usd
from bench.report.stats import MIN_CLUSTERS

DOUBT = (
    "Ranges are 95 % intervals: how well the mean of the run's own calls is known. Days that differ are not in them."
)


def projection_table(found: Projection) -> Table:
    """A launch: what a call costs, a day and a month, and what comes at the peak."""
    whose = f" of {found.target}" if found.target else ""
    rows = [
        _money(f"A call of {_minutes(found.minutes)}", found.call_usd, f"{_figure(found.turns, 1)} turns"),
        _money("A minute of it", found.minute_usd),
        row("Tokens of a call, in and out", *_cells(found.call_tokens), ""),
    ]
    if found.calls_per_day is not None:
        rows += [
            _money(f"A day, {number(found.calls_per_day)} calls", found.day_usd),
            _money(f"A month of {amount(found.days, 'day')}", found.month_usd),
        ]
    return Table(
        "Projection",
        (Column(""), Column("")),
        (*rows, *_peak(found)),
        heading=f"PROJECTION{whose.upper()}, learned from {amount(found.calls, 'call')}",
        footnotes=(*_learned(found), DOUBT if found.call_usd.low is not None else _no_range(found)),
    )


def _no_range(found: Projection) -> str:
    if found.call_usd.value is None:
        return "No cost: a price or a count is missing, see the bill above."
    if found.calls >= MIN_CLUSTERS:
        return "No ranges: what some calls used is not known, so that too few are left in some of the resamples."
    return f"No ranges: they need {MIN_CLUSTERS} calls, and there {'is' if found.calls == 1 else 'are'} {found.calls}."


def _learned(found: Projection) -> list[str]:
    """What the run's own calls were, what length does to cost, and where the projection leaves what was seen."""
    own = f"The run's own calls: {number(found.own_turns, 1)} turns in {_minutes(found.own_minutes)}"
    said = [f"{own}, {usd(found.own_call_usd)} each."]
    times = found.minutes / found.own_minutes
    if found.call_usd.value is not None and found.own_call_usd and abs(times - 1) > 0.01:
        cost = number(found.call_usd.value / found.own_call_usd, 1)
        why = "the model is billed by the minute" if found.by_minute else "every response reads the whole call again"
        said.append(f"{number(times, 1)} times the length costs {cost} times as much: {why}.")
    if found.extrapolated and not found.by_minute:
        said += _extrapolated(found)
    return said


def _extrapolated(found: Projection) -> list[str]:
    if found.call_tokens.value is None and found.longest_turns == 1:
        return ["No call of the run has a second turn, so nothing is known of longer ones."]
    said = [
        f"Extrapolated: the longest call of the run had {amount(found.longest_turns, 'turn')}. Beyond it, cost and "
        f"input grow in a straight line, to {number(found.last_input_tokens)} input tokens in the last turn.",
        "The low end of the range has every later turn cost what the last one did.",
    ]
    if found.longest_turns == 2:
        said.append("Two turns overstate the growth where a server caches, for the first has nothing to be cached.")
    return [*said, "For a closer figure, make a run of longer calls."]


def _peak(found: Projection) -> list[Row]:
    if found.peak_calls_per_hour is None or found.peak_share is None:
        return []
    share = f"{100 * found.peak_share:.10g} % of a day"
    at_once = number(found.peak_calls_at_once, 1)
    return [
        row(f"Peak hour, {share}", f"{number(found.peak_calls_per_hour)} calls", _usd(found.peak_hour_usd)),
        row("  Calls open at once, mean", at_once, "calls a minute x minutes each (Little's law)"),
        row("  Lines", number(found.peak_lines), "with which at most 1 % of calls find none free (Erlang B)"),
        row("  Tokens a minute", *_cells(found.peak_tokens_per_min), ""),
        row("  Responses a minute", *_cells(found.peak_responses_per_min), ""),
    ]


def _usd(value: Projected | None) -> str:
    return "" if value is None or value.value is None else usd(value.value)


def _cells(value: Projected | None) -> tuple[Cell]:
    if value is None:
        return (Cell(MISSING),)
    under = "" if value.low is None or value.high is None else f"{number(value.low)}..{number(value.high)}"
    return (Cell(number(value.value), under),)


def _money(title: str, value: Projected | None, beside: str = "") -> Row:
    if value is None:
        return row(title, MISSING, beside)
    return row(title, Cell(usd(value.value), limits(value.low, value.high)), beside)


def _figure(value: Projected, places: int) -> str:
    return number(value.value, places)


def _minutes(minutes: float) -> str:
    return f"{number(minutes, 1).removesuffix('.0')} min"


def models_table(bills: Sequence[ModelBill]) -> Table:
    """Total, a minute, 1,000 calls; what is missing stands where the sum would."""
    monthly = any(each.month_usd is not None for each in bills)
    rows = []
    for each in bills:
        cells = [usd(each.usd), _unit(each.minute), _unit(each.per_1000)]
        if monthly:
            cells.append(usd(each.month_usd.value if each.month_usd else None))
        title = f"{each.model} (as run)" if each.as_run else each.model
        rows.append(row(title, *cells, _beside(each)))
    lacking = tuple(f"{each.model}: {'; '.join(each.lacking)}" for each in bills if each.lacking)
    columns = [Column("the run"), Column("a minute", "a minute"), Column("1,000 calls", "per 1,000 calls")]
    columns += [Column("a month", "a month")] if monthly else []
    return Table(
        "The same traffic as other models",
        (*columns, Column("prices", text=True)),
        tuple(rows),
        heading="THE SAME TRAFFIC AS OTHER MODELS",
        footnotes=(
            *lacking,
            "The tokens are those that the run's model used; another model would say other things.",
        ),
    )


def _unit(unit: UnitPrice) -> str:
    return usd(unit.usd)


def _beside(bill: ModelBill) -> str:
    if not bill.lacking:
        return ", ".join(bill.books)
    return f"at least {usd(bill.known_usd)}" if bill.known_usd else "no known price"
