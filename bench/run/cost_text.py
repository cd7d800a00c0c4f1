"""An estimate as text: the sum first, then meters, turns, what a budget makes of it, and what was assumed.

In: an `Estimate` and the budget. Out: lines for a terminal. Trap: a sum that is not known is "-" with its reason.
"""

from __future__ import annotations

from bench.report.phrases import MISSING, amount, number, usd, usd_limit
from bench.run.estimate import Estimate, MeterLine, Range
from bench.scenario.budget import Budget

WIDTH = 32


def cost_line(estimate: Estimate) -> str:
    """One line: `estimated cost: $0.081 ($0.071 to $0.092) for 12 calls, 4.2 minutes`."""
    whole = f"for {_calls(estimate)}, about {number(estimate.minutes.mid, 1)} minutes of calls"
    if estimate.usd is None:
        return f"estimated cost: - {whole}: {'; '.join(estimate.unknown)}"
    example = ", at example prices" if estimate.example_prices else ""
    return f"estimated cost: {_range(estimate.usd)} {whole}{example}"


def cost_text(name: str, estimate: Estimate, budget: Budget | None) -> str:
    """All of it."""
    each = amount(estimate.turns_per_call, "turn")
    blocks = [
        f"{name}: {cost_line(estimate)}\n  {each} a call; model {estimate.model or MISSING}",
        _table("EXPECTED, BY METER", [_meter(line) for line in estimate.meters]),
        _table("SUMS, EXPECTED (LOW TO HIGH)", _sums(estimate)),
    ]
    if estimate.turn_usd and any(estimate.turn_usd):
        blocks.append(_table("BY TURN OF A CALL", _turns(estimate)))
    if budget is not None:
        blocks.append(_table("BUDGET", [("", said) for said in budget_sentences(estimate, budget)]))
    prices = ", ".join(estimate.books) or "no price book has this model"
    said = [*estimate.assumed, f"prices: {prices}" + (" (example prices, no bill)" if estimate.example_prices else "")]
    blocks.append("\n".join(["ASSUMED", *(f"  {line}" for line in said)]))
    return "\n\n".join(blocks) + "\n"


def budget_sentences(estimate: Estimate, budget: Budget) -> list[str]:
    """What each limit makes of the plan."""
    found = []
    if budget.max_usd is not None:
        limit = f"max_usd = {usd_limit(budget.max_usd)}"
        known = estimate.usd
        found.append(f"{limit}: not known" if known is None else _verdict(limit, known, budget.max_usd, estimate))
    if budget.max_minutes is not None:
        limit = f"max_minutes = {budget.max_minutes:g}"
        found.append(_verdict(limit, estimate.minutes, budget.max_minutes, estimate))
    if budget.max_sessions is not None:
        limit = f"max_sessions = {budget.max_sessions:,}"
        found.append(_verdict(limit, estimate.calls, budget.max_sessions, estimate))
    return found


def _verdict(limit: str, asked: Range, allowed: float, estimate: Estimate) -> str:
    if asked.high <= allowed:
        return f"{limit}: covers the plan, also if it goes as in the high case"
    if asked.mid <= allowed:
        return f"{limit}: covers the plan as expected, not in the high case"
    calls = estimate.calls.mid * allowed / asked.mid
    return f"{limit}: ends the run after about {number(calls)} of {number(estimate.calls.mid)} calls"


def _calls(estimate: Estimate) -> str:
    calls = estimate.calls
    said = f"{number(calls.mid)} call{'' if calls.mid == 1 else 's'}"
    return said if calls.low == calls.high else f"about {said} ({number(calls.low)} to {number(calls.high)})"


def _range(value: Range) -> str:
    return f"{usd(value.mid)} ({usd(value.low)} to {usd(value.high)})"


def _meter(line: MeterLine) -> tuple[str, str]:
    quantity = f"{number(line.quantity, 1)} minutes" if line.by_minute else f"{number(line.quantity)} tokens"
    unit = "a minute" if line.by_minute else "a million"
    price = "no known price" if line.usd_each is None else f"at {usd_limit(line.usd_each)} {unit}"
    return line.title, f"{usd(line.usd):>12}  {quantity:>20}  {price}"


def _sums(estimate: Estimate) -> list[tuple[str, str]]:
    rows = (
        ("Total", estimate.usd),
        ("Per call", estimate.per_call_usd),
        ("Per minute of calls", estimate.per_minute_usd),
    )
    said = [(title, _aligned(value)) for title, value in rows]
    minutes = estimate.minutes
    limits = f"({number(minutes.low, 1)} to {number(minutes.high, 1)})"
    return [*said, ("Minutes of calls", f"{number(minutes.mid, 1):>12}  {limits}")]


def _aligned(value: Range | None) -> str:
    if value is None:
        return f"{MISSING:>12}"
    return f"{usd(value.mid):>12}  ({usd(value.low)} to {usd(value.high)})"


def _turns(estimate: Estimate) -> list[tuple[str, str]]:
    most = max(estimate.turn_usd)
    rows = [
        (f"Turn {place + 1}", f"{usd(value):>12}  {'█' * round(24 * value / most)}")
        for place, value in enumerate(estimate.turn_usd)
    ]
    return rows + ([("Outside turns", f"{usd(estimate.beside_usd):>12}")] if estimate.beside_usd else [])


def _table(heading: str, rows: list[tuple[str, str]]) -> str:
    return "\n".join([heading, *(f"  {f'{title:<{WIDTH}} ' if title else ''}{said}" for title, said in rows)])
