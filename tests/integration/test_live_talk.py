"""The live test: somebody talks to a server from a browser, and each turn is measured as in a run."""

from __future__ import annotations

import time
import urllib.request
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.browser import CHROMIUM, browser
from tests.support.live import ask, at, shown_when, started
from tests.support.processes import ROOT, bench, simulated_server

PROFILE = """
endpointing: 300ms
first_token: 500ms
first_audio: 600ms
leading_silence: 50ms
reply: Your balance is forty two pounds.
reply_length: 1500ms
"""
WORDS, AUDIO = "response.output_audio_transcript.delta", "response.output_audio.delta"
SAID = ROOT / "fixtures" / "audio" / "balance-rms.wav"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the simulated server writes what it did."""
    return tmp_path_factory.mktemp("talk") / "truth.jsonl"


@pytest.fixture(scope="module")
def page(log: Path) -> Iterator[str]:
    """The page of a live test against the simulated server."""
    profile = log.with_name("profile.yaml")
    profile.write_text(PROFILE)
    with simulated_server(profile, truth_log=log) as url:
        words = ["--url", url, "--set", "target.model=gpt-realtime-mini", "--port", "0"]
        with started("live", "quickstart", *words) as (process, address):
            yield address
            process.terminate()
            process.wait(20)
            assert process.returncode == 0


def post(page: str, path: str, body: bytes = b"") -> tuple[int, str]:
    request = urllib.request.Request(at(page, path), method="POST", data=body)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def pcm(path: Path) -> bytes:
    with wave.open(str(path)) as sound:
        assert sound.getframerate() == 24_000
        return sound.readframes(sound.getnframes())


def true_waits_ms(log: Path, turns: int) -> list[tuple[float, float]]:
    """Of each turn that the server heard, how long after its end it sent the first word and the first audio."""
    deadline = time.monotonic() + 20
    while True:
        records = [orjson.loads(line) for line in log.read_bytes().splitlines()]
        ends_ns = [record["speech_end_ns"] for record in records if record["kind"] == "turn"]
        sent = [(record["type"], record["at_ns"]) for record in records if record["kind"] == "event"]
        try:
            found = [tuple(_first_ms(sent, kind, end_ns) for kind in (WORDS, AUDIO)) for end_ns in ends_ns]
            assert len(found) >= turns
        except (AssertionError, StopIteration):
            # The log is written now and then.
            assert time.monotonic() < deadline, (len(ends_ns), len(sent))
            time.sleep(0.1)
        else:
            return found  # type: ignore[return-value]


def _first_ms(sent: list[tuple[str, int]], kind: str, end_ns: int) -> float:
    return next((at_ns - end_ns) / 1e6 for type_, at_ns in sent if type_ == kind and at_ns > end_ns)


def checked(turn: dict[str, Any], word_ms: float, audio_ms: float) -> float:
    """A turn to the truth: 50 ms of silence before what is audible. Gives the error of the first audio."""
    marks = {mark["name"]: mark["at_ms"] for mark in turn["marks"]}
    assert turn["status"] == "ok"
    assert word_ms > 499
    assert audio_ms > 599
    assert marks["first_audio_ms"] == pytest.approx(audio_ms, abs=60)
    assert marks["first_audible_ms"] == pytest.approx(audio_ms + 50, abs=60)
    assert marks["ttft_ms"] == pytest.approx(word_ms, abs=60)
    assert turn["cost_usd"] > 0
    assert turn["reply"] == "Your balance is forty two pounds."
    return float(marks["first_audio_ms"]) - audio_ms


def test_what_is_said_and_what_is_played_is_measured_as_in_a_run(page: str, log: Path) -> None:
    early = post(page, "/talk/play", b"balance-rms")
    assert post(page, "/talk/begin")[0] == 202
    shown_when(page, lambda seen: seen["talk"]["status"] == "ready")
    twice = post(page, "/talk/begin")
    unknown = post(page, "/talk/play", b"nobody")
    silent = post(page, "/talk/say", bytes(48_000))
    odd = post(page, "/talk/say", b"abc")
    assert post(page, "/talk/say", pcm(SAID))[0] == 202
    shown_when(page, lambda seen: len(seen["talk"]["turns"]) == 1 and seen["talk"]["status"] == "ready")
    assert post(page, "/talk/play", b"balance-rms")[0] == 202
    seen = shown_when(page, lambda seen: len(seen["talk"]["turns"]) == 2)
    with urllib.request.urlopen(f"{at(page, '/talk/reply')}&turn=1", timeout=10) as reply:
        wav = reply.read()
    with wave.open(BytesIO(wav)) as sound:
        lasts_s = sound.getnframes() / sound.getframerate()
    assert post(page, "/talk/end")[0] == 202
    ended = shown_when(page, lambda seen: seen["talk"]["status"] == "ended")
    assert [early[0], twice[0], unknown[0], silent[0], odd[0]] == [409, 409, 400, 400, 400]
    assert "No speech was heard: " in silent[1]
    spoken, played = seen["talk"]["turns"]
    of_the_spoken, of_the_played = (
        checked(turn, *true) for turn, true in zip((spoken, played), true_waits_ms(log, 2), strict=True)
    )
    assert (spoken["said"], spoken["wer"]) == ("(your voice)", None)
    assert played["said"] == "What is the balance of my checking account?"
    assert played["wer"] is not None
    assert of_the_spoken == pytest.approx(of_the_played, abs=40), "the same end of speech"
    assert lasts_s == pytest.approx(1.5, abs=0.1)
    assert ended["talk"]["failure"] is None
    assert ended["talk"]["spent"]["text"].startswith("$0.0")
    assert ask(at(page, "/talk/reply") + "&turn=99")[0] == 404


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
def test_a_person_talks_to_the_server_in_a_browser(page: str, log: Path) -> None:
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with browser(*fake, f"--use-file-for-fake-audio-capture={SAID}%noloop") as tab:
        tab.size(390, 844)
        tab.open(page)
        before = tab.wait("state && state.talk && 1 + state.talk.turns.length") - 1
        tab.evaluate("document.getElementById('talk-call').focus()")
        tab.press("Enter", 13)
        tab.wait("!document.getElementById('talk-speak').disabled")
        tab.evaluate("document.getElementById('talk-speak').focus()")
        tab.press("Enter", 13)
        tab.wait("document.getElementById('talk-now').textContent.startsWith('Speak now')")
        tab.evaluate("new Promise((done) => setTimeout(done, 4500))")
        tab.press("Enter", 13)
        tab.wait(f"state.talk.turns.length === {before + 1}", 30)
        turn = tab.evaluate(f"state.talk.turns[{before}]")
        heard = tab.wait("document.getElementById('talk-audio').currentTime > 0.2")
        card = tab.evaluate("document.querySelector('article.turn').innerText")
        wide = tab.evaluate("document.documentElement.scrollWidth")
        tab.evaluate("document.getElementById('talk-call').click()")
        tab.wait("state.talk.status === 'ended'")
        console, requests = tab.console, tab.requests
    checked(turn, *true_waits_ms(log, before + 1)[-1])
    assert turn["heard"]
    assert heard
    assert "first audible after" in card
    assert "Cost: $0.0" in card
    assert wide == 390
    assert console == []
    origin = page.partition("/?")[0]
    assert [each for each in requests if not each.startswith((origin, "data:"))] == []


def test_options_of_a_scenario_are_refused_for_a_run(tmp_path: Path) -> None:
    done = bench("live", tmp_path, "--url", "ws://127.0.0.1:9/")
    assert done.returncode == 2
    assert "is a run folder" in done.stderr
