"""`bench cost RUN`: the bill of a stored run, and what it says of a launch and of other models.

In: a run folder and what is asked. Out: a `RunCost`, as data and as text. Nothing is measured and nothing is written.
Trap: targets that were called in turn are products of their own, so each has a projection of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bench.config.block import nearest
from bench.errors import BenchError
from bench.report.bill import bill
from bench.report.bill_history import dated_books, history
from bench.report.bill_learned import learn
from bench.report.bill_models import model_bills
from bench.report.bill_projection import Launch, project
from bench.report.bill_section import again_note, bill_table, growth_tables, history_tables
from bench.report.bill_text import models_table, projection_table
from bench.report.bill_usage import usage_of
from bench.report.document import Table
from bench.report.findings_bill import Bill, ModelBill, Projection
from bench.report.findings_cost import CostReport
from bench.report.money import cost
from bench.report.phrases import MISSING, amount, plain
from bench.report.reprice import reprice
from bench.report.terminal import LINE_WIDTH, render_tables
from bench.report.view import View, equals, view_of
from bench.store.reader import Run, read_run


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks of a run. `project`: a launch was described."""

    launch: Launch = field(default_factory=Launch)
    project: bool = False
    models: tuple[str, ...] = ()
    book: str | None = None
    transcription_model: str | None = None
    target: str | None = None


class RunCost(BaseModel):
    """Everything that is printed, for programs: `bench cost RUN --json`."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    run_id: str
    scenario_name: str
    model: str | None
    calls: int
    turns: int
    cost: CostReport
    bill: Bill
    projections: list[Projection] = Field(default_factory=list)
    models: list[ModelBill] = Field(default_factory=list)


def run_cost(path: Path, asked: Asked) -> RunCost:
    """The bill of the run in `path`, and what is asked besides.

    Raises `BenchError` for a target or a book that is not there, and for a launch without an answered call.
    """
    run = read_run(path)
    run = run if asked.target is None else _of_target(run, asked.target)
    again = reprice(run, asked.book) if asked.book is not None else None
    view = view_of(again.run if again else run)
    found = RunCost(
        run_id=run.manifest.run_id,
        scenario_name=run.manifest.scenario_name,
        model=", ".join(dict.fromkeys(str(name) for name in run.sessions["model"].dropna())) or None,
        calls=len(run.sessions),
        turns=len(run.turns),
        cost=cost(view),
        bill=bill(view, again),
        projections=_projections(view, asked.launch) if asked.project else [],
        models=model_bills(
            run, asked.models, asked.launch, book=asked.book, transcription_model=asked.transcription_model
        ),
    )
    if asked.models:
        books, usage = dated_books(run.manifest), usage_of(run)
        lines = [history(model, usage, books, of_run=False) for model in asked.models]
        found.bill.history = [line for line in lines if line.points]
    return found


def _of_target(run: Run, name: str) -> Run:
    """The rows of one target."""
    names = run.manifest.interleaved
    if name not in names:
        allowed = f"name one of: {', '.join(names)}" if names else "leave out --target: the run has one target"
        raise BenchError(f"--target: found '{name}'{nearest(name, names)}", hint=allowed)
    turns, sessions = (frame[frame["target"] == name].reset_index(drop=True) for frame in (run.turns, run.sessions))
    return Run(run.folder, run.manifest, turns, sessions, run.incomplete, run.reasons)


def _projections(view: View, launch: Launch) -> list[Projection]:
    """One, or one for each target that was called."""
    names = [name for name in view.run.manifest.interleaved if equals(view.sessions, "target", name).any()]
    parts = [(name, equals(view.sessions, "target", name)) for name in names] if len(names) > 1 else [(None, None)]
    found = []
    for name, calls in parts:
        learned = learn(view, calls)
        if learned is not None:
            found.append(project(learned, launch).model_copy(update={"target": name}))
    if not found:
        raise BenchError(
            "no measured call of this run was answered, so a launch cannot be projected from it",
            hint="run the scenario again, or leave out --calls-per-day, --minutes and --peak-hour",
        )
    return found


def run_cost_text(found: RunCost, width: int = LINE_WIDTH) -> str:
    """All of it for a terminal."""
    what = f"{amount(found.turns, 'turn')} in {amount(found.calls, 'call')}, model {plain(found.model or MISSING)}"
    example = (" (example prices, which no vendor charges)",) if found.cost.example_prices else ()
    tables: list[Table] = [
        bill_table(found.cost, found.bill, again_note(found.bill)),
        *growth_tables(found.bill.growth),
        *map(projection_table, found.projections),
        *([models_table(found.models)] if found.models else []),
        *history_tables(found.bill.history),
    ]
    return f"{plain(found.run_id)}: {what}{''.join(example)}\n\n{render_tables(tables, width)}"
