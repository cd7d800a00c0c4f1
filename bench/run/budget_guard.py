"""Ends a run before its budget would be passed, and keeps what was used of it.

In: rows as they end, and the progress of the run. Out: a `Stop` that names spent, estimated part and limit.
Trap: the limit on money is judged with the turns that are in flight, at what such turns cost, so that hanging up now
still ends below it. The limit on calls is part of the plan (`bench.load.users` begins no more), not judged here.
"""

from __future__ import annotations

from dataclasses import replace

from bench.errors import BenchError
from bench.load.progress import Progress
from bench.load.spec import Callee, RunSpec
from bench.load.spend import Expectation, Ledger, Ledgers, Spend
from bench.measure.records import SessionRecord, TurnRecord
from bench.report.phrases import amount, number, usd, usd_limit
from bench.run.conduct import TICK_S, Stop
from bench.run.estimate import Estimate, estimate
from bench.run.unpriced import unpriced
from bench.run.watchdog import Watchdog
from bench.scenario.budget import Budget
from bench.scenario.load_shapes import shape_of
from bench.store.manifest import BudgetUsed
from bench.workers.messages import SHIP_S

STOPPED_BY_BUDGET = "budget"
"""`stop_reason` of a run that its budget ended."""


class BudgetGuard(Watchdog):
    """Watches money and minutes of one run."""

    def __init__(self, budget: Budget, ledger: Ledger | Ledgers) -> None:
        self._budget = budget
        self._ledger = ledger
        self._latest: Progress | None = None

    def turn(self, row: TurnRecord) -> None:
        self._ledger.turn(row)

    def session(self, row: SessionRecord) -> None:
        self._ledger.session(row)

    def seen(self, progress: Progress) -> Progress:
        self._latest = replace(progress, spend=self._spend(progress))
        return self._latest

    def _spend(self, progress: Progress) -> Spend:
        spend = self._ledger.spend(calls_open=progress.calls.open, call_s=progress.calls.call_s)
        # Should a row have failed to reach this watchdog, the tally of all rows is the least that is spent.
        return replace(spend, known_usd=max(spend.known_usd, progress.tally.cost_usd))

    def __call__(self, progress: Progress) -> Stop | None:
        return self._money(progress) or self._minutes(progress)

    def _money(self, progress: Progress) -> Stop | None:
        limit, spend = self._budget.max_usd, progress.spend or self._spend(progress)
        if limit is None or spend.committed_usd < limit:
            return None
        parts = [f"{usd(spend.known_usd)} spent"]
        if spend.guessed:
            turns = f"{amount(spend.guessed, 'turn')} without a usage or a price"
            parts.append(f"{usd(spend.estimated_usd)} estimated for {turns}")
        if spend.in_flight:
            parts.append(f"{usd(spend.in_flight_usd)} estimated for {amount(spend.in_flight, 'turn')} in flight")
        whole = "" if len(parts) == 1 else f", {usd(spend.committed_usd)} together"
        return Stop(STOPPED_BY_BUDGET, f"{_BY}{', '.join(parts)}{whole}; the limit is max_usd = {usd_limit(limit)}")

    def _minutes(self, progress: Progress) -> Stop | None:
        limit, calls = self._budget.max_minutes, progress.calls
        if limit is None:
            return None
        # What open calls add until this is asked again, and what workers in other processes have not told yet.
        unseen_s = calls.open * (TICK_S + (SHIP_S if progress.workers else 0.0))
        if calls.call_s + unseen_s < limit * 60:
            return None
        said = f"{number(calls.call_s / 60, 2)} minutes of calls"
        return Stop(STOPPED_BY_BUDGET, f"{_BY}{said}; the limit is max_minutes = {limit:g}")

    def at_end(self) -> Stop | None:
        if self._latest is None or not self._latest.calls.withheld:
            return None
        begun, limit = self._latest.calls.started, self._budget.max_sessions
        said = f"{amount(begun, 'call')} begun, and the load asks for more"
        return Stop(STOPPED_BY_BUDGET, f"{_BY}{said}; the limit is max_sessions = {limit:,}")

    @property
    def used(self) -> BudgetUsed:
        """What the report tells; to be asked when every row has come."""
        budget, calls = self._budget, self._latest.calls if self._latest else None
        spend = self._ledger.spend(calls_open=0, call_s=0.0)
        return BudgetUsed(
            max_usd=budget.max_usd,
            max_minutes=budget.max_minutes,
            max_sessions=budget.max_sessions,
            known_usd=spend.known_usd if spend.priced else None,
            estimated_usd=spend.estimated_usd if spend.estimated_usd or not spend.guessed else None,
            estimated_turns=spend.guessed,
            minutes=calls.call_s / 60 if calls else 0.0,
            sessions=calls.started if calls else 0,
        )


