"""The screen of a run under way: a live panel on a terminal, a line now and then when piped.

In: `Progress` a few times a second; out: text. Trap: these numbers are for watching only (the percentiles are over
the latest turns); whatever a decision rests on is in the report.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.load.progress import Progress, Tally
from bench.load.spec import RunSpec
from bench.load.spend import Spend
from bench.load.watchers import Watcher
from bench.report.phrases import amount, usd, usd_limit
from bench.scenario.budget import Budget

PLAIN_EVERY_S = 5.0


def open_screen(console: Console) -> Callable[[RunSpec], Watcher]:
    """A live panel where the console is a terminal, plain lines where it is not."""

    def opened(spec: RunSpec) -> Watcher:
        budget = spec.scenario.budget
        if console.is_terminal:
            return PanelScreen(console, spec.scenario.name, budget)
        return PlainScreen(console, budget)

    return opened


def percentiles(values: list[float]) -> str:
    """`p50 / p95` in ms of the latest samples, "-" where there are too few."""
    if not values:
        return "-"
    p50, p95 = np.percentile(values, [50, 95])
    return f"{p50:,.0f} / {p95:,.0f} ms" if len(values) >= 20 else f"{p50:,.0f} / - ms"


def seconds(value: float) -> str:
    """`75` -> `1:15`."""
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def money(progress: Progress, budget: Budget | None = None) -> str:
    """Spend so far; "-" while nothing is priced, and a mark when some turns are not. With a budget, of its limits."""
    tally, spend = progress.tally, progress.spend
    if budget is not None:
        return of_budget(progress, budget, spend or Spend())
    if not tally.priced_turns:
        return "-"
    unpriced = tally.turns + tally.warmup_turns - tally.priced_turns
    return f"${tally.cost_usd:,.4f}" + (f" ({amount(unpriced, 'turn')} without a price)" if unpriced else "")


def of_budget(progress: Progress, budget: Budget, spend: Spend) -> str:
    """`$0.0120 of $0.05 (est. $0.0030 more), 1.2 of 5 min, 8 of 20 calls`; parts without a limit are left out."""
    parts = []
    if budget.max_usd is not None:
        unsure = spend.estimated_usd + spend.in_flight_usd
        also = f" (est. {usd(unsure)} more)" if unsure else ""
        parts.append(f"{usd(spend.known_usd) if spend.priced else '-'} of {usd_limit(budget.max_usd)}{also}")
    elif spend.priced:
        parts.append(usd(spend.known_usd))
    if budget.max_minutes is not None:
        parts.append(f"{progress.calls.call_s / 60:,.1f} of {budget.max_minutes:g} min")
    if budget.max_sessions is not None:
        parts.append(f"{progress.calls.started:,} of {budget.max_sessions:,} calls")
    return ", ".join(parts)


def errors(progress: Progress) -> str:
    """Failed turns, and calls that failed before a turn, by their cause, most frequent first; each counts once."""
    parts = [f"{kind} {count}" for kind, count in progress.tally.errors.most_common()]
    return ", ".join(parts) or "none"


def time_left(progress: Progress) -> str:
    """An estimate from the pace so far; "-" before there is one."""
    if not progress.done or progress.done >= 1 or progress.elapsed_s < 3:
        return "-"
    return seconds(progress.elapsed_s * (1 - progress.done) / progress.done)


def figures(progress: Progress, budget: Budget | None = None) -> list[tuple[str, str]]:
    """What a reader is shown, as (name, value)."""
    tally, calls = progress.tally, progress.calls
    warm = f" (+{tally.warmup_turns} warm-up)" if tally.warmup_turns else ""
    dropped = f", {calls.dropped} dropped" if calls.dropped else ""
    return [
        ("calls open", str(calls.open)),
        ("talking", str(calls.talking)),
        ("calls ended", f"{tally.sessions} of {calls.started} begun{dropped}"),
        ("turns", f"{tally.turns}{warm}"),
        *_waits(tally),
        ("errors", errors(progress)),
        ("spend" if budget is None else "budget", money(progress, budget)),
    ]


def _waits(tally: Tally) -> list[tuple[str, str]]:
    """How long callers wait: for a reply or, where nothing is answered, for the text of what they said."""
    replies = [
        ("first audible p50 / p95", percentiles(tally.first_audible_ms)),
        ("TTFT p50 / p95", percentiles(tally.ttft_ms)),
    ]
    if not tally.final_text_ms:
        return replies
    texts = [
        ("final text p50 / p95", percentiles(tally.final_text_ms)),
        ("word settled p50 / p95", percentiles(tally.word_settled_ms)),
    ]
    return [*replies, *texts] if tally.first_audible_ms or tally.ttft_ms else texts


class PlainScreen(Watcher):
    """One line every few seconds, for logs and CI."""

    def __init__(self, console: Console, budget: Budget | None = None) -> None:
        self._console = console
        self._budget = budget
        self._next_s = 0.0
        self._phase = ""

    def progress(self, progress: Progress) -> None:
        if progress.elapsed_s < self._next_s and progress.phase == self._phase:
            return
        self._next_s, self._phase = progress.elapsed_s + PLAIN_EVERY_S, progress.phase
        share = "" if progress.done is None else f" {progress.done:4.0%}"
        shown = ", ".join(f"{name} {value}" for name, value in figures(progress, self._budget))
        self.note(f"[{seconds(progress.elapsed_s):>5}]{share} {progress.phase:<9} {shown}")

    def note(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()


class PanelScreen(Watcher):
    """A panel that is redrawn in place from the first progress on, and leaves its last state on the screen."""

    def __init__(self, console: Console, title: str, budget: Budget | None = None) -> None:
        self._title = title
        self._budget = budget
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def progress(self, progress: Progress) -> None:
        self._live.start()
        self._live.update(self._draw(progress), refresh=True)

    def note(self, line: str) -> None:
        self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._live.stop()

    def _draw(self, progress: Progress) -> Group:
        head = Text.assemble(
            (self._title, "bold"), "  ", (progress.phase, "cyan"), f"  {seconds(progress.elapsed_s)} elapsed"
        )
        head.append(f"  {time_left(progress)} left", "dim")
        bar = Table.grid()
        bar.add_row(ProgressBar(total=1.0, completed=progress.done or 0.0, width=60, pulse=progress.done is None))
        grid = Table.grid(padding=(0, 2))
        for _ in range(4):
            grid.add_column()
        cells = [(name, Text(value, _colour(name, value))) for name, value in figures(progress, self._budget)]
        for left, right in zip(cells[::2], cells[1::2], strict=True):
            grid.add_row(*left, *right)
        return Group(head, bar, grid)


def _colour(name: str, value: str) -> str:
    return "" if name != "errors" else "green" if value == "none" else "red"
