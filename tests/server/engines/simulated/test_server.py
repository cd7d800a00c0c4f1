"""The simulated server as a process: times, limits, modes, several processes, and a log that says what was seen."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bench.audio.formats import AudioFormat
from bench.errors import BenchError
from bench.server.options import ServeOptions
from bench.server.run import serve
from tests.server.engines.simulated.client import Seen, call, simulated, utterance
from tests.server.support import append, check_event, http, refused_options, server_process, silence

AUDIO = "response.output_audio.delta"
QUICK = "{endpointing: 250ms, first_token: 300ms, first_audio: 350ms, reply_length: 600ms}"


def records(path: Path, kind: str) -> list[dict[str, Any]]:
    found = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [record for record in found if record["kind"] == kind]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Seen], Path]:
    """Calls of every mode at once, and the truth log of their server."""
    folder = tmp_path_factory.mktemp("logged")
    log = folder / "truth.jsonl"

    async def run(url: str) -> dict[str, Seen]:
        balance = utterance("balance-slt")
        manual_end = (200 + 2427) // 40 + 1
        calls = {
            "vad": call(url, balance),
            "manual": call(url, balance, manual=True, commit_after=manual_end),
            "pcmu": call(url, utterance("yes-slt", audio_format=AudioFormat.PCMU), audio_format=AudioFormat.PCMU),
            "unknown": call(url, [*[append(loud()) for _ in range(25)], *quiet(50)]),
            "pause": call(url, utterance("pause-appointment-rms")),
        }
        return dict(zip(calls, await asyncio.gather(*calls.values()), strict=True))

    with simulated(QUICK, folder, truth_log=log) as url:
        seen = asyncio.run(run(url))
    return seen, log


def loud() -> Any:
    import numpy as np

    return np.random.default_rng(3).normal(0, 6000, 960).astype(np.int16)


def quiet(frames: int) -> list[dict[str, Any]]:
    return [append(silence(40)) for _ in range(frames)]


def turn_of(seen: Seen, log: Path) -> dict[str, Any]:
    session = seen.events[0]["session"]["id"]
    (turn,) = [turn for turn in records(log, "turn") if turn["session"] == session]
    return turn


HEARD = [("vad", "balance-slt"), ("manual", "balance-slt"), ("pcmu", "yes-slt"), ("pause", "pause-appointment-rms")]


def after_speech_ms(seen: Seen, log: Path, kind: str) -> float:
    """From the true end of speech to the first event of a kind."""
    return float(seen.first_ns(kind) - turn_of(seen, log)["speech_end_ns"]) / 1e6


@pytest.mark.parametrize(("name", "fixture"), HEARD)
def test_a_turn_is_heard_and_answered(logged: tuple[dict[str, Seen], Path], name: str, fixture: str) -> None:
    seen, log = logged[0][name], logged[1]
    turn = turn_of(seen, log)
    assert turn["fixture"] == fixture
    assert turn["confidence"] > 0.85
    assert seen.statuses() == ["completed"]
    assert seen.transcripts() == [turn["reference"]]
    for event in seen.events:
        check_event(event)
    # the delays of the profile: a busy machine is later, and never earlier
    assert after_speech_ms(seen, log, AUDIO) > 349
    if name != "manual":
        assert after_speech_ms(seen, log, "input_audio_buffer.speech_stopped") > 249
    assert len(turn["frame_arrivals_ns"]) == len(turn["frame_end_samples"]) > 10
    assert sorted(turn["frame_arrivals_ns"]) == turn["frame_arrivals_ns"]


def test_what_is_due_is_sent_at_once(logged: tuple[dict[str, Seen], Path]) -> None:
    heard = [logged[0][name] for name, _ in HEARD]
    assert min(after_speech_ms(seen, logged[1], AUDIO) for seen in heard) < 450
    stopped = "input_audio_buffer.speech_stopped"
    assert min(after_speech_ms(seen, logged[1], stopped) for seen in heard if seen.of(stopped)) < 350


def test_unknown_audio_has_an_empty_transcript_and_is_answered(logged: tuple[dict[str, Seen], Path]) -> None:
    seen, log = logged[0]["unknown"], logged[1]
    turn = turn_of(seen, log)
    assert turn["fixture"] is None
    assert turn["known_by"] == "level"
    assert seen.transcripts() == [""]
    assert seen.statuses() == ["completed"]


def test_the_log_holds_every_event_that_was_seen_and_none_more(logged: tuple[dict[str, Seen], Path]) -> None:
    events = records(logged[1], "event")
    closes = {record["session"]: record for record in records(logged[1], "close")}
    for seen in logged[0].values():
        session = seen.events[0]["session"]["id"]
        sent = [event for event in events if event["session"] == session]
        assert [event["type"] for event in sent] == seen.types()
        late_ns = sorted(at_ns - event["at_ns"] for event, at_ns in zip(sent, seen.at_ns, strict=True))
        assert late_ns[0] > -1_000_000
        assert late_ns[len(late_ns) // 2] < 200_000_000, "a busy machine reads some of them late"
        assert closes[session]["how"] == "client"
        audio = [event for event in sent if event["type"] == AUDIO]
        assert sum(event["silent_samples"] for event in audio) == (2400 if audio[0]["samples"] == 4800 else 800)
        done = next(event for event in sent if event["type"] == "response.done")
        assert done["usage"] == seen.of("response.done")[0]["response"]["usage"]


def test_limits_of_sessions_requests_and_tokens(tmp_path: Path) -> None:
    profile = "{limits: {max_sessions: 2, requests_per_min: 2}, first_token: 0, first_audio: 0, reply_length: 100ms}"

    async def run(url: str) -> tuple[list[str], list[int], Any, int]:
        async with connect(url) as first, connect(url):
            async with connect(url) as third:
                refused = json.loads(await third.recv())
                await third.wait_closed()
            statuses, remaining = [], []
            while len(remaining) < 3:
                if len(statuses) == len(remaining):
                    await first.send('{"type": "response.create"}')
                    statuses.append("")
                event = json.loads(await first.recv())
                if event["type"] == "response.done":
                    statuses[-1] = event["response"]["status"]
                elif event["type"] == "rate_limits.updated":
                    remaining.append(event["rate_limits"][0]["remaining"])
            return statuses, remaining, refused, third.close_code or 0

    with simulated(profile, tmp_path) as url:
        statuses, remaining, refused, code = asyncio.run(run(url))
    assert statuses == ["completed", "completed", "failed"]
    assert remaining == [1, 0, 0]
    assert refused["error"]["code"] == "session_limit_reached"
    assert code == 1008


def test_a_full_server_may_refuse_at_the_handshake_and_ends_old_sessions(tmp_path: Path) -> None:
    profile = "limits: {max_sessions: 1, refuse_with: '429', session_lifetime: 500ms}"

    async def run(url: str) -> tuple[Seen, list[dict[str, Any]], int]:
        async with connect(url) as socket:
            refused = await call(url, [])
            events = [json.loads(message) async for message in socket]
            return refused, events, socket.close_code or 0

    with simulated(profile, tmp_path) as url:
        refused, events, code = asyncio.run(run(url))
    assert refused.http_status == 429
    assert events[-1]["error"]["code"] == "session_expired"
    assert code == 1001


def test_keys_secrets_paths_and_health_are_as_with_the_local_engine(tmp_path: Path) -> None:
    async def run(url: str) -> tuple[Seen, Seen, Seen, str | None]:
        good = {"additional_headers": {"Authorization": "Bearer sk-1"}}
        async with connect(url, subprotocols=["realtime", "openai-insecure-api-key.sk-1"]) as socket:  # type: ignore[list-item]
            protocol = socket.subprotocol
        no_model = await call(url.split("?")[0], [], **good)
        return await call(url, []), await call(url.replace("/v1/", "/v2/"), [], **good), no_model, protocol

    with simulated(None, tmp_path, api_key="sk-1") as url:
        wrong_key, wrong_path, no_model, protocol = asyncio.run(run(url))
        address = url.split("/v1/")[0].replace("ws://", "http://")
        _, health = http(f"{address}/healthz")
        auth = {"Authorization": "Bearer sk-1"}
        body = b'{"session": {"type": "realtime", "instructions": "Baked."}}'
        _, secret = http(f"{address}/v1/realtime/client_secrets", method="POST", body=body, headers=auth)
        bearer = {"additional_headers": {"Authorization": f"Bearer {secret['value']}"}}
        with_secret = asyncio.run(call(url, [], **bearer))
    assert wrong_key.http_status == 401
    assert wrong_path.http_status == 404
    assert no_model.events[0]["session"]["model"] == "simulated"
    assert protocol == "realtime"
    assert health["status"] == "ok"
    assert health["engine"] == "simulated"
    assert with_secret.events[0]["session"]["instructions"] == "Baked."


def test_unusual_messages_are_answered_as_the_protocol_says(tmp_path: Path) -> None:
    async def run(url: str) -> list[str | None]:
        async with connect(url) as socket:
            await socket.recv()
            codes = []
            for message in (
                '{"type": "input_audio_buffer.append", "audio": "!!"}',
                '{"audio": "AAAA", "type": "input_audio_buffer.append", "event_id": "a"}',  # fine, the long way
                '{"type": "input_audio_buffer.commit"}',
                "no json",
                b'{"type": "nothing"}',
                '{"type": "input_audio_buffer.append", "event_id": "e", "audio": "AA"}',
            ):
                await socket.send(message)
                if '"AAAA"' not in str(message):
                    codes.append(json.loads(await socket.recv())["error"]["code"])
            await (await socket.ping())
            return codes

    with simulated(None, tmp_path) as url:
        assert asyncio.run(run(url)) == [
            "invalid_value",
            "input_audio_buffer_commit_empty",
            "invalid_json",
            "invalid_value",
            "invalid_value",
        ]


def test_several_processes_share_a_port_and_stop_together(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"

    async def run(url: str) -> None:
        sockets = [await connect(url) for _ in range(24)]
        for socket in sockets:
            await socket.recv()
            await socket.close()

    with server_process(engine="simulated", processes=2, truth_log=log) as (process, address):
        children = psutil.Process(process.pid).children()
        asyncio.run(run(address.replace("http", "ws") + "/v1/realtime?model=m"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=45) == 0
    assert len(children) == 2
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    parts = [tmp_path / f"truth.{number}.jsonl" for number in range(2)]
    numbers = [[record["number"] for record in records(part, "session")] for part in parts]
    assert sum(len(part) for part in numbers) == 24
    assert all(number % 2 == place for place, part in enumerate(numbers) for number in part)
    assert all(numbers), "one process took every connection"


@pytest.mark.slow
def test_a_process_that_dies_ends_the_server_with_an_error() -> None:
    with server_process(engine="simulated", processes=2) as (process, _):
        first, second = psutil.Process(process.pid).children()
        first.kill()
        assert process.wait(timeout=45) == 8
        assert not second.is_running() or second.status() == psutil.STATUS_ZOMBIE


def test_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=localhost"], check=True, capture_output=True,
    )  # fmt: skip

    async def run(url: str) -> str:
        context = ssl.create_default_context(cafile=str(cert))
        context.check_hostname = False
        async with connect(url, ssl=context) as socket:
            return str(json.loads(await socket.recv())["type"])

    with server_process(engine="simulated", tls_cert=cert, tls_key=key) as (_, address):
        assert address.startswith("wss://")
        assert asyncio.run(run(address + "/v1/realtime?model=m")) == "session.created"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"profile": "nowhere.yaml"}, "nowhere.yaml"),
        ({"processes": 0}, "at least 1 process"),
        ({"tls_cert": "nowhere.pem"}, "--tls-cert nowhere.pem"),
        ({"truth_log": "/proc/none/truth"}, "cannot be written"),
    ],
)
def test_wrong_options_are_a_sentence(options: dict[str, Any], words: str) -> None:
    ended = refused_options(ServeOptions(engine="simulated", port=0, **options).line())
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_catalogue_of_ones_own_and_a_reply_for_each_fixture(tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    entries = []
    for number in range(2):
        burst = np.random.default_rng(number).normal(0, 5000, 24_000).clip(-30_000, 30_000)
        pcm = np.concatenate((np.zeros(2400), burst, np.zeros(4800))).astype(np.int16)
        soundfile.write(tmp_path / f"burst-{number}.wav", pcm, 24_000, subtype="PCM_16")
        entries.append(f"  - {{id: burst-{number}, file: burst-{number}.wav, text: This is burst {number}.}}")
    (tmp_path / "mine.yaml").write_text("fixtures:\n" + "\n".join(entries))
    profile = """