_BY = "stopped by the budget: "


def budget_guard(spec: RunSpec) -> BudgetGuard | None:
    """The guard of the scenario's budget; None without one. Raises `BenchError` for money that cannot be counted."""
    budget = spec.scenario.budget
    if budget is None:
        return None
    refuse_unpriced(spec)
    refuse_too_little(budget, estimate(spec.scenario, spec.fixtures, spec.books))
    ledgers = {each.name: _ledger(each, spec) for each in spec.callees}
    return BudgetGuard(budget, Ledgers(ledgers) if len(ledgers) > 1 else next(iter(ledgers.values())))


def _ledger(callee: Callee, spec: RunSpec) -> Ledger:
    rates = callee.books.rates(callee.target.model)
    by_minute = rates.session_usd_per_minute if rates is not None and rates.tokens_usd_per_million is None else None
    planned = estimate(callee.scenario, spec.fixtures, callee.books)
    expected = Expectation(
        planned.turn_usd, planned.low_turn_usd, planned.transcription_usd, beside_usd=planned.beside_usd
    )
    return Ledger(expected, spec.scenario.turns, by_minute)


def refuse_too_little(budget: Budget, planned: Estimate) -> None:
    """Raise `BenchError` where the money is not enough for a single turn: nothing would be measured."""
    first = planned.low_turn_usd[0] if planned.low_turn_usd else 0.0
    if budget.max_usd is not None and budget.max_usd < first:
        raise BenchError(
            f"budget.max_usd = {usd_limit(budget.max_usd)} is less than the first turn of a call costs "
            f"({usd(first)} at the least): the run would end before it measured anything",
            hint="raise it; bench cost SCENARIO shows what each turn is expected to cost",
        )


def _unpriced(spec: RunSpec) -> list[str]:
    found = []
    for each in spec.callees:
        transcription = each.scenario.session.transcription
        model = transcription.model if transcription is not None else None
        answers = not each.scenario.session.transcribes
        found += unpriced(each.books, each.target.model, model, answers=answers)
    return list(dict.fromkeys(found))


def refuse_unpriced(spec: RunSpec) -> None:
    """Raise `BenchError` where `max_usd` is the only limit and not everything has a price."""
    budget, missing = spec.scenario.budget, _unpriced(spec)
    if budget is None or budget.max_usd is None or not missing:
        return
    if budget.max_minutes is None and budget.max_sessions is None:
        raise BenchError(
            f"{spec.scenario.source}: budget.max_usd: spending cannot be counted: {'; '.join(missing)}",
            hint="name a price book that lists it (pricing.book), the model whose prices it has (pricing.model, "
            "pricing.transcription_model), or bound the run by budget.max_minutes or budget.max_sessions as well",
        )


def budget_remarks(spec: RunSpec) -> list[str]:
    """What a limit on money will not do: count what has no price, or last for as many calls at a time as are asked."""
    budget, missing = spec.scenario.budget, _unpriced(spec)
    if budget is None or budget.max_usd is None:
        return []
    if missing:
        return [f"budget.max_usd counts only what has a price: {'; '.join(missing)}"]
    planned = estimate(spec.scenario, spec.fixtures, spec.books)
    most = min(shape_of(spec.scenario.load).most_open() or 1, max(1, round(planned.calls.mid)))
    first = most * planned.low_turn_usd[0] if planned.low_turn_usd else 0.0
    if budget.max_usd > first:
        return []
    return [
        f"budget.max_usd = {usd_limit(budget.max_usd)} does not cover the first turn of {most:,} calls at a time "
        f"({usd(first)} at the least): the run will end before they are over; raise it, or lower the load"
    ]
