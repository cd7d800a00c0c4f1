"""Messages, control frames and every way of ending, over real sockets against the scripted server."""

from __future__ import annotations

import functools
import logging
import struct
import subprocess
import sys
import time
from typing import Any
from urllib.parse import quote

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.protocol import SERVER, Protocol

from bench.errors import BenchError
from bench.transport.channel import Closed, ConnectOptions, Message, TransportError
from bench.transport.websocket import WebSocket, connect, pack
from tests.transport.conftest import CA, Opener, fresh_connection

both = pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])


def next_data(ws: WebSocket) -> str | bytes:
    message = ws.receive(5)
    assert isinstance(message, Message)
    assert message.at_ns <= message.read_ns
    return message.data


def closing(ws: WebSocket) -> Closed:
    closed = ws.receive(5)
    assert isinstance(closed, Closed)
    assert ws.receive(0) == closed
    return closed


@both
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 2_000_000])
def test_text_comes_back_as_it_was_sent(dial_in: Opener, tls: bool, size: int) -> None:
    ws = dial_in("/echo", tls=tls)
    text = "é" * (size // 2) + "x" * (size % 2)
    ws.send(text)
    assert next_data(ws) == text


@both
def test_a_message_of_16_mib_and_the_one_behind_it(dial_in: Opener, tls: bool) -> None:
    ws = dial_in(f"/big?bytes={16 * 2**20}", tls=tls)
    assert next_data(ws) == "a" * 16 * 2**20
    assert next_data(ws) == "after"


@both
def test_fragments_are_joined_across_control_frames(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/fragments", tls=tls)
    assert [next_data(ws) for _ in range(4)] == ["grün", b"\x00\xff\x01", "", "whole"]


@both
def test_frames_in_the_segment_of_the_upgrade_are_not_lost_and_are_stamped(dial_in: Opener, tls: bool) -> None:
    before = time.monotonic_ns()
    connection = fresh_connection()
    ws = dial_in("/together", tls=tls, connection=connection)
    assert [next_data(ws), next_data(ws)] == ["one", "two" * 100]
    third = ws.receive(5)
    assert isinstance(third, Message)
    assert third.data == b"three"
    assert before < third.at_ns <= third.read_ns
    assert connection.open_ns is not None
    # It came with the upgrade, so it came before we had finished with the upgrade.
    assert third.at_ns < connection.open_ns


@both
def test_a_flood_of_pings_is_answered_in_order(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/pings?n=3000", tls=tls)
    assert next_data(ws) == "in order"


def test_steps_of_connecting_are_stamped_in_order(dial_in: Opener) -> None:
    connection = fresh_connection()
    ws = dial_in("/echo", tls=True, connection=connection)
    assert list(connection.stages) == ["dns", "tcp", "tls", "upgrade"]
    assert connection.started_ns is not None
    steps = [connection.intended_ns, connection.started_ns, *connection.stages.values()]
    assert steps == sorted(steps)
    assert connection.open_ns == steps[-1]
    assert connection.headers == {"x-request-id": "req-7", "openai-processing-ms": "12"}
    assert connection.peer is not None
    assert connection.peer.rpartition(":")[0] in ("127.0.0.1", "[::1]")
    assert connection.kernel_stamps == (sys.platform == "linux")
    plain = fresh_connection()
    dial_in("/echo", connection=plain)
    assert list(plain.stages) == ["dns", "tcp", "upgrade"]
    ws.close()


def test_headers_reach_the_server_and_replace_our_own(dial_in: Opener) -> None:
    ws = dial_in("/headers", headers={"Authorization": "Bearer sk-abc", "user-agent": "mine/1"})
    seen = next_data(ws)
    assert '"authorization": "Bearer sk-abc"' in str(seen)
    assert '"user-agent": "mine/1"' in str(seen)
    assert "sec-websocket-extensions" not in str(seen)


def test_a_subprotocol_is_agreed_on(dial_in: Opener) -> None:
    assert next_data(dial_in("/subprotocol", subprotocols=("realtime", "other"))) == "ok"


def test_ipv6(ports: dict[str, int]) -> None:
    if not ports["plain6"]:
        pytest.skip("no IPv6 on this machine")
    connection = fresh_connection()
    ws = connect(ConnectOptions(f"ws://[::1]:{ports['plain6']}/echo"), connection)
    ws.send("six")
    assert next_data(ws) == "six"
    assert connection.peer == f"[::1]:{ports['plain6']}"
    ws.close()


def test_receive_returns_none_when_nothing_comes(dial_in: Opener) -> None:
    ws = dial_in("/echo")
    started = time.monotonic()
    assert ws.receive(0.05) is None
    assert ws.receive(0) is None
    assert time.monotonic() - started >= 0.05
    ws.send("still there")
    assert next_data(ws) == "still there"


@both
def test_a_time_out_inside_a_message_loses_nothing(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/fragments", tls=tls)
    got: list[Any] = []
    while len(got) < 4:
        message = ws.receive(0.0005)
        if message is not None:
            got.append(message.data if isinstance(message, Message) else message)
    assert got == ["grün", b"\x00\xff\x01", "", "whole"]


@both
@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1008, "policy"), (1011, "säv"), (4000, "session expired")])
def test_the_peers_close_is_reported_with_code_and_reason(dial_in: Opener, tls: bool, code: int, reason: str) -> None:
    ws = dial_in(f"/close/{code}?reason={quote(reason)}", tls=tls)
    assert next_data(ws) == "hello"
    closed = closing(ws)
    assert (closed.code, closed.reason, closed.clean) == (code, reason, True)
    assert ws.close() == closed


def test_a_close_frame_without_code_is_1005(dial_in: Opener) -> None:
    ws = dial_in("/close/0")
    assert next_data(ws) == "hello"
    assert (closing(ws).code, closing(ws).clean) == (1005, True)


@both
def test_a_reset_is_1006(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/reset", tls=tls)
    assert next_data(ws) == "hello"
    ws.send("now")
    closed = closing(ws)
    assert (closed.code, closed.clean) == (1006, False)
    with pytest.raises(TransportError) as caught:
        ws.send("too late")
    assert (caught.value.failure.error_kind, caught.value.failure.error_code) == ("closed", "not_open")


def test_the_reason_of_a_close_is_found_even_when_nothing_can_be_sent_any_more(dial_in: Opener) -> None:
    ws = dial_in("/ping-then-close")
    assert next_data(ws) == "hello"
    ws.send("unread" * 1000)
    ws.send("never read, so that the server resets the connection when it closes it")
    time.sleep(0.1)
    send_thrice = functools.partial(list, map(ws.send, ["these", "fail", "somewhere"]))
    with pytest.raises(TransportError):
        send_thrice()
    closed = closing(ws)
    assert (closed.code, closed.reason) == (1008, "too late")
    with pytest.raises(TransportError) as caught:
        ws.send("after")
    assert (caught.value.failure.close_code, caught.value.failure.close_reason) == (1008, "too late")


@both
def test_an_end_in_the_middle_of_a_frame_is_1006(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/end", tls=tls)
    assert next_data(ws) == "hello"
    closed = closing(ws)
    assert (closed.code, closed.reason, closed.clean) == (1006, "ended without a close frame", False)


@pytest.mark.parametrize(
    ("play", "code"),
    [
        ("bad-opcode", 1002),
        ("reserved-bit", 1002),
        ("masked", 1002),
        ("bad-close", 1002),
        ("lone-continuation", 1002),
        ("bad-utf8", 1007),
        ("bad-utf8-fragments", 1007),
    ],
)
@both
def test_a_peer_that_breaks_the_protocol_is_failed_at_once(dial_in: Opener, tls: bool, play: str, code: int) -> None:
    ws = dial_in(f"/{play}", tls=tls)
    assert next_data(ws) == "hello"
    closed = closing(ws)
    assert (closed.code, closed.clean) == (code, False)
    assert closed.reason


@pytest.mark.parametrize("play", ["endless-fragments", "announced-too-big", "a-little-too-big"])
@both
def test_a_message_that_is_too_big_ends_the_connection(dial_in: Opener, tls: bool, play: str) -> None:
    ws = dial_in(f"/{play}", tls=tls, max_message_bytes=50_000)
    assert next_data(ws) == "hello"
    closed = closing(ws)
    assert (closed.code, closed.clean) == (1009, False)
    assert "the most is 50,000" in closed.reason


@both
def test_a_message_as_big_as_may_be_is_taken(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/just-right", tls=tls, max_message_bytes=50_000)
    assert next_data(ws) == "hello"
    assert len(next_data(ws)) == 50_000


@both
def test_our_close_is_answered(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/echo", tls=tls)
    closed = ws.close(4001, "bye")
    assert (closed.code, closed.reason, closed.clean) == (4001, "bye", True)
    with pytest.raises(TransportError):
        ws.send("after")


def test_our_close_does_not_wait_for_ever(dial_in: Opener) -> None:
    ws = dial_in("/chatty")
    started = time.monotonic()
    closed = ws.close(timeout_s=0.2)
    assert (closed.code, closed.clean) == (1006, False)
    assert closed.reason == "no answer to our close frame"
    assert 0.2 <= time.monotonic() - started < 20


def test_close_while_another_greenlet_receives(dial_in: Opener) -> None:
    ws = dial_in("/echo")
    reader = gevent.spawn(ws.receive, None)
    gevent.sleep(0.02)
    assert ws.close().clean
    assert reader.get(timeout=1) == ws.receive(0)


def test_receive_while_another_greenlet_closes(dial_in: Opener) -> None:
    ws = dial_in("/chatty")
    closer = gevent.spawn(ws.close, timeout_s=0.2)
    gevent.sleep(0.02)
    assert ws.receive(0.01) is None
    closed = ws.receive(5)
    assert isinstance(closed, Closed)
    assert closer.get(timeout=1) == closed


@both
def test_abort_ends_a_waiting_receive(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/echo", tls=tls)
    reader = gevent.spawn(ws.receive, None)
    gevent.sleep(0.02)
    ws.abort()
    closed = reader.get(timeout=1)
    assert (closed.code, closed.clean) == (1006, False)


@both
def test_a_peer_that_does_not_read_blocks_one_session_and_not_for_ever(dial_in: Opener, tls: bool) -> None:
    deaf = dial_in("/deaf", tls=tls, send_timeout_s=0.3)
    other = dial_in("/echo", tls=tls)
    wire = pack("x" * 1_000_000)
    failures: list[TransportError] = []

    def flood() -> None:
        try:
            for _ in range(100):
                deaf.post(wire) or deaf.flush()
        except TransportError as error:
            failures.append(error)

    flooder = gevent.spawn(flood)
    rounds = 0
    while not flooder.ready():
        other.send("ping")
        assert next_data(other) == "ping"
        rounds += 1
        gevent.sleep(0.01)
    assert rounds > 5
    assert [(error.failure.error_kind, error.failure.error_code) for error in failures] == [("timeout", "send_timeout")]
    with pytest.raises(TransportError):
        deaf.send("a frame was cut in two, so nothing more may follow it")


@both
def test_frames_of_many_greenlets_do_not_interleave(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/echo", tls=tls)
    sizes = [3_000_000, 10, 700_000, 5, 2_000_000, 1]
    texts = [chr(ord("a") + index) * size for index, size in enumerate(sizes)]
    senders = [gevent.spawn(ws.send, text) for text in texts]
    received = sorted(str(next_data(ws)) for _ in texts)
    gevent.joinall(senders, raise_error=True, timeout=5)
    assert received == sorted(texts)


def test_a_cancelled_greenlet_leaves_no_descriptor_behind(ports: dict[str, int]) -> None:
    import psutil

    process = psutil.Process()
    before = process.num_fds()
    options = ConnectOptions(f"ws://127.0.0.1:{ports['plain']}/silence")
    attempts = [gevent.spawn(connect, options, fresh_connection()) for _ in range(20)]
    gevent.sleep(0.05)
    gevent.killall(attempts)
    gevent.sleep(0.01)
    assert process.num_fds() < before + 5


@given(st.text(max_size=400), st.binary(min_size=4, max_size=4))
def test_an_encoded_frame_is_what_a_server_reads(text: str, mask: bytes) -> None:
    server = Protocol(SERVER)
    server.receive_data(pack(text, mask) + pack(text))
    received = [bytes(event.data).decode() for event in server.events_received()]  # type: ignore[union-attr]
    assert received == [text, text]


def test_a_long_frame_has_the_long_header() -> None:
    assert pack("x" * 70_000)[:10] == b"\x81\xff" + struct.pack("!Q", 70_000)
    assert pack(b"x" * 5)[:2] == b"\x82\x85"


@pytest.mark.parametrize("url", ["http://host/", "ws:///path", "wss://host:99999/", "host"])
def test_an_unusable_url_is_the_users_error_and_hides_its_query(url: str) -> None:
    with pytest.raises(BenchError, match="is not a WebSocket address") as caught:
        connect(ConnectOptions(f"{url}?api_key=sk-secret"), fresh_connection())
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["Bearer sk-secret\n", "Bearer sk-\u2019secret", "a\r\nX: y"])
def test_an_unusable_header_is_the_users_error_and_hides_its_value(value: str) -> None:
    with pytest.raises(BenchError, match="'Authorization'") as caught:
        connect(ConnectOptions("ws://127.0.0.1:1/", headers={"Authorization": value}), fresh_connection())
    assert "secret" not in str(caught.value)


def test_nothing_is_logged_and_no_key_is_shown(dial_in: Opener, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ws = dial_in("/echo?api_key=sk-query", headers={"Authorization": "Bearer sk-header"})
    ws.send("x")
    next_data(ws)
    ws.close()
    assert "sk-" not in caplog.text
    assert "sk-" not in repr(ConnectOptions("ws://h/?key=sk-1", headers={"a": "sk-2"}, subprotocols=("sk-3",)))


MONKEY_PATCHED = """
import sys
{first}
from gevent import monkey
monkey.patch_all()
import time, gevent
from bench.facts.connection import Connection
from bench.transport.channel import (ConnectOptions, Message)
from bench.transport.websocket import connect
connection = Connection(intended_ns=0)
ws = connect(ConnectOptions(sys.argv[1], ca_file=sys.argv[2]), connection)
ws.send("go")
monkey.get_original("time", "sleep")(0.06)
messages = [ws.receive(5) for _ in range(5)]
assert all(isinstance(message, Message) for message in messages), messages
good = [message.at_ns - int(message.data[:20]) < 7e6 for message in messages]
print(connection.kernel_stamps, good, ws.close().clean)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps are a Linux feature")
@both
@pytest.mark.parametrize("first", ["", "import bench.transport.websocket, ssl, requests"], ids=["before", "after"])
def test_it_works_in_a_process_that_was_monkey_patched(ports: dict[str, int], tls: bool, first: str) -> None:
    path = "/clock?n=5&gap_ms=8"
    url = f"wss://localhost:{ports['tls']}{path}" if tls else f"ws://127.0.0.1:{ports['plain']}{path}"
    done = subprocess.run(
        [sys.executable, "-c", MONKEY_PATCHED.format(first=first), url, CA],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "True [True, True, True, True, True] True"
