"""Any order of events, with any of them missing, repeated or unasked for: nothing is lost, nothing counts twice.

The messages of a made-up server go through the dialect, the intake and the tracker as in a call, with a clock made of
numbers. Rows are made when the call would make them, and again from the stored form of the whole call.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.dialects.openai import OpenAIDialect
from bench.dialects.session_config import SessionConfig
from bench.facts.connection import Connection
from bench.facts.signals import ResponseEnded
from bench.facts.timeline import Labels, Timeline, TurnFacts, timeline_to_dict
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import default_books
from bench.session.intake import Intake
from bench.session.listener import Listener
from bench.session.tracker import Bounds, Tracker
from bench.store.older import read_timeline

MS = 1_000_000
S = 1000 * MS
BOUNDS = Bounds(10 * S, 5 * S, 20 * S, 2 * S, 2 * S)
ANCHOR = WallAnchor(0, 0.0)
BOOKS = default_books()
SOUND = base64.b64encode(b"\x00\x40" * 240).decode()
COUNTS = ("in_text", "in_audio", "out_text", "out_audio")

Step = tuple[int, dict[str, Any] | Literal["say", "wait"]]
"""How many ms pass, then a message of the server, or the caller's wish to speak again."""


@dataclass
class Played:
    """One call on a clock of numbers."""

    manual: bool
    now_ns: int = S
    unreported: list[TurnFacts] = field(default_factory=list)
    rows: list[TurnRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        labels = Labels("run", "w0", "s", 0, 0, "scenario", "p", "gpt-realtime", "openai", "ws")
        self.timeline = Timeline(
            labels,
            Connection(0, open_ns=0, ready_ns=1),
            24_000,
            self.manual,
            3,
            transcription_expected=True,
            transcription_model="gpt-4o-transcribe",
            transcription_bound_ms=BOUNDS.transcription_ns / 1e6,
        )
        detection = {"turn_detection": "manual"} if self.manual else {}
        self.dialect = OpenAIDialect(SessionConfig.model_validate(detection))
        self.tracker = Tracker(
            self.timeline, BOUNDS, refuses_turn=self.dialect.refuses_turn, refuses_reply=self.dialect.refuses_reply
        )
        listener = Listener(self.dialect, jitter_buffer_ms=60)
        self.intake = Intake(self.timeline, self.dialect, self.tracker, listener)

    def play(self, steps: Sequence[Step], end: Literal["closed", "stopped"]) -> SessionRecord:
        self.say()
        for wait_ms, what in steps:
            self.pass_time(wait_ms * MS)
            if what == "say" and self.tracker.current is not None and self.tracker.current.end is not None:
                self.say()
            elif isinstance(what, dict):
                self.intake.take(self.dialect.receive(orjson.dumps(what), self.now_ns), self.now_ns)
                self.look()
        last = self.tracker.current
        if last is not None and last.end is None:
            self.end(last, end)
        self.report(everything=True)
        self.timeline.connection.closed_ns = self.now_ns
        return measure_session(self.timeline, self.rows, ANCHOR, book=BOOKS)

    def say(self) -> None:
        t0, index = self.now_ns, len(self.timeline.turns)
        marks = (t0 + 100 * MS, t0 + S, t0 + 1200 * MS)
        self.tracker.begin(TurnFacts(index, 0, "f", t0, *marks, "words", "en", "us", "v"))

    def pass_time(self, wait_ns: int) -> None:
        until_ns = self.now_ns + wait_ns
        while self.now_ns < until_ns:
            self.now_ns = min(until_ns, self.now_ns + 250 * MS)
            turn = self.tracker.current
            if turn is not None and self.manual and turn.commit_ns is None and self.now_ns >= turn.utterance_end_ns:
                turn.commit_ns = turn.response_request_ns = turn.utterance_end_ns
            self.look()

    def look(self) -> None:
        turn = self.tracker.current
        if turn is not None and turn.end is None and self.now_ns >= turn.utterance_end_ns:
            over = self.tracker.over(self.now_ns)
            if over is not None:
                self.end(turn, over)
        self.report()

    def end(self, turn: TurnFacts, end: Any) -> None:
        turn.end, turn.ended_ns = end, self.now_ns
        self.unreported.append(turn)

    def report(self, *, everything: bool = False) -> None:
        keep = []
        for turn in self.unreported:
            late = self.now_ns >= (turn.ended_ns or 0) + BOUNDS.transcription_ns
            if everything or late or turn.end != "completed" or not self.tracker.transcription_due(turn.index):
                turn.entries_measured = len(self.timeline.entries)
                if turn_ended(turn):
                    self.rows.append(measure_turn(self.timeline, turn, wall_anchor=ANCHOR, book=BOOKS))
            else:
                keep.append(turn)
        self.unreported = keep


def again(timeline: Timeline) -> tuple[list[TurnRecord], SessionRecord]:
    """The rows as they are made from the stored form."""
    stored = read_timeline(orjson.loads(orjson.dumps(timeline_to_dict(timeline))))
    rows = [measure_turn(stored, turn, wall_anchor=ANCHOR, book=BOOKS) for turn in stored.turns if turn_ended(turn)]
    return rows, measure_session(stored, rows, ANCHOR, book=BOOKS)


def response_ids(of: st.SearchStrategy[str | None]) -> st.SearchStrategy[dict[str, Any]]:
    """One message of a response."""

    def message(kind: str, rid: str | None, status: str, tokens: int) -> dict[str, Any]:
        body: dict[str, Any] = {"type": kind}
        if kind in {"response.created", "response.done"}:
            body["response"] = {"id": rid}
        else:
            body["response_id"] = rid
            body["delta"] = SOUND if kind.endswith("audio.delta") else "word "
        if kind == "response.done":
            body["response"] |= {"status": status, "usage": usage_of(tokens)}
        return body

    kinds = st.sampled_from(
        [
            "response.created",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.done",
            "response.done",
            "response.done",
        ]
    )
    statuses = st.sampled_from(["completed", "completed", "failed", "cancelled", "incomplete"])
    return st.builds(message, kinds, of, statuses, st.integers(1, 1000))


def usage_of(tokens: int) -> dict[str, Any]:
    return {
        "input_token_details": {"text_tokens": tokens, "audio_tokens": 2 * tokens},
        "output_token_details": {"text_tokens": 3 * tokens, "audio_tokens": 4 * tokens},
    }


def item_message(kind: str, item: str | None, turn: int) -> dict[str, Any]:
    if kind == "error":
        return {
            "type": "error",
            "error": {"code": "input_audio_buffer_commit_empty", "event_id": f"bench-{turn}-commit"},
        }
    body: dict[str, Any] = {"type": kind, "item_id": item}
    if kind.endswith("completed"):
        body |= {"transcript": "words", "usage": {"type": "tokens", "input_token_details": {"audio_tokens": 7}}}
        body["usage"]["output_tokens"] = 2
    return body


ITEM_KINDS = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.input_audio_transcription.completed",
    "error",
)
items = st.builds(
    item_message, st.sampled_from(ITEM_KINDS), st.sampled_from(["u0", "u1", "u2", None]), st.integers(0, 2)
)
waits = st.sampled_from([0, 0, 1, 50, 300, 1300, 4000])


