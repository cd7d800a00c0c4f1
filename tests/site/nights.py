"""Made-up nights: three targets in turn, one with an outage, one that becomes slower, one that changes its price."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure.metrics import metric_versions
from bench.measure.records import SessionRecord, TurnRecord
from bench.pricing.book import PriceBook
from bench.store.folder import RunFolder
from bench.store.manifest import CalledTarget, UsedPriceBook, read_manifest, write_manifest
from bench.store.reader import Run
from tests.report import build

FIRST = datetime(2026, 10, 20, 2, 0, tzinfo=UTC)
TARGETS = ("aria", "brio", "cello")
OUTAGE, REGRESSION, PRICE = 17, 24, 14
DIFFERENT = 9
"""Nights from 0: aria is away, brio is slower from then on, cello costs less from then on."""
MIDDLE_MS = {"aria": 0.0, "brio": 30.0, "cello": 160.0}
WRONG = {"aria": 0.0, "brio": 0.0, "cello": 0.25}
"""Added share of turns in which one word more is wrong."""


def book(night: int) -> PriceBook:
    """The price book that is in force."""
    changed = night >= PRICE
    prices = {"aria": (32, 64), "brio": (10, 20), "cello": (24, 48) if changed else (40, 80)}
    day = FIRST.date() + timedelta(days=PRICE) if changed else date(2026, 9, 1)
    return PriceBook.model_validate(
        {
            "book": f"nightly-{day}",
            "date": day,
            "vendor": "three vendors",
            "models": {
                f"voice-{name}": {
                    "tokens_usd_per_million": {
                        "text": {"input": 4, "cached": 0.4, "output": 16},
                        "audio": {"input": into, "cached": 0.4, "output": out},
                    },
                    "source": "their price pages",
                    "source_date": str(day),
                }
                for name, (into, out) in prices.items()
            },
        }
    )


def dealt(night: int, calls: int, turns: int) -> tuple[list[TurnRecord], list[SessionRecord]]:
    """The rows of one night, dealt out to the targets by the number of their call."""
    said, placed = build.rows(calls, turns, fails=0.0, warm=3, seed=night + 1)
    rng = np.random.default_rng(night + 900)
    drift = {name: rng.normal(0, 9) for name in TARGETS}
    for row in said:
        name = TARGETS[row.session_index % 3]
        row.target, row.model = name, f"voice-{name}"
        slower = 1.18 if name == "brio" and night >= REGRESSION else 1.0
        for column in ("ttft_ms", "first_audio_ms", "first_audible_ms"):
            setattr(row, column, (getattr(row, column) + MIDDLE_MS[name] + drift[name]) * slower)
        if rng.random() < WRONG[name] and row.hits:
            row.hits, row.substitutions = row.hits - 1, (row.substitutions or 0) + 1
        if name == "aria" and night == OUTAGE and rng.random() < 0.9:
            build.fail(row, "no_reply", "timeout", None, "no reply within 15 s")
        elif name == "cello" and rng.random() < 0.012:
            build.fail(row, "failed", "server", "server_error", "The server had an error")
    sessions = []
    for call in placed:
        name = TARGETS[call.session_index % 3]
        away = name == "aria" and night == OUTAGE and rng.random() < 0.4
        moved = replace(call, target=name, model=f"voice-{name}")
        if away:
            moved = replace(moved, status="failed", error_kind="connect", error_message="connection refused")
            moved = replace(moved, session_ready_ms=None, connect_ms=None, cost_usd=None)
        sessions.append(moved)
    lost = {call.session_id for call in sessions if call.status == "failed"}
    return [row for row in said if row.session_id not in lost], sessions


def night_run(root: Path, night: int, *, calls: int = 45, turns: int = 2, **changes: Any) -> Run:
    """One night as a finished run in `root`."""
    at = FIRST + timedelta(days=night)
    name = name_of(night)
    own = book(night)
    called = [
        CalledTarget(name=each, url=f"wss://{each}.example/v1/realtime", model=f"voice-{each}", dialect="openai")
        for each in TARGETS
    ]
    scenario = {
        "name": "nightly",
        "description": "Three vendors, called in turn every night.",
        "session": {"frame": "20ms"},
        "conversation": [{"say": ["balance-rms"]}, {"pause": "1s"}, {"say": ["order-status-slt"]}],
        "load": {"callers": 9, "ramp": "10s", "sessions": calls, "warmup": 3, "interleave": True},
        "tags": {"region": "eu-west"},
    }
    rows, sessions = dealt(night, calls, turns)
    run = build.finished(
        root / name,
        rows,
        sessions,
        **{
            "run_id": name,
            "scenario_name": "nightly",
            "scenario": scenario,
            "load_sentence": f"{calls} calls, 9 at a time, to three targets in turn",
            "started_at": at,
            "ended_at": at + timedelta(minutes=4),
            "target": called[0],
            "targets": called,
            "metric_versions": metric_versions(),
            "own_price_book": own,
            "price_books": [UsedPriceBook(name=own.book, date=str(own.date))],
            **changes,
        },
    )
    failed = night == OUTAGE
    run.manifest.verdict, run.manifest.exit_code = ("failed", 1) if failed else ("pass", 0)
    if failed:
        run.manifest.reasons = ["turn errors of aria: 91.3 %, and at most 5.0 % may be"]
    write_manifest(run.folder, run.manifest)
    return run


def make_nights(root: Path, nights: int = 32, **size: int) -> Path:
    """`nights` nights in a row; some of the usual ones have the rows of an earlier one, which is made sooner."""
    for night in range(nights):
        like = _like(night)
        if like == night:
            night_run(root, night, **size)
        else:
            _again(root, night, like)
    return root


def _like(night: int) -> int:
    """The night whose rows it has."""
    if night == OUTAGE:
        return night
    return night % DIFFERENT if night < REGRESSION else REGRESSION + (night - REGRESSION) % 4


def _again(root: Path, night: int, like: int) -> None:
    at, own = FIRST + timedelta(days=night), book(night)
    folder = root / name_of(night)
    shutil.copytree(root / name_of(like), folder)
    changed = {
        "run_id": folder.name,
        "started_at": at,
        "ended_at": at + timedelta(minutes=4),
        "own_price_book": own,
        "price_books": [UsedPriceBook(name=own.book, date=str(own.date))],
    }
    run = RunFolder(folder)
    write_manifest(run, read_manifest(run).model_copy(update=changed))


def name_of(night: int) -> str:
    """The folder of a night."""
    return f"{FIRST + timedelta(days=night):%Y%m%dT%H%M%SZ}-nightly"


if __name__ == "__main__":
    import sys

    make_nights(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 32)
