"""The clients that are compared: ours and the obvious alternatives, each as a person would write it with care.

Every client opens `calls` sessions, sends each its frames by absolute deadlines (so none suffers from a chained sleep),
reads what comes, and reports how late its sends returned. Run as its own process:
`python -m tests.perf.clients NAME URL CALLS FRAME_MS SECONDS` prints one JSON line.
"""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARM_S = 2.0
RATE = 24_000
GOLDEN = 0.6180339887498949


def audio(frame_ms: int) -> bytes:
    return bytes(range(256)) * (RATE * frame_ms // 1000 * 2 // 256 + 1)


class Meter:
    """Lateness of the frames sent after the warm-up, and the CPU used meanwhile."""

    def __init__(self, calls: int, frame_ms: int, seconds: float) -> None:
        self.calls, self.frame_ns, self.seconds = calls, frame_ms * 1_000_000, seconds
        self.late_us: list[int] = []
        self.from_ns = self.until_ns = 2**63  # nothing counts while callers still dial in

    def begin(self) -> None:
        now = time.monotonic_ns()
        self.from_ns = now + round(WARM_S * 1e9)
        self.until_ns = self.from_ns + round(self.seconds * 1e9)
        self.cpu_s = 0.0

    def phase(self, index: int) -> int:
        return int(index * GOLDEN % 1 * self.frame_ns)

    def sent(self, due_ns: int) -> None:
        if self.from_ns <= due_ns < self.until_ns:
            self.late_us.append((time.monotonic_ns() - due_ns) // 1000)

    def report(self, cpu_s: float) -> dict[str, Any]:
        late = sorted(self.late_us)
        expected = self.calls * self.seconds * 1e9 / self.frame_ns
        return {
            "calls": self.calls,
            "sent_share": round(len(late) / expected, 4),
            "p50_ms": late[len(late) // 2] / 1000 if late else None,
            "p99_ms": late[int(len(late) * 0.99)] / 1000 if late else None,
            "cpu": round(cpu_s / self.seconds, 3),
        }


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ours(url: str, meter: Meter, payload: bytes) -> dict[str, Any]:
    """This project, with everything it does in a run: Locust users, health probe, timelines."""
    import gevent
    import locust  # noqa: F401
    import numpy as np
    import soundfile

    from bench.load.factory import fixtures_of
    from bench.load.spec import RunSpec
    from bench.load.worker_run import WorkerRun
    from bench.pricing.book import books_for
    from bench.scenario.read import load_scenario
    from bench.store.folder import RunFolder

    root = Path(tempfile.mkdtemp())
    noise = np.frombuffer(payload * 40, dtype="<i2")[: RATE * 2]
    soundfile.write(root / "noise.wav", noise, RATE, subtype="PCM_16")
    (root / "catalogue.yaml").write_text("fixtures: [{id: noise, file: noise.wav, text: noise}]\n")
    (root / "s.yaml").write_text(
        f"name: perf\ntarget: {{url: '{url}', model: m}}\nfixtures: catalogue.yaml\n"
        f"session: {{frame: {meter.frame_ns // 1_000_000}ms}}\nconversation: [say: noise]\n"
        f"load: {{callers: {meter.calls}, duration: 600s}}\ntimeouts: {{reply: 600s, response: 600s}}\n"
    )
    scenario = load_scenario(root / "s.yaml")
    assert scenario.target is not None
    folder = RunFolder(root / "run")
    run = WorkerRun(RunSpec(scenario, scenario.target, folder, "perf", books_for(None), fixtures_of(scenario)))
    run.start()
    deadline = time.monotonic() + 60
    while run.recorder.talking_sessions < meter.calls and time.monotonic() < deadline:
        gevent.sleep(0.05)
    gevent.sleep(WARM_S)
    run.recorder.delays.frame_late_us.clear()
    run.health.frame_late.counts[:] = 0
    began = cpu()
    meter.until_ns = time.monotonic_ns() + round(meter.seconds * 1e9)
    late: list[int] = meter.late_us
    while time.monotonic_ns() < meter.until_ns:
        gevent.sleep(0.2)
    used = cpu() - began
    run.health._fold()
    histogram = run.health.frame_late
    expected = meter.calls * meter.seconds * 1e9 / meter.frame_ns
    assert not late
    return {
        "calls": meter.calls,
        "sent_share": round(min(1.0, histogram.n / expected), 4),
        "p50_ms": histogram.percentile_ms(50),
        "p99_ms": histogram.percentile_ms(99),
        "cpu": round(used / meter.seconds, 3),
    }


def locust_websocket_client(url: str, meter: Meter, payload: bytes) -> dict[str, Any]:
    """Locust users with the `websocket-client` package: a reader greenlet and a sending loop per user."""
    import gevent
    import websocket
    from locust import User, task
    from locust.env import Environment

    class Caller(User):
        index = 0

        def on_start(self) -> None:
            self.number = Caller.index
            Caller.index += 1
            self.socket = websocket.create_connection(url, timeout=60)
            gevent.spawn(self.read)

        def read(self) -> None:
            while True:
                json.loads(self.socket.recv())

        @task
        def speak(self) -> None:
            encoded = base64.b64encode(payload).decode()
            started = time.monotonic_ns() + meter.phase(self.number)
            count = 0
            while True:
                due = started + (count + 1) * meter.frame_ns
                count += 1
                wait = due - time.monotonic_ns()
                if wait > 0:
                    gevent.sleep(wait / 1e9)
                self.socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": encoded}))
                meter.sent(due)

    environment = Environment(user_classes=[Caller])
    runner = environment.create_local_runner()
    runner.start(meter.calls, spawn_rate=meter.calls)
    deadline = time.monotonic() + 60
    while Caller.index < meter.calls and time.monotonic() < deadline:
        gevent.sleep(0.05)
    meter.begin()
    gevent.sleep(WARM_S)
    began = cpu()
    gevent.sleep(meter.seconds)
    return meter.report(cpu() - began)


async def pace(meter: Meter, index: int, send: Callable[[], Any]) -> None:
    started = time.monotonic_ns() + meter.phase(index)
    count = 0
    while True:
        due = started + (count + 1) * meter.frame_ns
        count += 1
        wait = due - time.monotonic_ns()
        if wait > 0:
            await asyncio.sleep(wait / 1e9)
        await send()
        meter.sent(due)


async def timed(meter: Meter, tasks: list[asyncio.Task[Any]]) -> dict[str, Any]:
    meter.begin()
    await asyncio.sleep(WARM_S)
    began = cpu()
    await asyncio.sleep(meter.seconds)
    used = cpu() - began
    for each in tasks:
        each.cancel()
    return meter.report(used)


def asyncio_websockets(url: str, meter: Meter, payload: bytes) -> dict[str, Any]:
    """asyncio with the `websockets` package."""
    from websockets.asyncio.client import connect

    async def read(socket: Any) -> None:
        async for message in socket:
            json.loads(message)

    async def main() -> dict[str, Any]:
        encoded = base64.b64encode(payload).decode()
        tasks: list[asyncio.Task[Any]] = []
        for index in range(meter.calls):
            socket = await connect(url, compression=None, max_size=None, proxy=None)
            tasks.append(asyncio.create_task(read(socket)))

            async def send(socket: Any = socket) -> None:
                await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": encoded}))

            tasks.append(asyncio.create_task(pace(meter, index, send)))
        return await timed(meter, tasks)

    return asyncio.run(main())


def asyncio_openai_sdk(url: str, meter: Meter, payload: bytes) -> dict[str, Any]:
    """asyncio with the `openai` SDK's realtime connection."""
    from openai import AsyncOpenAI

    async def read(connection: Any) -> None:
        async for _ in connection:
            pass

    async def main() -> dict[str, Any]:
        base = url.replace("ws://", "http://").removesuffix("/realtime")
        client = AsyncOpenAI(base_url=base, api_key="none")
        encoded = base64.b64encode(payload).decode()
        tasks: list[asyncio.Task[Any]] = []
        for index in range(meter.calls):
            connection = await client.realtime.connect(model="m").enter()
            tasks.append(asyncio.create_task(read(connection)))

            async def send(connection: Any = connection) -> None:
                await connection.input_audio_buffer.append(audio=encoded)

            tasks.append(asyncio.create_task(pace(meter, index, send)))
        return await timed(meter, tasks)

    return asyncio.run(main())


CLIENTS: dict[str, Callable[[str, Meter, bytes], dict[str, Any]]] = {
    "bench": ours,
    "locust-websocket-client": locust_websocket_client,
    "asyncio-openai-sdk": asyncio_openai_sdk,
    "asyncio-websockets": asyncio_websockets,
}


def main() -> None:
    name, url, calls, frame_ms, seconds = sys.argv[1:6]
    meter = Meter(int(calls), int(frame_ms), float(seconds))
    result = CLIENTS[name](url, meter, audio(int(frame_ms))[: RATE * int(frame_ms) // 1000 * 2])
    print("RESULT " + json.dumps(result), flush=True)
    import os

    os._exit(0)


if __name__ == "__main__":
    main()
