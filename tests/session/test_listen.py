"""The step `listen`: the agent speaks first, late, never, or is asked to."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson
import pytest

from bench.facts.timeline import Timeline, timeline_from_dict, timeline_to_dict
from bench.measure.records import SessionRecord, WallAnchor
from bench.measure.sessions import measure_session
from tests.support.bursts import two_turns
from tests.support.play import Rows, play
from tests.support.processes import cued_server

TONE = base64.b64encode((9000 * np.sin(np.arange(12_000) * 0.12)).astype("<i2").tobytes()).decode()
"""Half a second."""
ANCHOR = WallAnchor(0, 0.0)


def reply(rid: str, after_ms: float) -> list[tuple[float, dict[str, Any]]]:
    return [
        (after_ms, {"type": "response.created", "response": {"id": rid}}),
        (0, {"type": "response.output_audio_transcript.delta", "response_id": rid, "delta": f"I am {rid}."}),
        (20, {"type": "response.output_audio.delta", "response_id": rid, "delta": TONE}),
        (20, {"type": "response.done", "response": {"id": rid, "status": "completed"}}),
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with cued_server() as url:
        yield url


def call(server: str, folder: Path, script: dict[str, Any], *steps: dict[str, Any]) -> tuple[Timeline, Rows]:
    file = folder / "script.json"
    file.write_bytes(orjson.dumps(script))
    body = two_turns(folder)
    body["target"] = {"url": f"{server}?script={quote(str(file))}", "model": "m"}
    body["session"] = {"transcription": None}
    body["conversation"] = [*steps, {"say": "burst-1"}]
    return play(body, folder)


def row_of(timeline: Timeline, rows: Rows) -> SessionRecord:
    """The row of the call, the same from its stored form."""
    row = measure_session(timeline, rows.turns, ANCHOR)
    stored = timeline_from_dict(orjson.loads(orjson.dumps(timeline_to_dict(timeline))))
    assert measure_session(stored, rows.turns, ANCHOR) == row
    return row


def test_the_caller_hears_the_greeting_out_before_it_speaks(server: str, tmp_path: Path) -> None:
    script = {"ready": reply("greeting", 200), "heard": [reply("answer", 100)]}
    timeline, rows = call(server, tmp_path, script, {"listen": "2s"})
    (listening,) = timeline.listenings
    assert (listening.step, listening.response, listening.greeting, listening.asked_ns) == (0, 0, True, None)
    greeting = row_of(timeline, rows)
    assert greeting.greeting_expected
    assert greeting.greeting_text == "I am greeting."
    assert greeting.greeting_ms is not None
    heard_ns = timeline.connection.ready_ns + round((greeting.greeting_ms + 500) * 1e6)  # type: ignore[operator]
    frame_ns = 40_000_000
    assert timeline.turns[0].t0_ns > heard_ns - frame_ns
    assert [(turn.status, turn.responses, turn.step) for turn in rows.turns] == [("ok", 1, 1)]


def test_a_greeting_that_never_comes_is_waited_for_and_no_longer(server: str, tmp_path: Path) -> None:
    timeline, rows = call(server, tmp_path, {"heard": [reply("answer", 100)]}, {"listen": "300ms"})
    (listening,) = timeline.listenings
    assert listening.response is None
    assert listening.until_ns is not None
    assert listening.until_ns - listening.since_ns >= 300_000_000
    row = row_of(timeline, rows)
    assert (row.greeting_expected, row.greeting_ms, row.other_responses) == (True, None, 0)
    assert [turn.status for turn in rows.turns] == ["ok"]


def test_it_can_be_asked_for(server: str, tmp_path: Path) -> None:
    script = {"create": [reply("asked", 100)], "heard": [reply("answer", 100)]}
    timeline, rows = call(server, tmp_path, script, {"listen": "2s", "ask": True})
    (listening,) = timeline.listenings
    assert listening.asked_ns is not None
    assert row_of(timeline, rows).greeting_text == "I am asked."
    assert [turn.status for turn in rows.turns] == ["ok"]


def test_a_greeting_that_nobody_waits_for_is_recorded_all_the_same(server: str, tmp_path: Path) -> None:
    script = {"ready": reply("greeting", 50), "heard": [reply("answer", 100)]}
    timeline, rows = call(server, tmp_path, script, {"pause": "400ms"})
    row = row_of(timeline, rows)
    assert (row.greeting_expected, row.greeting_text) == (False, "I am greeting.")
    assert row.greeting_ms is not None
    assert row.other_responses == 1
    assert [turn.responses for turn in rows.turns] == [1]


def test_each_listening_hears_something_new(server: str, tmp_path: Path) -> None:
    script = {"ready": reply("one", 50) + reply("two", 700), "heard": [reply("answer", 100)]}
    timeline, rows = call(server, tmp_path, script, {"listen": "2s"}, {"listen": "2s"})
    assert [each.response for each in timeline.listenings] == [0, 1]
    assert [turn.status for turn in rows.turns] == ["ok"]
    assert row_of(timeline, rows).other_responses == 2


def test_one_that_never_ends_does_not_hold_the_call_up_for_ever(server: str, tmp_path: Path) -> None:
    script = {"ready": reply("endless", 50)[:-1], "heard": [reply("answer", 100)]}
    timeline, _ = call(server, tmp_path, script, {"listen": "5s"})
    (listening,) = timeline.listenings
    assert listening.until_ns is not None
    # The reply bound of this scenario is 2 s: no further sign of it came.
    assert 2_000_000_000 <= listening.until_ns - listening.since_ns < 5_000_000_000
