"""A stored run whose usage is written by hand, with round counts, so that its bill can be worked out on paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.manifest import CalledTarget
from bench.store.reader import Run
from tests.report import build

FIRST = {"in_text": 100_000, "in_audio": 50_000, "out_text": 20_000, "out_audio": 40_000}
SECOND = {
    "in_text": 130_000,
    "in_audio": 110_000,
    "in_cached_text": 100_000,
    "in_cached_audio": 40_000,
    "out_text": 15_000,
    "out_audio": 30_000,
}
"""Every response reads the call again: what was input of the first turn comes from the cache."""


def turn(number: int, place: int, counts: dict[str, Any], **changes: Any) -> TurnRecord:
    who = build.identity(build.RUN_ID, number, warmup=False) | {"model": changes.pop("model", "gpt-realtime")}
    at_s = build.START.timestamp() + 60 * number + 20 * place
    values: dict[str, Any] = {
        "turn": place,
        "step": place,
        "fixture": "balance-rms",
        "language": "en",
        "accent": "us",
        "voice": "rms",
        "condition": None,
        "open_sessions": 1,
        "talking_sessions": 1,
        "manual": False,
        "started_at": at_s,
        "ended_at": at_s + 15,
        "speech_ms": 1800.0,
        "status": "ok",
        "first_audible_ms": 700.0,
        "responses": 1,
        "cost_unknown": "tokens (no price book is loaded, so costs are null)",
        **counts,
    }
    return TurnRecord(**who, **{**values, **changes})


def call(number: int, turns: int, **changes: Any) -> SessionRecord:
    """Two minutes from the open connection to its close, and two seconds before that."""
    who = build.identity(build.RUN_ID, number, warmup=False) | {"model": changes.pop("model", "gpt-realtime")}
    values: dict[str, Any] = {
        "started_at": build.START.timestamp() + 60 * number,
        "ended_at": build.START.timestamp() + 60 * number + 122,
        "status": "ok",
        "start_late_ms": 500.0,
        "connect_ms": 2500.0,
        "session_ready_ms": 2600.0,
        "duration_ms": 122_000.0,
        "turns_planned": turns,
        "turns_ended": turns,
        "turns_ok": turns,
        "cost_unknown": "tokens (no price book is loaded, so costs are null)",
    }
    return SessionRecord(**who, **{**values, **changes})


def stored(
    folder: Path, calls: Sequence[Sequence[dict[str, Any]]] = ((FIRST, SECOND), (FIRST, SECOND)), **changes: Any
) -> Run:
    """A run of these calls, each a list of its turns' usage, that had no price when it was made."""
    model = changes.pop("model", "gpt-realtime")
    rows = [
        turn(number, place, counts, model=model)
        for number, each in enumerate(calls)
        for place, counts in enumerate(each)
    ]
    sessions = [call(number, len(each), model=model) for number, each in enumerate(calls)]
    target = CalledTarget(name="here", url="wss://voice.example/v1/realtime", model=model, dialect="openai")
    return build.finished(folder, rows, sessions, price_books=[], target=target, **changes)
