"""One turn of a live test, as the page shows it: its milestones, words, cost.

In: the row of the turn, measured as in a run. Out: a mapping for JSON. Trap: what was not measured is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.measure.metrics import METRICS, milestones
from bench.measure.records import TurnRecord
from bench.report.phrases import STATUS_MEANINGS, usd

FIGURES = ("audio_rtf", "stalls")


def turn_card(row: TurnRecord, said: str, doubts: Sequence[str] = (), sharpness: str = "") -> dict[str, Any]:
    """What the page shows of `row`; `said` and `sharpness`: what the caller spoke and how it ended, where known."""
    reached = [(metric, mark.title, getattr(row, metric.name)) for metric, mark in milestones()]
    marks: list[dict[str, Any]] = [
        {"name": metric.name, "title": title, "at_ms": round(at, 1)} for metric, title, at in reached if at is not None
    ]
    return {
        "turn": row.turn,
        "said": said,
        "heard": row.hypothesis,
        "wer": row.wer if row.reference else None,
        "reply": row.reply_text,
        "status": row.status,
        "meaning": None if row.status == "ok" else STATUS_MEANINGS.get(row.status),
        "error": row.error_message or row.error_kind,
        "marks": sorted(marks, key=lambda mark: mark["at_ms"]),
        "figures": [
            {"title": metric.title, "decimals": metric.decimals, "value": getattr(row, metric.name)}
            for metric in map(METRICS.__getitem__, FIGURES)
        ],
        "cost_usd": row.cost_usd,
        "cost": usd(row.cost_usd),
        "cost_note": row.cost_note,
        "late": bool(row.client_late),
        "doubts": list(doubts),
        "sharpness": sharpness,
    }
