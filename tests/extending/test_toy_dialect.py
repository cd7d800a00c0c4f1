"""A whole dialect in one file: binary frames, a ping that must be answered, 16 kHz in, 24 kHz out, no ids.

The protocol: the client sends `H`, the server answers `R` and a ping `P<nonce>`, to which it wants `O<nonce>`. Caller
audio is `A<pcm>`, `E` ends the caller's turn. The reply is `t<text>`, then `a<pcm>` pieces, then `D`. Run as a script,
this file is the server.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from websockets.sync.server import ServerConnection, serve

from bench import dialects
from bench.audio.formats import AudioFormat
from bench.dialects import register
from bench.dialects.dialect import Dialect
from bench.dialects.session_config import SessionConfig
from bench.facts.signals import AudioDelta, ResponseEnded, SessionReady, Signal, TextDelta, Unrecognised
from tests.support.play import play


class ToyEcho(Dialect):
    """The client side."""

    name = "toy-echo"

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        self.input_format = AudioFormat("pcm16", 16_000)
        self.output_format = AudioFormat("pcm16", 24_000)

    def opening(self) -> Sequence[bytes]:
        return (b"H",)

    def audio_message(self, payload: bytes) -> bytes:
        return b"A" + payload

    def end_of_turn(self, turn: int) -> Sequence[bytes]:
        return (b"E",)

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        body = data.encode() if isinstance(data, str) else data
        kind, rest = body[:1], body[1:]
        if kind == b"R":
            return (SessionReady(at_ns),)
        if kind == b"P":
            self.post(b"O" + rest)
            return ()
        if kind == b"t":
            return (TextDelta(at_ns, None, rest.decode()),)
        if kind == b"a":
            return (AudioDelta(at_ns, None, None, len(rest) // 2, len(rest), rest),)
        if kind == b"D":
            return (ResponseEnded(at_ns, None, "completed"),)
        return (Unrecognised(at_ns, repr(kind)),)


class ToyEchoWithoutEnd(ToyEcho):
    """The same where the server marks no end: half a second without audio is one. Frames bear the call's own number."""

    name = "toy-echo-without-end"
    shares_frames = False
    QUIET_NS = 500_000_000

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        self._audio_ns: int | None = None
        self._call = b"?"

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        body = data.encode() if isinstance(data, str) else data
        if body[:1] == b"R":
            self._call = body[1:2]
        if body[:1] == b"a":
            self._audio_ns = at_ns
        return () if body[:1] == b"D" else super().receive(body, at_ns)

    def audio_message(self, payload: bytes) -> bytes:
        return b"A" + self._call + payload

    def next_tick_ns(self) -> int | None:
        return None if self._audio_ns is None else self._audio_ns + self.QUIET_NS

    def tick(self, now_ns: int) -> Sequence[Signal]:
        ended_ns = self.next_tick_ns()
        if ended_ns is None or now_ns < ended_ns:
            return ()
        self._audio_ns = None
        return (ResponseEnded(ended_ns, None, "completed"),)


def echo(socket: ServerConnection) -> None:
    """The server side: a caller who does not answer the ping is cut off; what was said comes back at 24 kHz."""
    said = bytearray()
    answered = False
    numbered = socket.request is not None and socket.request.path == "/numbered"
    for message in socket:
        assert isinstance(message, bytes), "this protocol is binary"
        kind, rest = message[:1], message[1:]
        if kind == b"H":
            socket.send(b"R7" if numbered else b"R")
            socket.send(b"Pnonce-1")
        elif kind == b"O":
            answered = rest == b"nonce-1"
        elif kind == b"A":
            assert not numbered or rest[:1] == b"7", "a frame without the call's number"
            said += rest[1:] if numbered else rest
        elif kind == b"E":
            if not answered:
                socket.close(4000, "no pong")
                return
            pcm = np.frombuffer(bytes(said), "<i2")
            wide = pcm[np.arange(len(pcm) * 3 // 2) * 2 // 3]
            socket.send(b"techo")
            for at in range(0, len(wide), 4_800):
                socket.send(b"a" + wide[at : at + 4_800].tobytes())
            socket.send(b"D")
            said.clear()


if __name__ == "__main__":
    with serve(echo, "127.0.0.1", 0) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


@pytest.fixture(autouse=True, scope="module")
def _known() -> Iterator[None]:
    register(ToyEcho)
    register(ToyEchoWithoutEnd)
    yield
    for each in (ToyEcho, ToyEchoWithoutEnd):
        dialects._known.pop(each.name)  # other tests of this process know nothing of it


@pytest.fixture
def url() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"ws://127.0.0.1:{int(process.stdout.readline())}/"
    process.kill()
    process.wait()


def test_two_turns_of_a_toy_protocol(url: str, tmp_path: Path) -> None:
    body = {
        "target": {"dialect": "toy-echo", "url": url},
        "session": {"turn_detection": "manual", "transcription": None},
        "conversation": [{"say": "yes-rms"}, {"pause": "100ms"}, {"say": "yes-slt"}],
    }
    timeline, rows = play(body, tmp_path)
    assert timeline.failure is None
    assert timeline.output_rate_hz == 24_000
    assert [row.status for row in rows.turns] == ["ok", "ok"]
    for row in rows.turns:
        assert row.dialect == "toy-echo"
        assert row.reply_text == "echo"
        assert row.reply_audio_ms is not None
        # The echo is as long as what was sent: the speech, and 100 ms until the button is let go.
        assert row.reply_audio_ms >= row.speech_ms + 100
        assert row.commit_to_first_audio_ms is not None
        assert row.commit_to_first_audio_ms > 0
        assert row.first_audible_ms is not None
        assert row.endpoint_ms is None


def test_a_reply_without_an_end_ends_by_a_tick(url: str, tmp_path: Path) -> None:
    body = {
        "target": {"dialect": ToyEchoWithoutEnd.name, "url": f"{url}numbered"},
        "session": {"turn_detection": "manual", "transcription": None},
        "conversation": [{"say": "yes-rms"}, {"say": "yes-slt"}],
    }
    timeline, rows = play(body, tmp_path)
    assert timeline.failure is None
    assert [row.status for row in rows.turns] == ["ok", "ok"]
    for row in rows.turns:
        assert row.response_done_ms is not None
        assert row.first_audio_ms is not None
        assert row.response_done_ms > row.first_audio_ms + 499


def test_a_ping_is_answered_by_way_of_the_outbox() -> None:
    dialect = ToyEcho(SessionConfig())
    assert dialect.receive(b"Px", 1) == ()
    assert list(dialect.data_to_send()) == [b"Ox"]
    assert list(dialect.data_to_send()) == []
