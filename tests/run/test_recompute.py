"""Measuring a run again: the prices are those of its scenario, unless others are given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.measure.records import WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import PriceBook, books_for, load_book
from bench.run.recompute import recompute
from bench.store.finish import finish_run
from bench.store.folder import RunFolder
from bench.store.manifest import CalledTarget, Manifest, WorkerAnchor, WorkerCounts, write_manifest
from bench.store.spool import SpoolWriter
from tests.measure import build

MINE = """
book: mine
date: 2026-11-20
models:
  local-pipeline:
    tokens_usd_per_million:
      text: {input: 1000, cached: 1000, output: 1000}
      audio: {input: 1000, cached: 1000, output: 1000}
    source: our contract
    source_date: 2026-11-20
"""
MINE_USD = (100 + 50 + 20 + 40) * 1000 / 1e6


def stored_run(
    folder: Path,
    pricing: dict[str, Any],
    book: PriceBook | None,
    target: CalledTarget | None = None,
    own: dict[str, Any] | None = None,
) -> Path:
    """A finished run of one call, and its timeline, priced with the shipped books; `own` prices are of its target."""
    run = RunFolder(folder)
    run.spool.mkdir(parents=True)
    run.events.mkdir(parents=True)
    turn = build.facts()
    call = build.timeline(build.good_reply()[:-1], turn)
    call.labels = replace(call.labels, target=target.name if target else None)
    anchor = WallAnchor(build.T0_NS, 1.8e9)
    row = measure_turn(call, turn, wall_anchor=anchor, book=books_for(None))
    with SpoolWriter(run, "w0") as spool:
        spool.turn(row)
        spool.session(measure_session(call, [row], anchor, book=books_for(None)))
        spool.timeline(call)
    manifest = Manifest(
        run_id="run",
        bench_version="0",
        scenario_name="demo",
        scenario={"pricing": pricing, "targets": {target.name: {"pricing": own}} if target else {}},
        targets=[target] if target else [],
        started_at=datetime.now(UTC),
        workers={"w0": WorkerAnchor(monotonic_ns=build.T0_NS, unix_s=1.8e9, pid=1)},
        own_price_book=book,
    )
    manifest.counts.workers = {"w0": WorkerCounts(turns_sent=1, turns_received=1, sessions_sent=1, sessions_received=1)}
    write_manifest(run, manifest)
    finish_run(run, manifest)
    return folder


def cost(path: Path, **arguments: Any) -> float:
    run = recompute(path, **arguments)
    assert run.turns["cost_usd"].tolist() == run.sessions["cost_usd"].tolist()
    return float(run.turns["cost_usd"].iloc[0])


def test_the_scenarios_own_book_and_model_decide_and_what_is_asked_for_comes_first(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    book = load_book(tmp_path / "mine.yaml")
    run = stored_run(tmp_path / "run", {"book": "mine.yaml", "model": None}, book)
    assert cost(run) == pytest.approx(MINE_USD)
    assert cost(run, book="openai-2026-11", price_as="gpt-realtime") != pytest.approx(MINE_USD)
    assert cost(run) == pytest.approx(MINE_USD), "what was asked for once is not the scenario's"


def test_the_scenarios_model_decides(tmp_path: Path) -> None:
    dear = cost(stored_run(tmp_path / "a", {"book": None, "model": "gpt-realtime"}, None))
    cheap = cost(stored_run(tmp_path / "b", {"book": None, "model": "gpt-realtime-mini"}, None))
    assert dear > cheap
    assert cost(tmp_path / "b", price_as="gpt-realtime") == pytest.approx(dear)


def test_a_book_that_an_older_run_only_names_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stored_run(tmp_path / "run", {"book": "prices/mine.yaml", "model": None}, None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match=r"priced with the book 'prices/mine.yaml'") as caught:
        recompute(run)
    assert "--book" in (caught.value.hint or "")
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "mine.yaml").write_text(MINE)
    assert cost(run) == pytest.approx(MINE_USD)


def test_each_target_is_priced_as_it_was(tmp_path: Path) -> None:
    """Its own model, its own book, and the book of all where it names none."""
    (tmp_path / "mine.yaml").write_text(MINE)
    mine = load_book(tmp_path / "mine.yaml")
    plain = cost(stored_run(tmp_path / "plain", {}, None))
    named, kept = CalledTarget(name="a"), CalledTarget(name="a", own_price_book=mine)
    dear = cost(stored_run(tmp_path / "model", {"model": "gpt-realtime-mini"}, None, named, {"model": "gpt-realtime"}))
    assert dear == pytest.approx(cost(stored_run(tmp_path / "same", {"model": "gpt-realtime"}, None)))
    assert cost(stored_run(tmp_path / "book", {}, None, kept, {"book": "mine.yaml"})) == pytest.approx(MINE_USD)
    shared = stored_run(tmp_path / "shared", {"book": "mine.yaml"}, mine, named, {"transcription_model": "whisper-1"})
    assert cost(shared) == pytest.approx(MINE_USD)
    back = stored_run(tmp_path / "back", {"book": "mine.yaml"}, mine, named, {"book": "example-embedded"})
    assert cost(back) == pytest.approx(plain)
    assert cost(back, price_as="gpt-realtime") == pytest.approx(dear), "what is asked for now holds for all"
