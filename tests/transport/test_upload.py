"""Files of speech: what is posted, what comes back, and a connection that the server keeps, closes or leaves silent."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.facts.connection import Connection
from bench.server.http_legs.requests import form_fields
from bench.transport import transport_for
from bench.transport.channel import Closed, ConnectOptions, Message, TransportError
from bench.transport.upload import MAX_AUDIO_BYTES, UploadChannel, wav

Answer = Callable[[dict[str, str], bytes], bytes]
Seen = list[tuple[dict[str, str], bytes]]
ASKED = {"turn": 0, "fields": {"model": "w"}, "rate_hz": 24000}


def ok(headers: dict[str, str], body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"text":"Hi"}'


@contextmanager
def serving(answer: Answer, *, once: bool = False) -> Iterator[tuple[str, Seen, list[int]]]:
    """A server that answers each request; `once`: it closes a connection after one.

    Gives its address, the requests, and a list as long as there were connections.
    """
    seen: Seen = []
    connections: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(sock: socket.socket) -> None:
            with sock, suppress(OSError, ValueError):
                file = sock.makefile("rb")
                while line := file.readline():
                    headers = {}
                    while (line := file.readline().strip()) != b"":
                        name, _, value = line.decode().partition(": ")
                        headers[name.lower()] = value
                    body = file.read(int(headers.get("content-length", 0)))
                    seen.append((headers, body))
                    sock.sendall(answer(headers, body))
                    if once:
                        return

        def accept() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = server.accept()
                    connections.append(1)
                    threading.Thread(target=serve, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1/audio/transcriptions", seen, connections


def opened(url: str, **headers: str) -> UploadChannel:
    channel = transport_for(url).connect(ConnectOptions(url, headers=headers), Connection(time.monotonic_ns()))
    assert isinstance(channel, UploadChannel)
    return channel


def answer_to(channel: UploadChannel, asked: dict[str, Any]) -> dict[str, Any]:
    channel.send(json.dumps(asked))
    message = channel.receive(5)
    assert isinstance(message, Message)
    return dict(json.loads(message.data))


def test_a_file_is_a_wav_in_a_form() -> None:
    pcm = (np.sin(np.arange(2_400) / 9) * 9_000).astype("<i2")
    with serving(ok) as (url, seen, _):
        channel = opened(url, Authorization="Bearer k")
        for start in range(0, 2_400, 960):
            channel.post_audio(pcm[start : start + 960].tobytes())
        found = answer_to(channel, {**ASKED, "fields": {"model": "w", "language": "en"}})
        channel.close(timeout_s=1)
    assert found == {"turn": 0, "status": 200, "body": '{"text":"Hi"}'}
    headers, body = seen[0]
    assert headers["authorization"] == "Bearer k"
    fields = form_fields(headers["content-type"], body)
    assert (fields["model"], fields["language"]) == (b"w", b"en")
    samples, rate_hz = soundfile.read(io.BytesIO(fields["file"]), dtype="int16")
    assert rate_hz == 24_000
    assert np.array_equal(samples, pcm)


def test_each_turn_has_its_own_file() -> None:
    with serving(ok) as (url, seen, connections):
        channel = opened(url)
        for turn, sound in enumerate((b"\1\0" * 10, b"\2\0" * 20)):
            channel.post_audio(sound)
            assert answer_to(channel, {**ASKED, "turn": turn})["turn"] == turn
        channel.close(timeout_s=1)
        files = [form_fields(headers["content-type"], body)["file"] for headers, body in seen]
        assert files == [wav(b"\1\0" * 10, 24_000), wav(b"\2\0" * 20, 24_000)]
        assert len(connections) == 1, "a connection that the server keeps is used again"


def test_a_connection_that_the_server_closed_meanwhile() -> None:
    with serving(ok, once=True) as (url, seen, connections):
        channel = opened(url)
        for turn in range(3):
            assert answer_to(channel, {**ASKED, "turn": turn})["status"] == 200
            time.sleep(0.05)
        channel.close(timeout_s=1)
        assert (len(seen), len(connections)) == (3, 3)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b'HTTP/1.1 401 x\r\nContent-Length: 20\r\n\r\n{"error":{"code":1}}', "auth", "http_401"),
        (b"HTTP/1.1 429 x\r\nContent-Length: 0\r\n\r\n", "rate_limit", "http_429"),
        (b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", "server", "http_503"),
        (b"HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\nhalf", None, "closed"),
        (b"nonsense\r\n\r\n", "handshake", "not_http"),
    ],
)
def test_a_failure_is_the_answer_of_its_turn(answer: bytes, kind: str | None, code: str | None) -> None:
    with serving(lambda *_: answer, once=True) as (url, _, _):
        channel = opened(url)
        found = answer_to(channel, ASKED)
        channel.close(timeout_s=1)
    assert found["turn"] == 0
    assert kind is None or found["failure"]["error_kind"] == kind
    assert code is None or found["failure"]["error_code"] == code


def test_hanging_up_gives_up_what_is_posted() -> None:
    with serving(lambda *_: time.sleep(30) or b"") as (url, _, _):
        channel = opened(url)
        channel.send(json.dumps(ASKED))
        assert channel.receive(0.1) is None
        closed = channel.close(timeout_s=1)
        assert (closed.code, closed.clean) == (1000, True)
        assert isinstance(channel.receive(1), Closed)
        assert isinstance(channel.receive(1), Closed)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        opened(f"http://127.0.0.1:{port}/x")
    assert caught.value.failure.error_code == "refused"


def test_a_turn_that_no_server_would_take() -> None:
    with serving(ok) as (url, _, _):
        channel = opened(url)
        channel.post_audio(b"\0" * MAX_AUDIO_BYTES)
        with pytest.raises(TransportError, match="too_long"):
            channel.post_audio(b"\0")
        channel.close(timeout_s=1)
