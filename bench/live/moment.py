"""One moment of a run under way, as the process of the page gets it: what rows cannot tell.

In: a `Progress`. Out: a small mapping for JSON: phase, calls open and talking, workers, limits and what is used of
them. Trap: it is made in the loop that paces audio, once a second, so it must not grow with the run.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.load.progress import Progress
from bench.load.spend import Spend
from bench.report.phrases import usd, usd_limit
from bench.scenario.budget import Budget


def moment_of(progress: Progress, budget: Budget | None) -> dict[str, Any]:
    """What the page shows of `progress`."""
    calls = progress.calls
    return {
        "phase": progress.phase,
        "elapsed_s": round(progress.elapsed_s, 2),
        "done": None if progress.done is None else round(progress.done, 4),
        "open": calls.open,
        "talking": calls.talking,
        "begun": calls.started,
        "dropped": calls.dropped,
        "workers": [asdict(worker) for worker in progress.workers],
        "limits": [] if budget is None else limits_of(progress, budget),
        "disk_failure": progress.disk_failure,
    }


def limits_of(progress: Progress, budget: Budget) -> list[dict[str, Any]]:
    """Each limit of the budget: its name, what is used, as a share and in words."""
    spend, calls = progress.spend or Spend(), progress.calls
    found = []
    if budget.max_usd is not None:
        unsure = spend.estimated_usd + spend.in_flight_usd
        also = f", {usd(unsure)} more estimated" if unsure else ""
        known = usd(spend.known_usd) if spend.priced else "-"
        found.append(
            _limit("Money", spend.committed_usd, budget.max_usd, f"{known} of {usd_limit(budget.max_usd)}{also}")
        )
    if budget.max_minutes is not None:
        minutes = calls.call_s / 60
        found.append(
            _limit("Minutes of calls", minutes, budget.max_minutes, f"{minutes:,.1f} of {budget.max_minutes:g}")
        )
    if budget.max_sessions is not None:
        found.append(
            _limit("Calls", calls.started, budget.max_sessions, f"{calls.started:,} of {budget.max_sessions:,}")
        )
    return found


def _limit(name: str, used: float, most: float, text: str) -> dict[str, Any]:
    return {"name": name, "share": round(min(1.0, used / most), 4) if most else 1.0, "text": text}
