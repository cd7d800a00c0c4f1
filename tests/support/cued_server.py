"""A voice server that says what a script tells it to say, at the cues of a call; run as its own process by the tests.

The script is the JSON file that the address names: `ws://HOST:PORT/v1/realtime?script=FILE`, an object with some of
`ready`, `onset`, `heard`, `commit` and `create`.
`ready` is a list of `[delay_ms, message]`, played once the session is configured; `answers` is one that is played in
place of `session.updated`. A message `{"raw": TEXT}` is sent as TEXT, `{"binary": BASE64}` as bytes, and `{"close":
CODE}` closes the connection. The others hold such a list for each time that it happens: the caller begins to be loud,
was quiet for 100 ms after it, commits, asks for a response.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from array import array
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve

QUIET_S = 0.1
LOUD = 200


class Call:
    def __init__(self, socket: ServerConnection, script: dict[str, Any]) -> None:
        self.socket, self.script = socket, script
        self.happened = dict.fromkeys(script, 0)
        self.speaking = False
        self.last_loud_s = 0.0
        self.playing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await self.send({"type": "session.created", "session": {"id": "s", "model": "scripted"}})
        async for raw in self.socket:
            message = json.loads(raw)
            kind = message["type"]
            if kind == "session.update":
                if "answers" in self.script:
                    self.play(self.script["answers"])
                else:
                    await self.send({"type": "session.updated", "session": message["session"]})
                self.play(self.script.get("ready", []))
            elif kind == "input_audio_buffer.append":
                self.hear(base64.b64decode(message["audio"]), time.monotonic())
            elif kind == "input_audio_buffer.commit":
                self.cue("commit")
            elif kind == "response.create":
                self.cue("create")

    def hear(self, pcm: bytes, at_s: float) -> None:
        if any(abs(sample) > LOUD for sample in array("h", pcm)):
            self.last_loud_s = at_s
            if not self.speaking:
                self.speaking = True
                self.cue("onset")
        elif self.speaking and at_s - self.last_loud_s > QUIET_S:
            self.speaking = False
            self.cue("heard")

    def cue(self, what: str) -> None:
        times = self.happened.setdefault(what, 0)
        self.happened[what] += 1
        if times < len(self.script.get(what, [])):
            self.play(self.script[what][times])

    def play(self, lines: list[tuple[float, dict[str, Any]]]) -> None:
        task = asyncio.create_task(self.say(lines))
        self.playing.add(task)
        task.add_done_callback(self.playing.discard)

    async def say(self, lines: list[tuple[float, dict[str, Any]]]) -> None:
        for delay_ms, message in lines:
            await asyncio.sleep(delay_ms / 1000)
            await self.send(message)

    async def send(self, message: dict[str, Any]) -> None:
        if "close" in message:
            await self.socket.close(message["close"])
            return
        if "binary" in message:
            await self.socket.send(base64.b64decode(message["binary"]))
            return
        await self.socket.send(message["raw"] if "raw" in message else json.dumps(message))


async def main() -> None:
    async def handler(socket: ServerConnection) -> None:
        assert socket.request is not None
        (file,) = parse_qs(urlsplit(socket.request.path).query)["script"]
        await Call(socket, json.loads(Path(file).read_text())).run()

    async with serve(handler, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as server:
        print(f"port {next(iter(server.sockets)).getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)  # its instants must not wait for tests that compute
    asyncio.run(main())
