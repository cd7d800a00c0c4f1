"""A call that an earlier version stored reads as this version would have stored it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.dialects.openai_fields import parse_error
from bench.facts.connection import Connection
from bench.facts.signals import ServerError, SessionReady, Signal
from bench.facts.timeline import Timeline, timeline_to_dict
from bench.store.older import read_timeline
from tests.measure.build import (
    audio,
    committed,
    done,
    entries_of,
    facts,
    good_reply,
    heard,
    ns,
    started,
    text,
    timeline,
)

RATE_LIMIT = {"type": "rate_limit_exceeded", "code": None}


def call(signals: list[Signal]) -> Timeline:
    connection = Connection(5, 6, {"dns": 7, "tcp": 8, "upgrade": 9}, open_ns=9, ready_ns=10, closed_ns=99)
    return timeline(signals, facts(), connection=connection)


def as_format_1(data: dict[str, Any]) -> dict[str, Any]:
    """What the version before would have written."""
    old = {name: value for name, value in data.items() if name != "format"}
    connection = dict(data["connection"])
    stages = connection.pop("stages")
    del connection["open_ns"]
    names = {"resolved_ns": "dns", "tcp_ns": "tcp", "tls_ns": "tls", "upgraded_ns": "upgrade"}
    old["connection"] = connection | {key: stages.get(name) for key, name in names.items()}
    old["entries"] = []
    for entry in data["entries"]:
        plain = {name: value for name, value in entry.items() if name != "response"}
        if "error" in plain:
            plain["error"] = {name: value for name, value in plain["error"].items() if name != "error_kind"}
        if plain["kind"] == "session_ready":
            plain["effective"] = {"voice": "marin"}
        old["entries"].append(plain)
    return old


def test_an_older_call_is_the_same_call() -> None:
    error = parse_error(RATE_LIMIT)
    signals = [
        SessionReady(ns(-3000)),
        *good_reply(),
        ServerError(ns(1500), error),
        done(1600, "r2", "failed", error=error),
    ]
    now = call(signals)
    assert read_timeline(as_format_1(timeline_to_dict(now))) == now
    assert read_timeline(timeline_to_dict(now)) == now


def test_responses_without_ids_are_told_apart_within_their_turn() -> None:
    first, second = ([started(100, None), text(200, "a", None), audio(300, 50, None), done(900, None)] for _ in "ab")
    both = call([])
    both.turns.append(facts(index=1))
    both.entries = entries_of(first, 0) + [replace(e, response=1) for e in entries_of(second, 1)]
    assert read_timeline(as_format_1(timeline_to_dict(both))) == both


def test_what_came_after_a_turn_was_over_belongs_to_the_call() -> None:
    """Format 2 gave the last turn whatever came next, though its row had been written."""
    idle = [committed(4000, "silence"), started(4100, "r2"), audio(4200, 50, "r2"), done(4300, "r2")]
    late_words = heard(3200, "what is my balance")
    before = call([*good_reply()[:-1], late_words, audio(3300, 20, "r1"), *idle])
    stored = {**timeline_to_dict(before), "format": 2}
    turns = {entry.signal.at_ns: entry.turn for entry in read_timeline(stored).entries}
    assert {turns[signal.at_ns] for signal in idle} == {None}
    assert turns[ns(3200)] == turns[ns(3300)] == turns[ns(500)] == 0
    assert read_timeline(timeline_to_dict(before)) == before
