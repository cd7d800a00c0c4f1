"""A server echoes the secrets of a run in every place where a text can stand: none is in a file, a page or a terminal.

The echo is in many encodings, with escapes for terminals around it. Calls are made in this process's child and in
worker processes; what the server saw proves that the secrets were sent at all.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.config.test_redactor import FORMS
from tests.support.bursts import two_turns
from tests.support.processes import ROOT, bench
from tests.transport.scripted_server import Peer, frame

KEY = "Zq-proj/Ab+cdEF_ghij=0123456789klmnop"
TEAM = "Team+of/Voices=4711abcdef"
REGION = "region-4f5e6d7c8b9a"
SECRETS = (KEY, TEAM, REGION)
ODD = "\x1b[31m\x07\x00\u202e"
WHOLE = [form for form in FORMS if not form.startswith("cut")]
TONE = base64.b64encode((np.sin(np.arange(4_800) / 9) * 9_000).astype("<i2").tobytes()).decode()
Play = Callable[[Peer, "Echo"], None]


class Echo:
    """What is said: every secret in one of the forms, another with each text."""

    def __init__(self) -> None:
        self._turn = 0

    def __call__(self) -> str:
        form = WHOLE[self._turn % len(WHOLE)]
        self._turn += 1
        return f"{ODD}{KEY} " + " and ".join(FORMS[form](secret) for secret in SECRETS)

    def line(self) -> str:
        return "".join(letter for letter in self() if 32 <= ord(letter) < 127)


def refuse(answer: Callable[[Echo], str]) -> Play:
    def play(peer: Peer, echo: Echo) -> None:
        peer.sock.sendall(answer(echo).encode())

    return play


def error(echo: Echo, **fields: Any) -> dict[str, Any]:
    return {name: echo() for name in ("type", "code", "message", "param", "event_id")} | fields


def send(peer: Peer, kind: str, **fields: Any) -> None:
    peer.sock.sendall(frame(json.dumps({"type": kind, **fields}).encode()))


def ready(peer: Peer, echo: Echo) -> None:
    peer.sock.sendall(peer.switching(x_request_id=echo.line(), server=echo.line(), openai_version=echo.line()))
    send(peer, "session.created", session={"id": echo(), "model": echo()})
    peer.next_text()
    send(peer, "session.updated", session={})


def converse(*replies: Callable[[Peer, Echo], None]) -> Play:
    """A call that answers its turns with `replies`."""

    def play(peer: Peer, echo: Echo) -> None:
        ready(peer, echo)
        for reply in replies:
            while (text := peer.next_text()) is not None and b"response.create" not in text:
                continue
            if text is None:
                return
            reply(peer, echo)
        peer.linger_until_gone()

    return play


def chatter(peer: Peer, echo: Echo) -> None:
    send(peer, echo(), event_id=echo())
    send(peer, "error", error=error(echo, code="response_cancel_not_active"))
    send(peer, "error", error=echo())
    for text in (echo(), json.dumps([echo()]), json.dumps({"kind": echo()})):
        peer.sock.sendall(frame(text.encode()))
    peer.sock.sendall(frame(b"\x00" + KEY.encode(), 2))
    send(peer, "response.output_audio.delta", delta={"a": echo()})
    send(peer, "rate_limits.updated", rate_limits=[{"name": echo(), "limit": 5, "remaining": 4}])


def heard(peer: Peer, echo: Echo) -> None:
    chatter(peer, echo)
    item = echo()
    send(peer, "input_audio_buffer.committed", item_id=item)
    completed = "conversation.item.input_audio_transcription.completed"
    send(peer, completed, item_id=item, transcript=f"hello {echo()} there")
    rid = echo()
    send(peer, "response.created", response={"id": rid})
    for start in range(0, len(KEY), 5):
        send(peer, "response.output_audio_transcript.delta", response_id=rid, delta=KEY[start : start + 5])
    send(peer, "response.output_audio_transcript.delta", response_id=rid, delta=f" {echo()} ")
    send(peer, "response.output_audio.delta", response_id=rid, item_id=echo(), delta=TONE)
    send(peer, "response.output_audio.done", response_id=rid)
    arguments = {"call_id": echo(), "name": echo(), "arguments": json.dumps({"key": echo()})}
    send(peer, "response.function_call_arguments.done", response_id=rid, **arguments)
    output = [{"type": "message", "content": [{"type": "output_audio", "transcript": echo()}]}]
    send(peer, "response.done", response={"id": rid, "status": "completed", "output": output})


def unheard(peer: Peer, echo: Echo) -> None:
    failed = "conversation.item.input_audio_transcription.failed"
    send(peer, failed, item_id=echo(), error=error(echo))
    details = {"type": echo(), "reason": echo(), "error": error(echo)}
    send(peer, "response.done", response={"id": echo(), "status": "failed", "status_details": details})


def hang_up(peer: Peer, echo: Echo) -> None:
    peer.sock.sendall(frame(struct.pack("!H", 4000) + f"{ODD}{KEY}{TEAM}".encode(), 8))


def fatal(peer: Peer, echo: Echo) -> None:
    send(peer, "error", error=error(echo, code="session_expired"))


def unready(peer: Peer, echo: Echo) -> None:
    peer.sock.sendall(peer.switching())
    send(peer, "error", error=error(echo))
    hang_up(peer, echo)


def otherwise(peer: Peer, echo: Echo) -> None:
    """A session with other settings than were asked for."""
    peer.sock.sendall(peer.switching())
    peer.next_text()
    voice, detection = {"voice": echo(), "format": {"type": echo()}}, {"type": echo()}
    audio = {"output": voice, "input": {"turn_detection": detection, "transcription": {"model": echo()}}}
    send(peer, "session.updated", session={"audio": audio, "instructions": echo(), "output_modalities": [echo()]})
    peer.linger_until_gone()


PLAYS: list[Play] = [
    converse(heard, unheard),
    otherwise,
    converse(heard, hang_up),
    converse(unheard, fatal),
    unready,
    refuse(lambda echo: f"HTTP/1.1 {echo.line()}\r\n\r\n"),
    refuse(lambda echo: f"HTTP/1.1 302 {echo.line()}\r\nLocation: https://h/{KEY}?{TEAM}\r\n\r\n"),
    refuse(lambda echo: f"HTTP/1.1 302 x\r\nLocation: https://[{echo.line()}\r\n\r\n"),
    refuse(lambda echo: "HTTP/1.1 401 x\r\n\r\n" + json.dumps({"error": error(echo)})),
    refuse(lambda echo: f"HTTP/1.1 500 x\r\nX-Request-Id: {echo.line()}\r\n\r\n{echo()}"),
    refuse(lambda echo: f"HTTP/1.1 101 x\r\nUpgrade: {echo.line()}\r\nConnection: {KEY}\r\n\r\n"),
    refuse(lambda echo: echo()),
    lambda peer, echo: peer.sock.sendall(peer.switching(sec_websocket_protocol=KEY)),
    lambda peer, echo: peer.sock.sendall(peer.switching(sec_websocket_extensions=KEY)),
    lambda peer, echo: peer.sock.sendall(peer.switching(accept=echo.line())),
]


@contextmanager
def echoing() -> Iterator[tuple[int, list[Peer]]]:
    """A port whose callers get one play each, in order; and who called."""
    callers: list[Peer] = []
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:

        def serve(sock: socket.socket, play: Play, echo: Echo) -> None:
            with sock, suppress(OSError):
                peer = Peer(sock)
                if peer.read_request():
                    callers.append(peer)
                    play(peer, echo)

        def accept() -> None:
            echo = Echo()
            with suppress(OSError):
                for place in range(1000):
                    sock, _ = server.accept()
                    args = (sock, PLAYS[place % len(PLAYS)], echo)
                    threading.Thread(target=serve, args=args, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1]), callers


def everything(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below `folder` as text: what is packed is unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.suffix == ".png":
            continue
        if path.suffix == ".parquet":
            rows = pd.read_parquet(path)
            yield str(path), "\n".join(str(value) for name in rows for value in rows[name] if value is not None)
        else:
            data = path.read_bytes()
            yield str(path), (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def leaks(name: str, text: str) -> list[str]:
    """What of the secrets, or of the escapes around them, can be read in `text`."""
    lowered = text.lower()
    found = [
        part
        for secret in SECRETS
        for at in range(len(secret) - 9)
        if (part := secret[at : at + 10]).lower() in lowered or part.encode().hex() in lowered
    ]
    for secret in SECRETS:
        for before in range(3):
            core = base64.b64encode(b" " * before + secret.encode()).decode()[8:20]
            found += [core] if core in text else []
    # In a JSON file the letter itself is an escape; an escaped backslash before it is the server's own wording.
    escaped = r"|(?<!\\)(?:\\\\)*\\u(?:001b|0007|0000|202e)" if ".json" in name else ""
    odd = re.search(r"[\x1b\x07\0\u202e]" + escaped, text)
    return [*found, repr(odd[0])] if odd else found


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_no_secret_that_a_server_echoes_is_kept_or_shown(tmp_path: Path, workers: int) -> None:
    with echoing() as (port, callers):
        body = two_turns(tmp_path) | {
            "target": {
                "url": f"ws://127.0.0.1:{port}/v1/realtime",
                "model": "m",
                "api_key": "env:ECHO_KEY",
                "headers": {"X-Team": "env:ECHO_TEAM"},
                "query": {"region": "env:ECHO_REGION"},
            },
            "load": {"callers": len(PLAYS), "sessions": len(PLAYS)},
            "timeouts": {"connect": "2s", "ready": "2s", "reply": "1s", "transcription": "1s"},
        }
        body["session"] = {"turn_detection": {"type": "manual"}}
        path = tmp_path / "scenario.yaml"
        path.write_text(yaml.safe_dump(body))
        out = tmp_path / "run"
        env = os.environ | {"ECHO_KEY": KEY, "ECHO_TEAM": TEAM, "ECHO_REGION": REGION}
        words = ["--workers", str(workers)] if workers else []
        done = bench("run", path, "--out", out, *words, env=env, cwd=ROOT)
    assert len(callers) == len(PLAYS)
    for peer in callers:
        assert (peer.headers["authorization"], peer.headers["x-team"]) == (f"Bearer {KEY}", TEAM)
        assert peer.query["region"] == REGION
    again = bench("report", out, "--out", tmp_path / "again", cwd=ROOT)
    assert again.returncode == done.returncode, again.stderr
    turns = pd.read_parquet(out / "turns.parquet")
    assert {"ok", "failed"} <= set(turns["status"]), done.stdout
    texts = {"stdout": done.stdout, "stderr": done.stderr, "report": again.stdout + again.stderr}
    texts |= dict(everything(out)) | dict(everything(tmp_path / "again"))
    assert len(texts) > 15
    assert {name: found[:5] for name, text in texts.items() if (found := leaks(name, text))} == {}
    assert "harness" not in set(pd.read_parquet(out / "sessions.parquet")["error_kind"])
    assert any("***" in text for name, text in texts.items() if "events" in name)
