"""An independent voice server with a known truth, run as its own process by the tests.

It shares no code with `bench`: its own speech detection, its own clock arithmetic, its own JSON. Behaviour `exact`
answers so that the first audio byte leaves `delay_ms` after the last loud sample was *captured* (arrival of its
frame, less the part of the frame behind the sample) and puts `silence_ms` of digital silence before the tone. The
first word of its reply is the delay that it really kept, in ms, so that a test compares with what happened and not
with what was asked for. Other behaviours misbehave in one named way each.
Usage: `python voice_server.py '{"behaviour": "exact"}'`. An address may choose otherwise for its calls:
`ws://HOST:PORT/v1/realtime?behaviour=hang&only_turn=0`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
import struct
import sys
import time
from array import array
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

OPTIONS: dict[str, Any] = {
    "behaviour": "exact",
    "delay_ms": 700.0,
    "silence_ms": 120.0,
    "reply_ms": 600.0,
    "vad_silence_ms": 300.0,
    "loud": 200,
    "port": 0,
    "only_turn": None,
    "transcript": "hello there",
}
RATE = 24_000


@cache
def tone(silence_ms: float, reply_ms: float) -> bytes:
    quiet = int(RATE * silence_ms / 1000)
    loud = int(RATE * reply_ms / 1000)
    wave = [int(9000 * math.copysign(1, math.sin(2 * math.pi * 440 * (n + 1) / RATE))) for n in range(loud)]
    return struct.pack(f"<{quiet + loud}h", *([0] * quiet + wave))


class Call:
    def __init__(self, socket: ServerConnection, options: dict[str, Any]) -> None:
        self.socket, self.o = socket, options
        self.turn = -1
        self.manual = False
        self.speaking = False
        self.last_loud_s = 0.0
        self.replies: set[asyncio.Task[None]] = set()
        self.ids = 0

    async def send(self, kind: str, **fields: Any) -> None:
        self.ids += 1
        await self.socket.send(json.dumps({"event_id": f"ev_{self.ids}", "type": kind, **fields}))

    async def run(self) -> None:
        behaviour = self.o["behaviour"]
        if behaviour == "error_then_close":
            await self.send("error", error={"type": "invalid_request_error", "code": "session_limit_reached"})
            await self.socket.close(1008, "pool full")
            return
        await self.send("session.created", session={"id": "sess_1", "model": "truth"})
        async for raw in self.socket:
            message = json.loads(raw)
            kind = message["type"]
            if kind == "session.update":
                if behaviour == "refuse_session":
                    error = {"type": "invalid_request_error", "code": "invalid_value", "event_id": message["event_id"]}
                    await self.send("error", error=error)
                    continue
                if behaviour == "never_ready":
                    continue
                self.manual = message["session"]["audio"]["input"]["turn_detection"] is None
                await self.send("session.updated", session=message["session"])
            elif kind == "input_audio_buffer.append":
                await self.hear(base64.b64decode(message["audio"]), time.monotonic())
            elif kind == "response.create":
                self.answer()

    async def hear(self, pcm: bytes, at_s: float) -> None:
        samples = array("h", pcm)
        loud = next((n for n in range(len(samples) - 1, -1, -1) if abs(samples[n]) > self.o["loud"]), None)
        if loud is not None:
            self.last_loud_s = at_s - (len(samples) - 1 - loud) / RATE
            if not self.speaking:
                self.speaking = True
                self.turn += 1
                if not self.manual:
                    await self.send("input_audio_buffer.speech_started", item_id=f"item_{self.turn}", audio_start_ms=0)
                if self.o["behaviour"] == "early" and self.mine():
                    self.answer(now=True)
        elif self.speaking and at_s - self.last_loud_s > self.o["vad_silence_ms"] / 1000:
            self.speaking = False
            if not self.manual:
                item = f"item_{self.turn}"
                await self.send("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=0)
                await self.send("input_audio_buffer.committed", item_id=item)
                if not (self.o["behaviour"] == "early" and self.mine()):
                    self.answer()

    def mine(self) -> bool:
        return self.o["only_turn"] in {None, self.turn}

    def answer(self, now: bool = False) -> None:
        task = asyncio.create_task(self.reply(time.monotonic() if now else None))
        self.replies.add(task)
        task.add_done_callback(self.replies.discard)

    async def reply(self, at_s: float | None) -> None:
        behaviour = self.o["behaviour"] if self.mine() else "exact"
        turn = self.turn
        rid = f"resp_{turn}"
        due_s = at_s if at_s is not None else self.last_loud_s + self.o["delay_ms"] / 1000
        if behaviour == "hang":
            return
        wait_s = due_s - time.monotonic()
        if wait_s > 0.002:
            await asyncio.sleep(wait_s - 0.002)
        while time.monotonic() < due_s:
            await asyncio.sleep(0)
        if behaviour == "broken_json":
            await self.socket.send('{"type": "response.created", "response": {')
            await self.socket.send("not json at all")
            return
        if behaviour == "rate_limit":
            await self.send("response.created", response={"id": rid, "status": "in_progress"})
            error = {"type": "rate_limit_exceeded", "code": "rate_limit_exceeded", "message": "try again in 3s"}
            await self.done(rid, "failed", {"type": "failed", "error": error})
            return
        if behaviour == "incomplete":
            await self.delta(rid, tone(0, 100))
            await self.done(rid, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
            return
        if behaviour == "empty_reply":
            await self.send("response.created", response={"id": rid, "status": "in_progress"})
            await self.done(rid, "completed", None)
            return
        pcm = tone(self.o["silence_ms"], self.o["reply_ms"])
        actual_ms = (time.monotonic() - self.last_loud_s) * 1000
        await self.delta(rid, pcm[:9600])
        words = f"{actual_ms:.3f} "
        await self.send("response.output_audio_transcript.delta", response_id=rid, item_id="a", delta=words)
        if behaviour == "close":
            await self.socket.close(1011, "worker died")
            return
        if behaviour == "cut":
            self.socket.transport.abort()
            return
        if behaviour == "stall":
            return
        for at in range(9600, len(pcm), 9600):
            await asyncio.sleep(0.02)
            await self.delta(rid, pcm[at : at + 9600])
        await self.send("response.output_audio_transcript.delta", response_id=rid, item_id="a", delta="done.")
        item = f"item_{turn}"
        if behaviour != "no_transcript":
            kind = "conversation.item.input_audio_transcription.completed"
            await self.done(rid, "completed", None)
            await asyncio.sleep(0.05)
            await self.send(kind, item_id=item, content_index=0, transcript=self.o["transcript"])
        else:
            await self.done(rid, "completed", None)

    async def delta(self, rid: str, pcm: bytes) -> None:
        encoded = base64.b64encode(pcm).decode()
        await self.send("response.output_audio.delta", response_id=rid, item_id="a", delta=encoded)

    async def done(self, rid: str, status: str, details: object) -> None:
        await self.send("response.done", response={"id": rid, "status": status, "status_details": details})


def chosen(options: dict[str, Any], path: str) -> dict[str, Any]:
    """The options of a call to this address."""
    found = {key: value for key, value in parse_qsl(urlsplit(path).query) if key in options}
    return options | {key: int(value) if value.isdecimal() else value for key, value in found.items()}


async def main(options: dict[str, Any]) -> None:
    tone(options["silence_ms"], options["reply_ms"])  # made once: a reply must not wait for it

    async def handler(socket: ServerConnection) -> None:
        assert socket.request is not None
        await Call(socket, chosen(options, socket.request.path)).run()

    def gate(connection: ServerConnection, request: Request) -> Response | None:
        refusals = {
            "http_401": (HTTPStatus.UNAUTHORIZED, {"type": "invalid_request_error", "code": "invalid_api_key"}),
            "http_429": (HTTPStatus.TOO_MANY_REQUESTS, {"type": "requests", "code": "rate_limit_exceeded"}),
            "http_503": (HTTPStatus.SERVICE_UNAVAILABLE, {"type": "server_error", "code": None}),
        }
        behaviour = chosen(options, request.path)["behaviour"]
        if behaviour not in refusals:
            return None
        status, error = refusals[behaviour]
        return connection.respond(status, json.dumps({"error": error}))

    async with serve(
        handler, "127.0.0.1", options["port"], compression=None, max_size=None, process_request=gate, ping_interval=None
    ) as server:
        print(f"port {next(iter(server.sockets)).getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)  # its truth must not wait for tests that compute
    asyncio.run(main(OPTIONS | json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")))
