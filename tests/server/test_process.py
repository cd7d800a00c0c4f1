"""The server as a process: who it lets in, how it refuses, and that nothing of it is ever left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import psutil
import pytest

from tests.server.support import ROOT, check_event, server_process

KEY = "sk-test-only"
URL = "/v1/realtime?model=local-pipeline"


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with server_process("--workers", "1", "--api-key-env", "TEST_KEY", TEST_KEY=KEY) as (_, address):
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


async def refused(address: str, headers: dict[str, str], path: str = URL) -> tuple[int, dict[str, Any]]:
    """Status and body of a handshake that is answered with plain HTTP."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with aiohttp.ClientSession() as client, client.get(address + path, headers={**upgrade, **headers}) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "Bearer ek_wrong"}])
def test_a_wrong_key_is_401_with_the_documented_body(guarded: str, headers: dict[str, str]) -> None:
    status, body = asyncio.run(refused(guarded, headers))
    assert status == 401
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
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(guarded + URL, headers=headers, protocols=protocols) as ws,
        ):
            return ws.protocol, await ws.receive_json()

    protocol, created = asyncio.run(run())
    assert protocol == echoed
    assert created["type"] == "session.created"


def test_a_secret_is_made_with_the_key_and_stands_in_for_it(guarded: str) -> None:
    async def run() -> tuple[int, int, dict[str, Any], int]:
        address = f"{guarded}/v1/realtime/client_secrets"
        auth = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession() as client:
            async with client.post(address, json={}) as answer:
                without_key = answer.status
            async with client.post(address, data=b"{", headers=auth) as answer:
                broken = answer.status
            async with client.post(address, headers=auth) as answer:
                value = (await answer.json())["value"]
            bearer = {"Authorization": f"Bearer {value}"}
            async with client.post(address, headers=bearer) as answer:
                with_secret = answer.status
            async with client.ws_connect(f"{guarded}/v1/realtime", headers=bearer) as ws:
                return without_key, broken, await ws.receive_json(), with_secret

    without_key, broken, created, with_secret = asyncio.run(run())
    assert (without_key, broken, with_secret) == (401, 400, 401)
    assert created["session"]["model"] == "local-pipeline"


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        (URL, {"OpenAI-Beta": "realtime=v1"}, "beta_api_shape_disabled"),
    ],
)
def test_some_refusals_come_after_the_upgrade(server: str, path: str, headers: dict[str, str], code: str) -> None:
    async def run() -> tuple[dict[str, Any], aiohttp.WSMessage]:
        async with aiohttp.ClientSession() as client, client.ws_connect(server + path, headers=headers) as ws:
            return await ws.receive_json(), await ws.receive()

    error, closed = asyncio.run(run())
    check_event(error)
    assert error["error"]["code"] == code
    assert closed.data == 4000
    assert closed.extra == f"invalid_request_error.{code}"


def test_health_and_unknown_paths_are_json(server: str) -> None:
    async def run() -> tuple[dict[str, Any], int, dict[str, Any]]:
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{server}/healthz") as answer:
                health = await answer.json()
            async with client.get(f"{server}/v1/nothing") as answer:
                return health, answer.status, await answer.json()

    health, status, body = asyncio.run(run())
    assert health["status"] == "ok"
    assert health["engine"] == "local"
    assert status == 404
    assert "/v1/nothing" in body["error"]["message"]


def test_a_session_ends_at_its_lifetime_and_sigterm_says_good_bye() -> None:
    async def run(address: str, process: subprocess.Popen[str]) -> tuple[list[Any], aiohttp.WSMessage]:
        async with aiohttp.ClientSession() as client:
            async with client.ws_connect(address + URL) as ws:
                expired = [await ws.receive() for _ in range(3)]
            async with client.ws_connect(address + URL) as ws:
                await ws.receive()
                process.send_signal(signal.SIGTERM)
                return expired, await ws.receive()

    with server_process("--workers", "1", "--session-lifetime-s", "1") as (process, address):
        children = worker_pids(process)
        (_, error, closed), good_bye = asyncio.run(run(address, process))
        assert process.wait(timeout=10) == 0
    assert error.json()["error"]["code"] == "session_expired"
    assert closed.type is aiohttp.WSMsgType.CLOSE
    assert good_bye.data == aiohttp.WSCloseCode.GOING_AWAY
    assert children
    assert not [pid for pid in children if alive(pid)]


def test_a_killed_server_leaves_no_worker() -> None:
    with server_process("--workers", "2") as (process, _):
        children = worker_pids(process)
        assert len(children) == 2
        process.kill()
        process.wait()
        assert eventually(lambda: not [pid for pid in children if alive(pid)])


def test_the_end_of_standard_input_ends_the_server() -> None:
    with server_process("--workers", "1") as (process, _):
        children = worker_pids(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0
        assert not [pid for pid in children if alive(pid)]


def test_a_worker_that_dies_is_replaced_and_the_server_goes_on() -> None:
    async def healthy(address: str) -> bool:
        async with aiohttp.ClientSession() as client, client.ws_connect(address + URL) as ws:
            await ws.receive()
            await ws.send_json({"type": "response.create"})
            async with asyncio.timeout(20):
                while (event := await ws.receive_json())["type"] != "response.done":
                    pass
            return bool(event["response"]["status"] == "completed")

    with server_process("--workers", "1") as (process, address):
        (child,) = worker_pids(process)
        os.kill(child, signal.SIGKILL)
        assert eventually(lambda: [pid for pid in worker_pids(process) if pid != child] != [])
        assert asyncio.run(healthy(address))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--workers", "0"], 2, "at least 1 worker"),
        (["--api-key-env", "NOT_A_VARIABLE"], 2, "NOT_A_VARIABLE"),
        (["--profile", "x.yaml"], 2, "takes no profile"),
    ],
)
def test_wrong_options_are_a_sentence(arguments: list[str], status: int, words: str) -> None:
    command = [sys.executable, "-m", "bench.server", "--port", "0", *arguments]
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=30, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == status
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_a_sentence_and_leaves_no_worker() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "bench.server", "--workers", "1", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=30, stdin=subprocess.DEVNULL
        )
    assert ended.returncode == 2
    assert "cannot listen on" in ended.stderr
    assert "Traceback" not in ended.stderr
