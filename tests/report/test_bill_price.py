"""Rows priced by any book give what each turn was priced at when it ended: the same arithmetic, the same unknowns."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.facts.signals import ErrorInfo, ReplyStatus, Signal, TranscriptionUsage, Usage
from bench.measure.records import SessionRecord, TurnRecord
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import NO_BOOKS, Books, PriceBook, default_books
from bench.report.bill_price import price_run
from bench.report.bill_usage import usage_of
from bench.store.columns import schema_of, to_frame
from bench.store.folder import RunFolder
from bench.store.reader import Run
from tests.measure import build
from tests.report.build import manifest

MINE = PriceBook.model_validate(
    {
        "book": "mine",
        "date": "2026-11-20",
        "models": {
            "with-gaps": {
                "tokens_usd_per_million": {"text": {"input": 3, "output": 7}, "audio": {"input": 11, "output": 13}},
                "source": "test",
                "source_date": "2026-11",
            }
        },
    }
)
SHELF = Books(parts=(MINE, *default_books().parts))
MODELS = ["gpt-realtime", "gpt-realtime-mini", "local-pipeline", "with-gaps", "gpt-live-1", "nobody-knows", None]
SPOKEN = ["gpt-4o-mini-transcribe", "whisper-1", "nobody-hears", None]


def run_of(turns: list[TurnRecord], sessions: list[SessionRecord], tmp_path: Any = "unused") -> Run:
    """A run in memory, with the column types of a stored one."""
    tables = [
        to_frame(pa.Table.from_pylist([asdict(row) for row in rows], schema=schema_of(kind)))
        for rows, kind in ((turns, TurnRecord), (sessions, SessionRecord))
    ]
    return Run(RunFolder(tmp_path), manifest(), tables[0], tables[1], False, [])


def a_call(model: str | None, spoken_model: str | None, replies: list[Signal], book: Books) -> Run:
    turn = build.facts()
    line = build.timeline(replies, turn)
    labels = {name: getattr(line.labels, name) for name in line.labels.__slots__} | {"model": model}
    line.labels = type(line.labels)(**labels)
    line.transcription_model, line.transcription_expected = spoken_model, spoken_model is not None
    line.connection.open_ns, line.connection.closed_ns = build.T0_NS - 500_000_000, build.T0_NS + 59_500_000_000
    row = measure_turn(line, turn, wall_anchor=build.ANCHOR, book=book)
    return run_of([row], [measure_session(line, [row], build.ANCHOR, book=book)])


counts = st.none() | st.integers(0, 5000)
usages = st.none() | st.builds(
    Usage,
    in_text_tokens=counts,
    in_audio_tokens=counts,
    in_image_tokens=counts,
    in_cached_text_tokens=st.none() | st.integers(0, 900),
    in_cached_audio_tokens=st.none() | st.integers(0, 900),
    out_text_tokens=counts,
    out_audio_tokens=counts,
    in_total_tokens=counts,
    out_total_tokens=counts,
    out_reasoning_tokens=st.none() | st.integers(0, 300),
    cached_split_assumed=st.booleans(),
)
spoken_usages = (
    st.none()
    | st.builds(TranscriptionUsage, seconds=st.none() | st.floats(0, 100, allow_subnormal=False))
    | st.builds(
        TranscriptionUsage,
        in_text_tokens=counts,
        in_audio_tokens=counts,
        out_text_tokens=counts,
        in_total_tokens=counts,
    )
)
"""A server reports a transcription in seconds or in tokens."""
statuses: st.SearchStrategy[ReplyStatus] = st.sampled_from(["completed", "failed", "cancelled", "incomplete"])


@st.composite
def signals(draw: st.DrawFn) -> list[Signal]:
    """A turn of one response, with or without output, and perhaps a transcription."""
    found: list[Signal] = [build.stopped(500), build.committed(505)]
    if draw(st.booleans()):
        status = draw(statuses)
        found.append(build.started(520))
        found += [build.text(600, "Yes."), build.audio(700, 400)] if draw(st.booleans()) else []
        error = ErrorInfo("server_error", "x", "y") if status == "failed" else None
        found.append(build.done(1300, status=status, error=error, usage=draw(usages)))
    if draw(st.booleans()):
        found.append(build.heard(1400, "what is my balance", usage=draw(spoken_usages)))
    return found


def assert_same(found: np.ndarray[Any, Any], stored: Any) -> None:
    assert found.tolist() == pytest.approx(stored.to_numpy(dtype=float, na_value=np.nan).tolist(), nan_ok=True)


@given(signals(), st.sampled_from(MODELS), st.sampled_from(SPOKEN))
@settings(deadline=None, max_examples=30)
def test_rows_are_priced_as_they_were_when_they_ended(
    replies: list[Signal], model: str | None, spoken: str | None
) -> None:
    run = a_call(model, spoken, replies, SHELF)
    priced = price_run(usage_of(run), lambda _: SHELF)
    assert_same(priced.turns.total, run.turns["cost_usd"])
    assert_same(priced.call_usd, run.sessions["cost_usd"])


@given(signals(), st.sampled_from(MODELS), st.sampled_from(SPOKEN), st.sampled_from([NO_BOOKS, default_books()]))
@settings(deadline=None, max_examples=30)
def test_a_run_without_prices_can_be_priced_later(
    replies: list[Signal], model: str | None, spoken: str | None, before: Books
) -> None:
    """What had no price when it was measured gets the one that it would have had; what had no count stays unknown."""
    then = a_call(model, spoken, replies, before)
    now = a_call(model, spoken, replies, SHELF)
    priced = price_run(usage_of(then), lambda _: SHELF)
    assert_same(priced.turns.total, now.turns["cost_usd"])
    assert_same(priced.call_usd, now.sessions["cost_usd"])


def test_a_known_usage_has_a_price_in_both_ways_and_an_unknown_model_in_neither() -> None:
    """Two unknowns are the same too, so the properties above would hold if nothing were ever priced."""
    usage = Usage(in_text_tokens=1_000, in_audio_tokens=0, out_text_tokens=2_000, out_audio_tokens=0)
    replies: list[Signal] = [build.started(520), build.text(600, "Yes."), build.done(1300, usage=usage)]
    for model, price_usd in (("with-gaps", (1_000 * 3 + 2_000 * 7) / 1e6), ("nobody-knows", np.nan)):
        run = a_call(model, None, replies, SHELF)
        assert run.turns["cost_usd"].to_numpy(dtype=float, na_value=np.nan) == pytest.approx([price_usd], nan_ok=True)
        assert price_run(usage_of(run), lambda _: SHELF).turns.total == pytest.approx([price_usd], nan_ok=True)
