"""What has arrived is acknowledged at once, so that a server that gathers small messages does not wait for us."""

from __future__ import annotations

import socket

import pytest
from gevent import socket as green

from bench.transport.wire import QUICKACK, SocketWire

EXCHANGES = 20


def acknowledging(*, quickack: bool) -> list[int]:
    """Whether the kernel acknowledges at once, after each message read between messages sent."""
    assert QUICKACK is not None
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as peer:
        accepted, _ = listener.accept()
        wire = SocketWire(green.socket(fileno=accepted.detach()), send_timeout_s=5, stamped=True, quickack=quickack)
        found = []
        for _ in range(EXCHANGES):
            peer.sendall(b"delta")
            assert wire.read(5)
            found.append(wire._sock.getsockopt(socket.IPPROTO_TCP, QUICKACK))
            wire.send(b"frame")
            assert peer.recv(5)
        wire.close()
    return found


@pytest.mark.skipif(QUICKACK is None, reason="only Linux acknowledges at once")
def test_every_read_has_the_kernel_acknowledge_at_once_unless_the_scenario_says_otherwise() -> None:
    assert all(acknowledging(quickack=True))
    assert not any(acknowledging(quickack=False)[5:]), "the kernel does so by itself, and this test shows nothing"
