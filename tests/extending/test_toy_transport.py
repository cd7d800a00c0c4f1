"""A whole transport in one file: in memory, with the audio apart from the messages, as WebRTC has it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Empty, Queue

from bench import transport
from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.transport import register, transport_for
from bench.transport.channel import Closed, ConnectOptions, Media, Message, TransportError
from tests.support.play import play

REPLY = (b"\x00\x10\x00\xf0" * 1_200, b"\x00\xf0\x00\x10" * 1_200)
"""Two pieces of 100 ms of PCM16 at 24 kHz."""


class MemoryChannel:
    """The client's end; the server is `_answer`, which speaks the events of the `openai` dialect."""

    def __init__(self) -> None:
        self._arrived: Queue[Message | Media | Closed] = Queue()
        self._closed = Event()
        self.audio_bytes = 0

    def send(self, message: str | bytes) -> None:
        if self._closed.is_set():
            raise TransportError(Failure("closed", "turn", "not_open", "the channel is closed"))
        event = json.loads(message)
        if event["type"] == "session.update":
            self._event(type="session.created", session={"id": "memory"})
            self._event(type="session.updated", session=event["session"])
        elif event["type"] == "response.create":
            gevent.spawn(self._answer)

    def _answer(self) -> None:
        self._event(type="response.created", response={"id": "r"})
        for piece in REPLY:
            now_ns = time.monotonic_ns()
            self._arrived.put(Media(piece, now_ns, now_ns))
            gevent.sleep(0.02)
        self._event(type="response.done", response={"id": "r", "status": "completed"})

    def _event(self, **event: object) -> None:
        now_ns = time.monotonic_ns()
        self._arrived.put(Message(json.dumps(event), now_ns, now_ns))

    def post(self, packed: bytes) -> bool:
        self.send(packed)
        return True

    def post_audio(self, packed: bytes) -> bool:
        self.audio_bytes += len(packed)
        return True

    def flush(self) -> None:
        pass

    def receive(self, timeout_s: float | None) -> Message | Media | Closed | None:
        try:
            return self._arrived.get(timeout=timeout_s)
        except Empty:
            return None

    def close(self, *, timeout_s: float) -> Closed:
        self._closed.set()
        return Closed(1000, "", True, time.monotonic_ns())

    def abort(self) -> None:
        self._closed.set()


class MemoryTransport:
    """`memory:` addresses. A host named `nobody` refuses."""

    carries_audio = True

    def __init__(self) -> None:
        self.channels: list[MemoryChannel] = []

    def pack(self, message: str | bytes) -> bytes:
        return message.encode() if isinstance(message, str) else message

    def pack_audio(self, payload: bytes) -> bytes:
        return payload

    def connect(self, options: ConnectOptions, connection: Connection) -> MemoryChannel:
        connection.started_ns = time.monotonic_ns()
        if "//nobody" in options.url:
            raise TransportError(Failure("connect", "connect", "refused", "nobody is there"))
        connection.done("handshake")
        connection.open_ns = connection.stages["handshake"]
        self.channels.append(MemoryChannel())
        return self.channels[-1]


MEMORY = MemoryTransport()


@pytest.fixture(autouse=True, scope="module")
def _known() -> Iterator[None]:
    register("memory", MEMORY)
    yield
    transport._known.pop("memory")


def body(host: str) -> dict[str, object]:
    return {
        "target": {"url": f"memory://{host}/v1/realtime", "model": "m"},
        "session": {"turn_detection": "manual", "transcription": None},
        "conversation": [{"say": "yes-rms"}],
    }


def test_a_call_over_a_transport_of_ones_own(tmp_path: Path) -> None:
    timeline, rows = play(body("somebody"), tmp_path)
    (row,) = rows.turns
    assert (row.status, row.transport) == ("ok", "memory")
    assert row.reply_audio_ms == pytest.approx(200)
    assert row.first_audible_ms is not None
    assert list(timeline.connection.stages) == ["handshake"]
    assert timeline.connection.stage_ms("tcp") is None
    # Frames went out as media: 40 ms of PCM16 each, no JSON around them.
    assert transport_for("memory://x") is MEMORY
    assert MEMORY.channels[-1].audio_bytes == timeline.frames_sent * 1_920


def test_its_failures_are_typed(tmp_path: Path) -> None:
    timeline, rows = play(body("nobody"), tmp_path)
    assert timeline.failure == Failure("connect", "connect", "refused", "nobody is there")
    assert rows.turns == []
