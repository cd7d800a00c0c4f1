"""The traffic of a run as other models, side by side.

In: a stored `Run`, names of models, books. Out: a `ModelBill` for each, in the order asked for.
Trap: the tokens are those that the run's model used. Another one says other things at other lengths, so this compares
prices and not products; and a model that lacks one rate has no sum, however small that part would be.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.bill import units
from bench.report.bill_learned import learn
from bench.report.bill_price import price_run
from bench.report.bill_projection import Launch, project
from bench.report.bill_usage import pooled_usage, usage_of
from bench.report.findings_bill import ModelBill
from bench.report.reprice import at_prices
from bench.report.view import view_of
from bench.store.prices import RunPrices
from bench.store.reader import Run


def model_bills(
    run: Run,
    models: Sequence[str],
    launch: Launch,
    *,
    book: str | None = None,
    transcription_model: str | None = None,
) -> list[ModelBill]:
    """One for each of `models`, at the prices of `book` or else those of the run's own books."""
    return [
        _bill(run, model, RunPrices.as_model(run.manifest, model, book, transcription_model), launch)
        for model in models
    ]


def _bill(run: Run, model: str, prices: RunPrices, launch: Launch) -> ModelBill:
    priced = price_run(pooled_usage(usage_of(run)), prices.of_call)
    lacking = [str(unknown) for unknown in priced.lacking()]
    known = priced.total_usd()
    again = at_prices(run, prices)
    view = view_of(again)
    by_name = {unit.name: unit for unit in units(view)}
    learned = learn(view) if launch.calls_per_day is not None else None
    return ModelBill(
        model=model,
        usd=None if lacking else known,
        known_usd=known,
        minute=by_name["talk_minute"],
        per_1000=by_name["1000_calls"],
        month_usd=project(learned, launch).month_usd if learned is not None else None,
        books=[f"{each.name} of {each.date}" for each in again.manifest.price_books],
        lacking=lacking,
    )
