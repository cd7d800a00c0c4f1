"""What the run tells its exporter once a second: what rows cannot tell.

In: a `Progress`. Out: a small mapping for JSON. Trap: it is made in the loop that paces audio, so it must not grow with
the run.
"""

from __future__ import annotations

from typing import Any

from bench.load.progress import Progress
from bench.scenario.budget import Budget

MOST_WORKERS = 100


def moment_of(progress: Progress, budget: Budget | None) -> dict[str, Any]:
    """What `bench.export.now.moment_series` shows."""
    calls, spend = progress.calls, progress.spend
    limits: dict[str, float] = {}
    if budget is not None:
        if budget.max_usd and spend is not None:
            limits["usd"] = spend.committed_usd / budget.max_usd
        if budget.max_minutes:
            limits["minutes"] = calls.call_s / 60 / budget.max_minutes
        if budget.max_sessions:
            limits["calls"] = calls.started / budget.max_sessions
    return {
        "phase": progress.phase,
        "elapsed_s": round(progress.elapsed_s, 2),
        "done": progress.done,
        "open": calls.open,
        "talking": calls.talking,
        "begun": calls.started,
        "dropped": calls.dropped,
        "spend": None
        if spend is None or not spend.priced
        else {"known": spend.known_usd, "estimated": spend.estimated_usd, "in_flight": spend.in_flight_usd},
        "limits": limits,
        "workers": [
            {
                "name": f"w{place}",
                "open": worker.calls_open,
                "cpu": worker.cpu_percent / 100,
                "memory": worker.memory_bytes,
                "lost": float(worker.state == "lost"),
            }
            for place, worker in enumerate(progress.workers[:MOST_WORKERS])
        ],
    }
