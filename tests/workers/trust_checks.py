"""Only peers that know the token are heard, and whatever else comes is dropped and counted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import msgpack
import pytest
import zmq
import zmq.green
from locust.rpc.protocol import Message

from bench.errors import BenchError
from bench.workers import messages
from bench.workers.trust import TOKEN_VARIABLE, SealedClient, SealedServer, token_of

TOKEN = "a token of at least sixteen characters"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server() -> Iterator[SealedServer]:
    made = SealedServer("127.0.0.1", free_port(), TOKEN)
    yield made
    made.close(linger=0)


def until(true: Callable[[], bool]) -> None:
    with gevent.Timeout(10):
        while not true():
            gevent.sleep(0.02)


def received(server: SealedServer, least: int = 0) -> list[tuple[str, Message]]:
    """At least so many messages, and what else comes shortly after; without any to wait for, within a longer time."""
    found: list[tuple[str, Message]] = []

    def listen() -> None:
        while True:
            found.append(server.recv_from_client())

    listener = gevent.spawn(listen)
    until(lambda: len(found) >= least)
    gevent.sleep(0.1 if least else 0.5)
    listener.kill()
    return found


def test_a_worker_with_the_token_is_heard_and_hears(server: SealedServer) -> None:
    client = SealedClient("127.0.0.1", server.port, "one", TOKEN)
    client.send(Message(messages.HELLO, {"pid": 1}, "one"))
    ((sender, message),) = received(server, 1)
    assert (sender, message.type, message.data) == ("one", messages.HELLO, {"pid": 1})
    server.send_to_client(Message("ack", {"index": 0}, "one"))
    with gevent.Timeout(5):
        assert client.recv().data == {"index": 0}
    assert (server.refused, client.refused) == (0, 0)
    client.close(linger=0)


@pytest.mark.parametrize("token", ["", "another token of sixteen characters"])
def test_a_worker_with_another_token_is_refused_and_knows_it(server: SealedServer, token: str) -> None:
    client = SealedClient("127.0.0.1", server.port, "one", token)
    client.send(Message(messages.HELLO, {"pid": 1}, "one"))
    assert received(server) == []
    until(lambda: server.refused > 0 and client.refused > 0)
    client.close(linger=0)


def test_strangers_are_refused_and_counted(server: SealedServer) -> None:
    plain = zmq.green.Context().socket(zmq.DEALER)
    plain.connect(f"tcp://127.0.0.1:{server.port}")
    plain.send(msgpack.dumps(("client_ready", "2.43.0", "stranger")))
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 20)
        assert received(server) == []
    until(lambda: server.refused > 0)
    plain.close(0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00junk",
        msgpack.dumps("text"),
        msgpack.dumps(("client_ready", "2", "another")),
        msgpack.dumps((7, None, "one")),
        msgpack.dumps(([], None, "one")),
        msgpack.dumps(("locustfile", None, "one")),
        msgpack.dumps(("heartbeat", None, "one")),
        msgpack.dumps(("heartbeat", {"state": 3, "current_cpu_usage": 1}, "one")),
        msgpack.dumps(("heartbeat", {"state": "running", "current_cpu_usage": "full"}, "one")),
        msgpack.dumps(("client_ready", {"__datetime__": True, "as_str": "soon"}, "one")),
    ],
    ids=repr,
)
def test_a_message_that_is_none_is_dropped_though_its_sender_is_known(server: SealedServer, body: bytes) -> None:
    client = SealedClient("127.0.0.1", server.port, "one", TOKEN)
    client.socket.send(body)
    client.send(Message("client_ready", "2.43.0", "one"))
    client.send(Message("stats", {}, "one"))
    assert [message.type for _, message in received(server, 1)] == ["client_ready"]
    assert server.unreadable == 1
    client.close(linger=0)


def test_where_the_token_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert token_of(None) == ""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert token_of(None) == TOKEN
    monkeypatch.setenv("OTHER", "x" * 16)
    assert token_of("env:OTHER") == "x" * 16
    wrong: list[tuple[str, Any]] = [("short", "at least 16"), ("", "empty")]
    for value, said in wrong:
        monkeypatch.setenv("OTHER", value)
        with pytest.raises(BenchError, match=said):
            token_of("env:OTHER")
    with pytest.raises(BenchError, match="--token"):
        token_of("the token itself, typed")
