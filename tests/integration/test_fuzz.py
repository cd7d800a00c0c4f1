"""Ten thousand spoiled server messages: no session crashes, no row is corrupted, nothing hangs.

Messages of a real turn are mutated (bytes flipped, cut, doubled, keys dropped, values swapped) and go through the
whole path that a message takes: dialect, listener, tracker, measures, spool, and back from disk.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.dialects import dialect_names, dialect_of
from bench.dialects.dialect import Dialect
from bench.dialects.openai import OpenAIDialect
from bench.facts.connection import Connection
from bench.facts.signals import InputTranscript
from bench.facts.timeline import Labels, Timeline, TurnFacts, timeline_to_dict
from bench.measure.records import TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import default_books
from bench.scenario.model import SessionConfig
from bench.session.intake import Intake
from bench.session.listener import Listener
from bench.session.tracker import Bounds, Tracker
from bench.store.columns import schema_of
from bench.store.folder import RunFolder
from bench.store.reader import iter_timelines
from bench.store.rows import Damage, spool_tables
from bench.store.spool import SpoolWriter
from tests.support.healthy_turns import HEALTHY_TURNS, VARIANTS
from tests.support.spoiled import ODD, mutated

MESSAGES = 10_000
PER_SESSION = 100
S = 1_000_000_000


def healthy_turn() -> list[dict[str, Any]]:
    audio = base64.b64encode(bytes(range(256)) * 20).decode()
    usage = {
        "input_token_details": {"text_tokens": 5, "audio_tokens": 20, "cached_tokens": 0},
        "output_token_details": {"text_tokens": 5, "audio_tokens": 20},
    }
    item = {"id": "u", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    call = {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}
    return [
        {"type": "session.created", "event_id": "1", "session": {"id": "s", "model": "local-pipeline"}},
        {"type": "session.updated", "event_id": "2", "session": {"id": "s"}},
        {"type": "input_audio_buffer.speech_started", "event_id": "3", "item_id": "u", "audio_start_ms": 10},
        {"type": "input_audio_buffer.speech_stopped", "event_id": "4", "item_id": "u", "audio_end_ms": 900},
        {"type": "input_audio_buffer.committed", "event_id": "5", "item_id": "u"},
        {"type": "conversation.item.added", "event_id": "6", "item": item},
        {"type": "response.created", "event_id": "7", "response": {"id": "r", "status": "in_progress"}},
        {"type": "response.output_audio_transcript.delta", "event_id": "8", "response_id": "r", "delta": "Hello"},
        {"type": "response.output_audio.delta", "event_id": "9", "response_id": "r", "item_id": "a", "delta": audio},
        {"type": "response.output_audio.delta", "event_id": "10", "response_id": "r", "item_id": "a", "delta": audio},
        {"type": "response.output_item.done", "event_id": "11", "response_id": "r", "item": call},
        {"type": "response.output_audio.done", "event_id": "12", "response_id": "r"},
        {"type": "response.done", "event_id": "13", "response": {"id": "r", "status": "completed", "usage": usage}},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "event_id": "14",
            "item_id": "u",
            "transcript": "hello there",
            "usage": {"type": "duration", "seconds": 1.5},
        },
        {"type": "rate_limits.updated", "event_id": "15", "rate_limits": [{"name": "tokens", "remaining": 1}]},
        {"type": "error", "event_id": "16", "error": {"type": "server_error", "code": "odd", "message": "m"}},
    ]


def play(
    rng: random.Random, index: int, dialect: Dialect | None = None, messages: Sequence[dict[str, Any]] | None = None
) -> Timeline:
    """One session that hears `PER_SESSION` spoiled messages in one turn."""
    dialect = dialect or OpenAIDialect(SessionConfig())
    labels = Labels("run", "w0", f"run/{index}", index, 0, "fuzz", "p", "local-pipeline", "openai", "ws")
    connection = Connection(0, 1, {"dns": 2, "tcp": 3, "upgrade": 4}, 4, 5, 90 * S)
    timeline = Timeline(labels, connection, 24_000, False, 1, True)
    tracker = Tracker(timeline, Bounds(10 * S, 15 * S, 60 * S, 5 * S, 2 * S), refuses_turn=dialect.refuses_turn)
    intake = Intake(timeline, dialect, tracker, Listener(dialect, jitter_buffer_ms=60))
    turn = TurnFacts(0, 0, "f", S, S, 2 * S, 2 * S, "hello there", "en", "us", "v")
    tracker.begin(turn)
    messages = healthy_turn() if messages is None else messages
    for place in range(PER_SESSION):
        at_ns = 2 * S + place * 20_000_000
        intake.take(dialect.receive(mutated(rng.choice(messages), rng), at_ns), at_ns)
        if (due_ns := dialect.next_tick_ns()) is not None and due_ns <= at_ns:
            intake.take(dialect.tick(at_ns), at_ns)
        dialect.data_to_send()
        tracker.over(at_ns)
        assert tracker.next_check_ns(at_ns) > at_ns
    turn.end, turn.ended_ns = "completed", 6 * S
    return timeline


def test_spoiled_messages_harm_nothing(tmp_path: Path) -> None:
    rng = random.Random(20)
    folder = RunFolder(tmp_path / "run")
    anchor = WallAnchor(monotonic_ns=0, unix_s=1.8e9)
    timelines = []
    with SpoolWriter(folder, "w0") as spool:
        for index in range(MESSAGES // PER_SESSION):
            timeline = play(rng, index)
            row = measure_turn(timeline, timeline.turns[0], wall_anchor=anchor, book=default_books())
            spool.turn(row)
            spool.session(measure_session(timeline, [row], anchor, book=default_books()))
            spool.timeline(timeline)
            timelines.append(timeline)
    damage = Damage()
    schema = schema_of(TurnRecord)
    rows = [row for table in spool_tables([folder.spool_turns("w0")], schema, damage) for row in table.to_pylist()]
    assert damage.sentences("turn") == []
    assert len(rows) == len(timelines) == MESSAGES // PER_SESSION
    assert {row["session_id"] for row in rows} == {timeline.labels.session_id for timeline in timelines}
    for row in rows:
        for name in ("ttft_ms", "first_audio_ms", "first_audible_ms", "endpoint_ms", "response_done_ms"):
            assert row[name] is None or 0 <= row[name] <= PER_SESSION * 20, name
        assert row["cost_usd"] is None or row["cost_usd"] >= 0
    stored = list(iter_timelines(folder.root))
    assert [timeline_to_dict(back)["turns"] for back in stored] == [timeline_to_dict(one)["turns"] for one in timelines]
    assert sum(len(timeline.entries) for timeline in timelines) > MESSAGES / 4


OF_TRANSCRIPTIONS = {"type": "transcription", "turn_detection": "manual"}


@pytest.mark.parametrize("name", [*HEALTHY_TURNS, *VARIANTS])
def test_two_thousand_spoiled_messages_of_another_dialect(name: str) -> None:
    rng = random.Random(21)
    anchor = WallAnchor(monotonic_ns=0, unix_s=1.8e9)
    answered = 0
    for index in range(20):
        config = {} if "realtime" in dialect_of(name).sessions else OF_TRANSCRIPTIONS
        speaks = dialect_of(name)(SessionConfig.model_validate(config, context={"dialect": name}), "m")
        speaks.opening()
        timeline = play(rng, index, speaks, (HEALTHY_TURNS | VARIANTS)[name])
        row = measure_turn(timeline, timeline.turns[0], wall_anchor=anchor, book=default_books())
        measure_session(timeline, [row], anchor, book=default_books())
        answered += row.first_audible_ms is not None or (
            bool(config) and any(isinstance(entry.signal, InputTranscript) for entry in timeline.entries)
        )
        assert row.first_audible_ms is None or 0 <= row.first_audible_ms <= PER_SESSION * 20
        timeline_to_dict(timeline)
    assert answered


def test_every_dialect_is_spoiled() -> None:
    assert {*HEALTHY_TURNS, *VARIANTS, OpenAIDialect.name} == set(dialect_names())


@pytest.mark.parametrize("value", ODD)
def test_one_odd_value_in_every_place(value: Any) -> None:
    for message in healthy_turn():
        for key in message:
            signals = OpenAIDialect(SessionConfig()).receive(json.dumps({**message, key: value}), 7)
            assert all(signal.at_ns == 7 for signal in signals)
