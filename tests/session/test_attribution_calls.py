"""One call against a real server that says things out of turn: each response is in the right row, and in one only.

Every call is measured again from its stored form, and the rows must be the same.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import soundfile
import yaml

from bench.facts.timeline import Timeline, timeline_to_dict
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import NO_BOOKS, Books, books_for
from bench.session.speaking import Speaking
from bench.store.older import read_timeline
from tests.support.bursts import RATE, noise_burst
from tests.support.play import play
from tests.support.processes import cued_server

Line = tuple[float, dict[str, Any]]
ANCHOR = WallAnchor(0, 0.0)
TONE = (9000 * np.sin(np.arange(RATE // 20) * 0.12)).astype("<i2").tobytes()
PRICE_USD = (100 * 4 + 50 * 32 + 20 * 16 + 40 * 64) / 1e6
"""Of one reply of this server at the prices of gpt-realtime."""
USAGE = {
    "input_token_details": {"text_tokens": 100, "audio_tokens": 50, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 20, "audio_tokens": 40},
}
ZEROS = {
    "input_token_details": {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}
REFUSED = {"type": "failed", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow down"}}


# what a server says


def created(rid: str | None, after_ms: float = 0) -> Line:
    return after_ms, {"type": "response.created", "response": {"id": rid}}


def sound(rid: str | None, after_ms: float = 0) -> Line:
    encoded = base64.b64encode(TONE).decode()
    return after_ms, {"type": "response.output_audio.delta", "response_id": rid, "delta": encoded}


def words(rid: str | None, said: str = "hello") -> Line:
    return 0, {"type": "response.output_audio_transcript.delta", "response_id": rid, "delta": said}


def done(rid: str | None, after_ms: float = 0, usage: Any = USAGE, error: Any = None) -> Line:
    response = {"id": rid, "status": "failed" if error else "completed", "status_details": error, "usage": usage}
    return after_ms, {"type": "response.done", "response": response}


def reply(rid: str | None, after_ms: float = 60) -> list[Line]:
    return [created(rid, after_ms), words(rid), sound(rid, 20), done(rid, 20)]


def refused(rid: str, usage: Any) -> list[Line]:
    return [created(rid, 60), done(rid, 10, usage, REFUSED)]


def took_in(item: str, after_ms: float = 0) -> list[Line]:
    return [
        (after_ms, {"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": 0}),
        (0, {"type": "input_audio_buffer.committed", "item_id": item}),
    ]


def understood(item: str, after_ms: float = 0, transcript: str = "Hello, there!") -> Line:
    kind = "conversation.item.input_audio_transcription.completed"
    usage = {"type": "duration", "seconds": 1.0}
    return after_ms, {"type": kind, "item_id": item, "transcript": transcript, "usage": usage}


def turn(place: int) -> list[Line]:
    """A whole turn as it should be."""
    return [*took_in(f"u{place}"), *reply(f"r{place}"), understood(f"u{place}")]


# calls


@dataclass
class Measured:
    timeline: Timeline
    turns: list[TurnRecord]
    call: SessionRecord
    live: list[TurnRecord]
    """In the order in which the call handed them over."""


Caller = Callable[..., Measured]


def play_against(
    server: str,
    folder: Path,
    *,
    manual: bool = False,
    pause: str = "10ms",
    timeouts: dict[str, str] | None = None,
    **script: list[Any],
) -> Measured:
    """Two short turns against a server with that script; checked to be the same from its stored form."""
    soundfile.write(folder / "burst.wav", noise_burst(60, 300, 60), RATE, subtype="PCM_16")
    entry = {"id": "burst", "file": "burst.wav", "text": "Hello, there!"}
    (folder / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": [entry]}))
    (folder / "script.json").write_bytes(orjson.dumps(script))
    body: dict[str, Any] = {
        "target": {"url": f"{server}?script={folder / 'script.json'}", "model": "gpt-realtime"},
        "fixtures": "catalogue.yaml",
        "session": {"transcription": {"model": "whisper-1"}},
        "conversation": [{"say": "burst"}, {"pause": pause}, {"say": "burst"}],
        "health": {"client_late": "10s"},
        "timeouts": {"connect": "2s", "ready": "2s", "reply": "5s", "transcription": "500ms", **(timeouts or {})},
    }
    if manual:
        body["session"]["turn_detection"] = "manual"
    timeline, live = play(body, folder)
    # A turn that waits for its transcription is handed over after the next one.
    live_turns = sorted(live.turns, key=lambda row: row.turn)
    assert rows_of(timeline, NO_BOOKS) == live_turns
    assert rows_of(stored(timeline), NO_BOOKS) == live_turns
    books = books_for(None)
    turns = rows_of(timeline, books)
    record = measure_session(timeline, turns, ANCHOR, book=books)
    again = stored(timeline)
    assert measure_session(again, rows_of(again, books), ANCHOR, book=books) == record
    assert measure_session(timeline, turns[::-1], ANCHOR, book=books) == record
    numbers = {entry.response for entry in timeline.entries if entry.response is not None}
    assert sum(row.responses for row in turns) + record.other_responses == len(numbers)
    return Measured(timeline, turns, record, live.turns)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with cued_server() as url:
        yield url


@pytest.fixture
def call(server: str, tmp_path: Path) -> Caller:
    """`play_against` the server of this module."""
    return partial(play_against, server, tmp_path)


def rows_of(timeline: Timeline, books: Books) -> list[TurnRecord]:
    turns = [turn for turn in timeline.turns if turn_ended(turn)]
    return [measure_turn(timeline, turn, wall_anchor=ANCHOR, book=books) for turn in turns]


def stored(timeline: Timeline) -> Timeline:
    return read_timeline(orjson.loads(orjson.dumps(timeline_to_dict(timeline))))


def assert_two_good_turns(found: Measured) -> None:
    assert [row.status for row in found.turns] == ["ok", "ok"]
    assert [row.responses for row in found.turns] == [1, 1]
    assert [row.hypothesis for row in found.turns] == ["Hello, there!", "Hello, there!"]
    assert [row.in_text for row in found.turns] == [100, 100]
    for row in found.turns:
        assert row.cost_usd == pytest.approx(PRICE_USD + 0.006 / 60)
        assert 0 < (row.first_audio_ms or 0) < 1500


def test_a_greeting_is_of_the_call(call: Caller) -> None:
    found = call(ready=reply("hello", 0), heard=[turn(0), turn(1)])
    assert_two_good_turns(found)
    assert (found.call.other_responses, found.call.other_in_text) == (1, 100)
    assert found.call.other_cost_usd == pytest.approx(PRICE_USD)
    assert found.call.cost_usd == pytest.approx(3 * PRICE_USD + 2 * 0.006 / 60)


@pytest.mark.parametrize("ends_after_ms", [80, 350])  # before and after the server took the turn in
def test_a_greeting_that_runs_into_the_first_turn_is_of_the_call(call: Caller, ends_after_ms: int) -> None:
    greeting = [created("hello", 40), sound("hello", 10), sound("hello", 200), done("hello", ends_after_ms)]
    slow = [(150.0, took_in("u0")[0][1]), *turn(0)[1:]]
    found = call(onset=[greeting], heard=[slow, turn(1)])
    assert_two_good_turns(found)
    assert found.call.other_responses == 1


def test_an_early_reply_alone_is_still_early(call: Caller) -> None:
    early = [created("r0", 40), words("r0"), sound("r0", 10), done("r0", 300)]
    found = call(onset=[early], heard=[[*took_in("u0"), understood("u0")], turn(1)])
    assert [row.status for row in found.turns] == ["early", "ok"]
    assert found.call.other_responses == 0


def test_a_reply_to_silence_is_of_the_call_and_the_words_stay(call: Caller) -> None:
    idle = [*took_in("silence", 150), *reply("idle", 20), understood("silence", 20, "Thank you.")]
    found = call(pause="700ms", heard=[[*turn(0), *idle], turn(1)])
    assert_two_good_turns(found)
    assert (found.call.other_responses, found.call.other_transcription_seconds) == (1, 1.0)
    assert found.call.cost_usd == pytest.approx(3 * (PRICE_USD + 0.006 / 60))


def test_a_commit_refused_as_empty_whose_response_comes_all_the_same(call: Caller) -> None:
    error = {"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty", "event_id": "bench-0-commit"}
    commits = [[(0, {"type": "error", "error": error})], [(0, took_in("u1")[1][1])]]
    create = [reply("r0", 400), [*reply("r1"), understood("u1")]]
    found = call(manual=True, commit=commits, create=create)
    first, second = found.turns
    assert (first.status, first.error_code, first.responses) == ("failed", "input_audio_buffer_commit_empty", 1)
    assert (second.status, second.responses, second.hypothesis) == ("ok", 1, "Hello, there!")
    assert 0 < (second.commit_to_first_audio_ms or 0) < 1500
    assert found.call.other_responses == 0


def test_an_answer_that_is_there_before_sending_returns_is_the_turns(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_to_return(speaking: Speaking, message: str | bytes) -> None:
        send(speaking, message)
        time.sleep(0.03)

    send = Speaking.send
    monkeypatch.setattr(Speaking, "send", slow_to_return)
    at_once = [took_in("u0")[1], *reply("r0", 0), understood("u0")]
    found = call(manual=True, commit=[at_once, [*reply("r1", 0), understood("u1")]])
    assert [(row.status, row.responses) for row in found.turns] == [("ok", 1), ("ok", 1)]
    assert all((row.commit_to_first_audio_ms or -1) > 0 for row in found.turns)


def test_a_refused_commit_without_a_response_does_not_wait_for_long(call: Caller) -> None:
    error = {"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty", "event_id": "bench-0-commit"}
    no_reply = {"type": "invalid_request_error", "code": "nothing_to_say", "event_id": "bench-0-response"}
    commits = [[(0, {"type": "error", "error": error})], [(0, took_in("u1")[1][1])]]
    create = [[(20, {"type": "error", "error": no_reply})], [*reply("r1"), understood("u1")]]
    found = call(manual=True, commit=commits, create=create)
    assert [row.status for row in found.turns] == ["failed", "ok"]
    assert found.turns[0].error_code == "input_audio_buffer_commit_empty"
    assert (found.turns[0].ended_at or 0) - found.turns[0].started_at < 1.5


def test_two_commits_and_one_response_are_no_dead_air(call: Caller) -> None:
    split = [*took_in("u0"), *took_in("u0b", 20), *reply("r0")]
    heard = [understood("u0", 0, "Hello,"), understood("u0b", 0, "there!")]
    found = call(heard=[[*split, *heard], turn(1)])
    assert [row.status for row in found.turns] == ["ok", "ok"]
    assert found.turns[0].hypothesis == "Hello, there!"
    assert (found.turns[0].ended_at or 0) - found.turns[0].started_at < 2


def test_a_response_id_used_twice_is_two_responses(call: Caller) -> None:
    second = [*took_in("u1"), *reply("r0"), understood("u1")]
    assert_two_good_turns(call(heard=[turn(0), second]))


def test_the_end_before_the_start(call: Caller) -> None:
    odd = [*took_in("u0"), sound("r0", 60), words("r0"), done("r0"), created("r0"), understood("u0")]
    assert_two_good_turns(call(heard=[odd, turn(1)]))


def test_ids_that_only_some_events_bear(call: Caller) -> None:
    first = [*took_in("u0"), created("r0", 60), words(None), sound(None), done("r0", 20), understood("u0")]
    second = [*took_in("u1"), created(None, 60), words(None), sound("r1"), done(None, 20), understood("u1")]
    assert_two_good_turns(call(heard=[first, second]))


def test_audio_that_comes_after_the_next_turn_began(call: Caller) -> None:
    found = call(heard=[turn(0), turn(1)], onset=[[], [sound("r0", 50)]])
    assert_two_good_turns(found)
    assert found.turns[0].audio_deltas == 1


def test_a_refused_turn_costs_what_it_is_billed(call: Caller) -> None:
    first = [*took_in("u0"), *refused("r0", ZEROS), understood("u0")]
    second = [*took_in("u1"), *refused("r1", None), understood("u1")]
    found = call(heard=[first, second])
    assert [(row.status, row.error_kind) for row in found.turns] == [("failed", "rate_limit")] * 2
    assert [row.cost_usd for row in found.turns] == [pytest.approx(0.006 / 60)] * 2
    assert found.call.cost_usd == pytest.approx(2 * 0.006 / 60)


def test_several_responses_of_one_turn_are_all_billed_to_it(call: Caller) -> None:
    tool = {"type": "response.function_call_arguments.done", "response_id": "r0", "call_id": "c", "name": "f"}
    first = [created("r0", 60), (0, tool), created("r0b"), words("r0b"), sound("r0b", 20), done("r0"), done("r0b", 20)]
    found = call(heard=[[*took_in("u0"), *first, understood("u0")], turn(1)])
    assert [row.status for row in found.turns] == ["ok", "ok"]
    assert [row.responses for row in found.turns] == [2, 1]
    assert [row.in_text for row in found.turns] == [200, 100]
