"""The screen of a run under way: a live panel on a terminal, a line now and then when piped.

In: `Progress` a few times a second; out: text. Trap: these numbers are for watching only (the percentiles are over
the latest turns); whatever a decision rests on is in the report.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.load.worker import Progress

PLAIN_EVERY_S = 5.0


class View(Protocol):
    """Something that shows a run."""

    def update(self, progress: Progress) -> None: ...

    def note(self, line: str) -> None: ...

    def close(self) -> None: ...


def make_view(console: Console, title: str) -> View:
    """A live panel where the console is a terminal, plain lines where it is not."""
    return PanelView(console, title) if console.is_terminal else PlainView(console)


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


def money(progress: Progress) -> str:
    """Spend so far; "-" while nothing is priced, and a mark when some turns are not."""
    tally = progress.tally
    if not tally.priced_turns:
        return "-"
    unpriced = tally.turns + tally.warmup_turns - tally.priced_turns
    return f"${tally.cost_usd:,.4f}" + (f" ({unpriced} turns without a price)" if unpriced else "")


def errors(progress: Progress) -> str:
    """Errors by kind and turns that did not end well by status, most frequent first."""
    tally = progress.tally
    parts = [f"{kind} {count}" for kind, count in tally.errors.most_common()]
    parts += [f"{status} {count}" for status, count in tally.by_status.most_common() if status != "ok"]
    return ", ".join(parts) or "none"


def time_left(progress: Progress) -> str:
    """An estimate from the pace so far; "-" before there is one."""
    if not progress.done or progress.done >= 1 or progress.elapsed_s < 3:
        return "-"
    return seconds(progress.elapsed_s * (1 - progress.done) / progress.done)


class PlainView:
    """One line every few seconds, for logs and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0
        self._phase = ""

    def update(self, progress: Progress) -> None:
        if progress.elapsed_s < self._next_s and progress.phase == self._phase:
            return
        self._next_s, self._phase = progress.elapsed_s + PLAIN_EVERY_S, progress.phase
        tally = progress.tally
        share = "" if progress.done is None else f" {progress.done:4.0%}"
        self.note(
            f"[{seconds(progress.elapsed_s):>5}]{share} {progress.phase:<9} open {progress.open_sessions} "
            f"talking {progress.talking_sessions} turns {tally.turns + tally.warmup_turns} "
            f"first audible p50/p95 {percentiles(tally.first_audible_ms)} ttft {percentiles(tally.ttft_ms)} "
            f"errors: {errors(progress)} spend {money(progress)}"
        )

    def note(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()

    def close(self) -> None:
        """Nothing to tidy."""


class PanelView:
    """A panel that is redrawn in place, and leaves its last state on the screen."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._live.start()

    def update(self, progress: Progress) -> None:
        self._live.update(self._draw(progress), refresh=True)

    def note(self, line: str) -> None:
        self._live.console.print(line, markup=False, highlight=False)

    def close(self) -> None:
        self._live.stop()

    def _draw(self, progress: Progress) -> Group:
        tally = progress.tally
        head = Text.assemble(
            (self._title, "bold"), "  ", (progress.phase, "cyan"), f"  {seconds(progress.elapsed_s)} elapsed"
        )
        head.append(f"  {time_left(progress)} left", "dim")
        bar = Table.grid()
        bar.add_row(ProgressBar(total=1.0, completed=progress.done or 0.0, width=60, pulse=progress.done is None))
        grid = Table.grid(padding=(0, 2))
        for _ in range(4):
            grid.add_column()
        warm = f" (+{tally.warmup_turns} warm-up)" if tally.warmup_turns else ""
        dropped = f", {progress.dropped} dropped" if progress.dropped else ""
        grid.add_row("calls open", str(progress.open_sessions), "talking", str(progress.talking_sessions))
        grid.add_row(
            "calls ended", f"{tally.sessions} of {progress.started} begun{dropped}", "turns", f"{tally.turns}{warm}"
        )
        grid.add_row(
            "first audible p50 / p95", percentiles(tally.first_audible_ms), "TTFT p50 / p95", percentiles(tally.ttft_ms)
        )
        found = errors(progress)
        grid.add_row("errors", Text(found, "red" if found != "none" else "green"), "spend", money(progress))
        return Group(head, bar, grid)
