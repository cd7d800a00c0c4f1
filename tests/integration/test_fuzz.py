"""Ten thousand spoiled server messages: no session crashes, no row is corrupted, nothing hangs.

Messages of a real turn are mutated (bytes flipped, cut, doubled, keys dropped, values swapped) and go through the
whole path that a message takes: dialect, listener, tracker, measures, spool, and back from disk.
"""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from bench.facts.connection import Connection

from bench.dialects.openai import OpenAIDialect
from bench.facts.signals import AudioDelta, AudioDone, Malformed, ResponseEnded
from bench.facts.timeline import Labels, Timeline, TurnFacts, timeline_to_dict
from bench.measure.records import TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import default_books
from bench.scenario.model import SessionConfig
from bench.session.listener import Listener
from bench.session.tracker import Bounds, Tracker
from bench.store.columns import schema_of
from bench.store.folder import RunFolder
from bench.store.reader import iter_timelines
from bench.store.rows import Damage, spool_tables
from bench.store.spool import SpoolWriter

MESSAGES = 10_000
PER_SESSION = 100
S = 1_000_000_000
ODD: list[Any] = [None, True, -1, 0, 1e308, "", "x" * 5000, [], {}, [[]], {"id": {}}, "\ud800", float("inf"), 2**70]


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


def mutated(message: dict[str, Any], rng: random.Random) -> str | bytes:
    """One message, spoiled in one of several ways; sometimes left whole."""
    way = rng.randrange(9)
    body: Any = json.loads(json.dumps(message))
    holder = body
    while rng.random() < 0.5:
        inner = [value for value in holder.values() if isinstance(value, dict) and value]
        if not inner:
            break
        holder = rng.choice(inner)
    key = rng.choice(list(holder))
    if way == 0:
        del holder[key]
    elif way in {1, 2}:
        holder[key] = rng.choice(ODD)
    elif way == 3:
        holder[rng.choice(["type", "delta", "audio", "id", "usage"])] = rng.choice(ODD)
    text = json.dumps(body)
    if way == 4:
        return text[: rng.randrange(len(text))]
    if way == 5:
        raw = bytearray(text.encode())
        for _ in range(rng.randint(1, 8)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        return bytes(raw)
    if way == 6:
        return text + text
    if way == 7:
        return rng.choice(["", "null", "[]", "{}", "[" * 3000, '"', "\x00", text.encode("utf-16")])
    return text


def play(rng: random.Random, index: int) -> Timeline:
    """One session that hears `PER_SESSION` spoiled messages in one turn."""
    dialect = OpenAIDialect(SessionConfig())
    labels = Labels("run", "w0", f"run/{index}", index, 0, "fuzz", "p", "local-pipeline", "openai", "ws")
    timeline = Timeline(labels, Connection(0, 1, 2, 3, None, 4, 5, 90 * S), 24_000, False, 1, True)
    tracker = Tracker(timeline, Bounds(15 * S, 60 * S, 5 * S), refuses_turn=dialect.refuses_turn)
    listener = Listener(rate_hz=24_000, jitter_buffer_ms=60, decode=dialect.decode_audio)
    turn = TurnFacts(0, 0, "f", S, S, 2 * S, 2 * S, "hello there", "en", "us", "v")
    tracker.begin(turn)
    messages = healthy_turn()
    for place in range(PER_SESSION):
        at_ns = 2 * S + place * 20_000_000
        for signal in dialect.receive(mutated(rng.choice(messages), rng), at_ns):
            heard = None
            if isinstance(signal, AudioDelta):
                try:
                    heard = listener.hear(signal)
                except ValueError as error:
                    tracker.feed(Malformed(at_ns, str(error)), at_ns)
                tracker.feed(signal.elided(), at_ns)
            elif isinstance(signal, AudioDone | ResponseEnded):
                heard = listener.finish(signal.response_id, at_ns)
            if not isinstance(signal, AudioDelta):
                tracker.feed(signal, at_ns)
            if heard is not None:
                tracker.feed(heard, at_ns)
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


@pytest.mark.parametrize("value", ODD)
def test_one_odd_value_in_every_place(value: Any) -> None:
    for message in healthy_turn():
        for key in message:
            signals = OpenAIDialect(SessionConfig()).receive(json.dumps({**message, key: value}), 7)
            assert all(signal.at_ns == 7 for signal in signals)
