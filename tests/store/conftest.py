"""Rows and manifests for the store's tests: as small as a row may be, every field overridable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, WorkerCounts

IDENTITY: dict[str, Any] = {
    "run_id": "r1",
    "worker": "w0",
    "session_index": 0,
    "caller": 0,
    "scenario": "s",
    "phase": "main",
    "warmup": False,
    "provider": "local",
    "model": None,
    "dialect": "openai",
    "transport": "websocket",
}


@pytest.fixture
def turn() -> Callable[..., TurnRecord]:
    def make(number: int = 0, session: str = "c0", **changes: Any) -> TurnRecord:
        values: dict[str, Any] = {
            **IDENTITY,
            "session_id": session,
            "turn": number,
            "step": number,
            "fixture": "balance-rms",
            "language": "en",
            "accent": "us",
            "voice": "rms",
            "condition": None,
            "open_sessions": 1,
            "talking_sessions": 1,
            "manual": False,
            "started_at": 1_790_000_000.0,
            "ended_at": None,
            "speech_ms": 1500.0,
            "status": "ok",
        }
        return TurnRecord(**{**values, **changes})

    return make


@pytest.fixture
def session() -> Callable[..., SessionRecord]:
    def make(name: str = "c0", **changes: Any) -> SessionRecord:
        values = {**IDENTITY, "session_id": name, "started_at": 1_790_000_000.0, "ended_at": None, "status": "ok"}
        return SessionRecord(**{**values, **changes})

    return make


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(run_id="r1", bench_version="0.1.0", scenario_name="s", started_at=datetime(2026, 9, 21, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


@pytest.fixture
def counted() -> Callable[..., Manifest]:
    def add(manifest: Manifest, turns: int | None, sessions: int | None, worker: str = "w0") -> Manifest:
        manifest.counts.workers[worker] = WorkerCounts(turns_sent=turns, sessions_sent=sessions)
        return manifest

    return add
