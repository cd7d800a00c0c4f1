"""The scripted server as a process, and short ways to connect to it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.websocket import WebSocket, connect
from tests.support.certificates import CA as CA_FILE
from tests.support.certificates import certificates

HERE = Path(__file__).parent
CA = str(certificates() / CA_FILE)
PROXY_NAMES = ("http", "https", "all", "no", "ws", "wss")


@pytest.fixture(scope="session")
def ports() -> Iterator[dict[str, int]]:
    """Ports of the scripted server by name, as it printed them."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "scripted_server.py"), str(certificates())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's own settings are, a test begins without proxies and without a CA of its own."""
    for name in PROXY_NAMES:
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


Opener = Callable[..., WebSocket]


@pytest.fixture
def dial_in(ports: dict[str, int]) -> Iterator[Opener]:
    """`dial_in("/path", tls=True, **options)`: an open WebSocket; all are aborted at the end of the test."""
    opened: list[WebSocket] = []

    def open_one(path: str, *, tls: bool = False, connection: Connection | None = None, **options: Any) -> WebSocket:
        url = f"wss://localhost:{ports['tls']}{path}" if tls else f"ws://127.0.0.1:{ports['plain']}{path}"
        if tls:
            options.setdefault("ca_file", CA)
        socket = connect(ConnectOptions(url, **options), connection or fresh_connection())
        opened.append(socket)
        return socket

    yield open_one
    for socket in opened:
        socket.abort()


def fresh_connection() -> Connection:
    return Connection(intended_ns=time.monotonic_ns())


def failure_of(url: str, **options: Any) -> Failure:
    """The failure that connecting to `url` ends in."""
    with pytest.raises(TransportError) as caught:
        connect(ConnectOptions(url, **options), fresh_connection())
    return caught.value.failure
