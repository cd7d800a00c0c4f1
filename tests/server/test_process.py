"""The server as a process: who it lets in, how it refuses, and that nothing of it is ever left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bench.server.options import ServeOptions
from tests.server.support import check_event, http, refused_options, server_process

KEY = "sk-test-only"
URL = "/v1/realtime?model=local-pipeline"


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with server_process(workers=1, api_key=KEY) as (_, address):
        yield address


def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def worker_pids(process: subprocess.Popen[str]) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


def websocket(address: str) -> str:
    return address.replace("http", "ws") + URL


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "Bearer ek_wrong"}])
def test_a_wrong_key_is_401_with_the_documented_body(guarded: str, headers: dict[str, str]) -> None:
    async def run() -> InvalidStatus:
        with pytest.raises(InvalidStatus) as refused:
            await connect(websocket(guarded), additional_headers=headers)
        return refused.value

    response = asyncio.run(run()).response
    body = json.loads(response.body or b"")
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/json"
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["code"] == "invalid_api_key"
    assert KEY not in json.dumps(body)


@pytest.mark.parametrize(
    ("headers", "protocols", "echoed"),
    [
        ({"Authorization": f"Bearer {KEY}"}, (), None),
        ({}, ("realtime", f"openai-insecure-api-key.{KEY}"), "realtime"),
        ({"api-key": KEY}, ("other",), "other"),
    ],
)
def test_the_right_key_opens_a_session(
    guarded: str, headers: dict[str, str], protocols: tuple[str, ...], echoed: str | None
) -> None:
    async def run() -> tuple[str | None, dict[str, Any]]:
        offered: Any = protocols or None
        async with connect(websocket(guarded), additional_headers=headers, subprotocols=offered) as ws:
            return ws.subprotocol, json.loads(await ws.recv())

    protocol, created = asyncio.run(run())
    assert protocol == echoed
    assert created["type"] == "session.created"


def test_a_secret_is_made_with_the_key_and_stands_in_for_it(guarded: str) -> None:
    address = f"{guarded}/v1/realtime/client_secrets"
    auth = {"Authorization": f"Bearer {KEY}"}
    assert http(address, method="POST", body=b"{}")[0] == 401
    status, body = http(address, method="POST", body=b"{", headers=auth)
    assert status == 400
    assert "could not parse the JSON body" in body["error"]["message"]
    assert "event_id" not in body["error"]
    status, body = http(address, method="POST", headers=auth)
    assert status == 200
    bearer = {"Authorization": f"Bearer {body['value']}"}
    assert http(address, method="POST", headers=bearer)[0] == 401

    async def run() -> dict[str, Any]:
        async with connect(guarded.replace("http", "ws") + "/v1/realtime", additional_headers=bearer) as ws:
            created: dict[str, Any] = json.loads(await ws.recv())
            return created

    assert asyncio.run(run())["session"]["model"] == "local-pipeline"


def test_some_refusals_come_after_the_upgrade(server: str) -> None:
    code = "beta_api_shape_disabled"

    async def run() -> tuple[dict[str, Any], ConnectionClosed]:
        async with connect(websocket(server), additional_headers={"OpenAI-Beta": "realtime=v1"}) as ws:
            error = json.loads(await ws.recv())
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
            return error, closed.value

    error, closed = asyncio.run(run())
    check_event(error)
    assert error["error"]["code"] == code
    assert closed.rcvd is not None
    assert closed.rcvd.code == 4000
    assert closed.rcvd.reason == f"invalid_request_error.{code}"


def test_health_and_what_is_not_served_are_json(server: str) -> None:
    status, health = http(f"{server}/healthz")
    assert status == 200
    assert health["status"] == "ok"
    assert health["engine"] == "local"
    assert http(f"{server}/healthz", method="HEAD") == (200, {})
    status, body = http(f"{server}/v1/nothing")
    assert status == 404
    assert "/v1/nothing" in body["error"]["message"]
    assert http(f"{server}/healthz", method="POST", body=b"{}")[0] == 405
    assert http(f"{server}/v1/realtime/client_secrets", method="POST", headers={"Content-Length": "2000000"})[0] == 413


def test_a_session_ends_at_its_lifetime_and_sigterm_says_good_bye() -> None:
    async def run(address: str, process: subprocess.Popen[str]) -> tuple[list[Any], int | None, int | None]:
        async with connect(websocket(address)) as first:
            expired = [json.loads(message) async for message in first]
        async with connect(websocket(address)) as second:
            await second.recv()
            process.send_signal(signal.SIGTERM)
            await second.wait_closed()
        return expired, first.close_code, second.close_code

    with server_process(workers=1, session_lifetime_s=1) as (process, address):
        children = worker_pids(process)
        events, expired, good_bye = asyncio.run(run(address, process))
        assert process.wait(timeout=30) == 0
    assert events[-1]["error"]["code"] == "session_expired"
    assert (expired, good_bye) == (1001, 1001)
    assert children
    assert not [pid for pid in children if alive(pid)]


def test_a_killed_server_leaves_no_worker() -> None:
    with server_process(workers=2) as (process, _):
        children = worker_pids(process)
        assert len(children) == 2
        process.kill()
        process.wait()
        assert eventually(lambda: not [pid for pid in children if alive(pid)])


def test_the_end_of_standard_input_ends_the_server() -> None:
    with server_process(workers=1) as (process, _):
        children = worker_pids(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0
        assert not [pid for pid in children if alive(pid)]


def test_a_worker_that_dies_is_replaced_and_the_server_goes_on() -> None:
    async def healthy(address: str) -> bool:
        async with connect(websocket(address)) as ws:
            await ws.recv()
            await ws.send('{"type": "response.create"}')
            async with asyncio.timeout(60):
                while (event := json.loads(await ws.recv()))["type"] != "response.done":
                    pass
            return bool(event["response"]["status"] == "completed")

    with server_process(workers=1) as (process, address):
        (child,) = worker_pids(process)
        os.kill(child, signal.SIGKILL)
        assert eventually(lambda: [pid for pid in worker_pids(process) if pid != child] != [])
        assert asyncio.run(healthy(address))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (ServeOptions(port=0, workers=0).line(), "at least 1 worker"),
        (ServeOptions(port=0, profile="x.yaml").line(), "takes no profile"),
        (ServeOptions(port=0, engine="other").line(), "available: local, simulated"),
        ('{"port": 0, "prot": 1}', "prot"),
        ("", "no options of a server"),
    ],
)
def test_wrong_options_are_a_sentence(line: str, words: str) -> None:
    ended = refused_options(line)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_a_sentence_and_leaves_no_worker() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = refused_options(ServeOptions(workers=1, port=taken.getsockname()[1]).line())
    assert ended.returncode == 2
    assert "cannot listen on" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_the_key_of_a_child_is_in_no_command_line() -> None:
    with server_process(engine="simulated", processes=2, api_key=KEY) as (process, address):
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        assert len(family) == 3
        assert not [member for member in family if KEY in str((member.cmdline(), member.environ()))]
        assert http(f"{address}/v1/realtime")[0] == 401
