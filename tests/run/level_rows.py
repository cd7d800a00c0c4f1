"""Rows of calls as a level of a search gets them, one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bench.measure.records import SessionRecord, TurnRecord
from tests.report import build


def _who(caller: int, call: str | None) -> dict[str, Any]:
    return build.identity("run", caller, warmup=False) | {"caller": caller, "session_id": call or f"call-{caller}"}


def turn_row(caller: int = 0, *, call: str | None = None, good: bool = True, **changes: Any) -> TurnRecord:
    """An answered turn of `caller`; one that is not good was refused by a rate limit."""
    row = build.turn_row(np.random.default_rng(1), _who(caller, call), 0, 0.0, 1)
    row.first_audible_ms, row.in_total, row.out_total = 800.0, 300, 100
    if not good:
        row = build.fail(row, "failed", "rate_limit", "rate_limit_exceeded", "slow down")
    return replace(row, **changes)


def call_row(caller: int = 0, *, call: str | None = None, **changes: Any) -> SessionRecord:
    """A call of `caller` of one turn, which ended well after half a minute."""
    turns = [turn_row(caller, call=call)]
    row = build.call_row(_who(caller, call), turns, 0.0, np.random.default_rng(1))
    return replace(row, **{"duration_ms": 30_000.0, **changes})


def refused_row(caller: int, **changes: Any) -> SessionRecord:
    """A call that never became ready: the server has no session left."""
    told = {"error_kind": "rate_limit", "error_code": "session_limit_reached", "stage": "ready"}
    nothing = {"status": "failed", "session_ready_ms": None, "turns_ended": 0, "turns_ok": 0}
    return call_row(caller, call=f"refused-{caller}", **{**told, **nothing, **changes})