def calls(ids: Sequence[str | None]) -> st.SearchStrategy[list[Step]]:
    said = st.one_of(response_ids(st.sampled_from(ids)), response_ids(st.sampled_from(ids)), items, st.just("say"))
    return st.lists(st.tuples(waits, said), max_size=40)


def check(played: Played, call: SessionRecord) -> dict[int, ResponseEnded]:
    """What holds for every order; the first end of each response, by its number."""
    rows, recomputed = again(played.timeline)
    assert sorted(played.rows, key=lambda row: row.turn) == rows
    assert recomputed == call
    numbers = {entry.response for entry in played.timeline.entries if entry.response is not None}
    assert sum(row.responses for row in rows) + call.other_responses == len(numbers)
    ends: dict[int, ResponseEnded] = {}
    for entry in played.timeline.entries:
        if isinstance(entry.signal, ResponseEnded) and entry.response is not None:
            ends.setdefault(entry.response, entry.signal)
    for name in COUNTS:
        billed = sum(getattr(end.usage, f"{name}_tokens") for end in ends.values() if end.usage is not None)
        assert sum(getattr(row, name) or 0 for row in rows) + (getattr(call, f"other_{name}") or 0) == billed
    parts = [row.cost_usd or row.cost_partial_usd or 0.0 for row in rows]
    parts.append(call.other_cost_usd or call.other_cost_partial_usd or 0.0)
    assert abs((call.cost_usd or call.cost_partial_usd or 0.0) - sum(parts)) < 1e-12
    return ends


@settings(max_examples=80, deadline=None)
@given(calls(["a", "b", "c", None]), st.booleans(), st.sampled_from(["closed", "stopped"]))
def test_rows_are_the_same_from_the_stored_call_and_hold_every_response_once(
    steps: list[Step], manual: bool, end: Literal["closed", "stopped"]
) -> None:
    played = Played(manual)
    check(played, played.play(steps, end))


@settings(max_examples=80, deadline=None)
@given(calls(["a", "b", "c", "d"]), st.booleans())
def test_every_named_response_is_billed_once(steps: list[Step], manual: bool) -> None:
    """With names everywhere and none used twice, the bill is that of the first end of each name."""
    once = [step for step in steps if not (isinstance(step[1], dict) and step[1]["type"] == "response.created")]
    played = Played(manual)
    call = played.play(once, "closed")
    check(played, call)
    first: dict[str, int] = {}
    for _, what in once:
        if isinstance(what, dict) and what["type"] == "response.done":
            response = what["response"]
            first.setdefault(response["id"], response["usage"]["input_token_details"]["text_tokens"])
    assert sum(row.in_text or 0 for row in played.rows) + (call.other_in_text or 0) == sum(first.values())