catalogue: mine.yaml
replies: {burst-1: {text: You said one., length: 300ms}}
"""
    rate_hz = 24_000
    pcm, _ = soundfile.read(tmp_path / "burst-1.wav", dtype="int16")
    frames_sent = [append(piece) for piece in np.split(np.concatenate((pcm, silence(2400, rate_hz)))[: 960 * 90], 90)]
    with simulated(profile, tmp_path) as url:
        seen = asyncio.run(call(url, frames_sent))
    assert seen.transcripts() == ["This is burst 1."]
    done = seen.of("response.done")[0]["response"]
    assert done["output"][0]["content"][0]["transcript"] == "You said one."
    assert done["usage"]["output_token_details"]["audio_tokens"] == 8  # 100 ms of silence and 300 ms of tone


def test_a_caller_who_leaves_during_a_slow_handshake_is_no_session(tmp_path: Path) -> None:
    profile = "faults: [{kind: slow_handshake, sessions: [0], delay: 700ms}]"

    async def run(url: str) -> None:
        with pytest.raises(TimeoutError):
            await connect(url, open_timeout=0.2)
        await asyncio.sleep(1)

    with simulated(profile, tmp_path) as url:
        asyncio.run(run(url))
        _, health = http(url.split("/v1/")[0].replace("ws://", "http://") + "/healthz")
    assert health["open_sessions"] == 0


def test_the_local_engine_serves_tls_as_well(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")

    async def run(url: str) -> str:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        async with connect(url, ssl=context) as socket:
            return str(json.loads(await socket.recv())["session"]["model"])

    with server_process(workers=1, tls_cert=tmp_path / "server.pem") as (_, address):
        assert asyncio.run(run(address + "/v1/realtime")) == "local-pipeline"


def test_handshakes_tell_of_limits_and_are_refused_when_nothing_is_left(tmp_path: Path) -> None:
    profile = "{limits: {at_handshake: true, told: [tokens]}, first_token: 0, first_audio: 0, reply_length: 100ms}"

    async def run(url: str) -> tuple[Any, list[str], Any]:
        async with connect(url) as socket:
            assert socket.response is not None
            headers = socket.response.headers
            await socket.send('{"type": "response.create"}')
            names: list[str] | None = None
            while names is None:
                event = json.loads(await socket.recv())
                if event["type"] == "rate_limits.updated":
                    names = [each["name"] for each in event["rate_limits"]]
            with pytest.raises(InvalidStatus) as refused:
                await connect(url)
            return headers, names, refused.value.response

    truth = tmp_path / "truth.jsonl"
    with simulated(profile, tmp_path, requests_per_minute=1, tokens_per_minute=50_000, truth_log=truth) as url:
        headers, names, refused = asyncio.run(run(url))
    assert headers["x-ratelimit-remaining-requests"] == "1"
    assert headers["x-ratelimit-limit-tokens"] == "50000"
    assert names == ["tokens"]
    assert refused.status_code == 429
    assert 50 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    (logged,) = records(truth, "refusal")
    assert (logged["status"], logged["headers"]["retry-after"]) == (429, refused.headers["retry-after"])
    told = [event["rate_limits"] for event in records(truth, "event") if event["type"] == "rate_limits.updated"]
    assert [each["limit"] for each in told[0]] == [50_000]


def test_limits_are_of_the_simulated_engine_alone(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--max-sessions: the engine 'local' takes no max-sessions"):
        serve(ServeOptions(max_sessions=3))
    with pytest.raises(BenchError, match="--tokens-per-minute 0: a limit is a whole number"):
        serve(ServeOptions(engine="simulated", tokens_per_minute=0))
