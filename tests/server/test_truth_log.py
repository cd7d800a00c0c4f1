"""The truth log of the local engine, and the log itself: parts, nothing without a file, a last flush at the end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.client import connect

from bench.server.truth_log import TruthLog, part_path
from tests.server.support import frames, server_process, silence

AUDIO = "response.output_audio.delta"


def test_the_local_engine_logs_what_it_sends(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"

    async def run(address: str) -> list[dict[str, Any]]:
        url = f"{address.replace('http', 'ws')}/v1/realtime?model=m"
        seen = []
        async with connect(url) as ws, asyncio.timeout(90):
            manual = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            await ws.send(json.dumps({"type": "session.update", "session": manual}))
            for message in frames(silence(400)):
                await ws.send(json.dumps(message))
            await ws.send('{"type": "input_audio_buffer.commit"}')
            await ws.send('{"type": "response.create"}')
            while not seen or seen[-1]["type"] != "rate_limits.updated":
                seen.append(json.loads(await ws.recv()))
        return seen

    with server_process(workers=1, truth_log=log) as (_, address):
        seen = asyncio.run(run(address))
    records = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    assert records[0]["kind"] == "process"
    assert records[0]["engine"] == "local"
    sent = [record for record in records if record["kind"] == "event"]
    assert [record["type"] for record in sent] == [event["type"] for event in seen]
    assert sorted(record["at_ns"] for record in sent) == [record["at_ns"] for record in sent]
    (turn,) = [record for record in records if record["kind"] == "turn"]
    assert turn["items"] == [event["item_id"] for event in seen if event["type"] == "input_audio_buffer.committed"]
    assert len(turn["frame_arrivals_ns"]) >= 10
    heard = sum(record["samples"] for record in sent if record["type"] == AUDIO)
    assert heard > 24_000 / 2
    assert [record["kind"] for record in records].count("close") == 1


def test_a_log_without_a_file_keeps_nothing() -> None:
    log = TruthLog(None, engine="x", settings={})
    assert not log.wanted
    log.add("session", "s", at_ns=1)
    log.event("s", 1, 2, {"type": "error"}, None)
    log.close()


def test_lines_are_written_at_the_latest_when_it_is_closed(tmp_path: Path) -> None:
    log = TruthLog(tmp_path / "deep" / "truth.jsonl", engine="x", settings={"a": 1})
    log.add("session", "s", at_ns=1)
    log.raw("s", 3, 4, "broken_json")
    log.close()
    lines = [orjson.loads(line) for line in (tmp_path / "deep" / "truth.jsonl").read_bytes().splitlines()]
    assert [line["kind"] for line in lines] == ["process", "session", "event"]
    assert lines[0]["settings"] == {"a": 1}


def test_each_of_several_processes_has_its_part() -> None:
    assert part_path(Path("a/truth.jsonl"), 0, 1) == Path("a/truth.jsonl")
    assert part_path(Path("a/truth.jsonl"), 1, 2) == Path("a/truth.1.jsonl")
